"""People at Debian's Chromium, driven by Playwright, and all that their browser complains about."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = Path(__file__).parents[1] / "web" / "vendor" / "axe-4.14.1.min.js"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1440, "height": 900}}
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
_WATCH = """addEventListener("securitypolicyviolation", e =>
  console.error(`csp: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`))"""
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Person:
    """Somebody with a browser of their own: one page, what broke on it, where it went."""

    def __init__(self, context: BrowserContext, page: Page, url: str) -> None:
        self.context, self.page, self.url = context, page, url
        self.broken: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", lambda said: self._note(said.type, said.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("request", lambda request: self.hosts.add(request.url))
        page.on("dialog", lambda dialog: self._note("error", f"dialog: {dialog.message}"))

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.broken.append(f"{self.page.url}: {text}")

    async def open(self, path: str) -> None:
        await self.page.goto(self.url + path)

    async def sign_in(self, name: str, password: str) -> None:
        await self.open("/login")
        await self.page.get_by_label("Nom").fill(name)
        await self.page.get_by_label("Mot de passe").fill(password)
        await self.page.get_by_role("button", name="Se connecter").click()
        await self.page.locator("nav.menu").wait_for()

    async def axe(self) -> list[str]:
        """Return what axe finds on the whole page, and on its colours in dark.

        The page is as high as its content: a bar that stays at the foot covers nothing then.
        """
        size = self.page.viewport_size or {"width": 390, "height": 844}
        height = int(await self.page.evaluate("document.documentElement.scrollHeight"))
        await self.page.set_viewport_size({"width": size["width"], "height": height + 200})
        await self.page.evaluate(AXE.read_text() + "; 0")
        found: list[str] = []
        for scheme, only in (("light", _RULES), ("dark", ["color-contrast"])):
            await self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found += await self.page.evaluate(
                """async only => (await axe.run(document, {runOnly: only})).violations.map(
                  v => v.id + ": " + v.nodes.map(n => n.html.slice(0, 160)).join(" | "))""",
                only,
            )
        await self.page.set_viewport_size(size)
        return found


class Browsers:
    """One Chromium for all people; `async with` until the block ends."""

    def __init__(self) -> None:
        self.people: list[Person] = []

    async def __aenter__(self) -> Self:
        self._playwright = await async_playwright().start()
        self._chromium: Browser = await self._playwright.chromium.launch(
            executable_path=CHROMIUM, args=_FLAGS
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._chromium.close()
        await self._playwright.stop()

    async def person(self, url: str, **options: Any) -> Person:
        """Return somebody with a browser that knows nobody yet."""
        context = await self._chromium.new_context(locale="fr-FR", **options)
        context.set_default_timeout(20_000)
        await context.add_init_script(_WATCH)
        person = Person(context, await context.new_page(), url)
        self.people.append(person)
        return person
