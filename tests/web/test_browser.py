"""Pages in a real browser: accessibility by axe-core, reflow, contrast, keyboard, live news."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from veille.domain.notification import Facts
from veille.store import incidents
from veille.web.links import link_key, token
from veille.web.ports import LinkDesk
from veille.web.site import SITE

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any

AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --remote-debugging-port=0 "
    "--force-color-profile=srgb --hide-scrollbars --disable-dev-shm-usage"
).split()
PAGES = (
    "/",
    "/incidents/1",
    "/queue/1",
    "/queue/1/whynot?rule=unusual_volume",
    "/silences",
    "/account",
    "/nothing-here",
)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM: pages were not seen by a browser"),
    pytest.mark.timeout(60),
]


class Tab:
    """One tab, driven through the DevTools protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        async with asyncio.timeout(30):
            while True:
                answer = json.loads((await self._socket.receive()).data)
                if answer.get("id") == self._number:
                    break
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return dict(answer["result"])

    async def run(self, script: str) -> Any:
        """Return the value of a script, promises awaited."""
        done = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in done:
            raise RuntimeError(str(done["exceptionDetails"]))
        return done["result"].get("value")

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)
        await self.until(f"document.readyState === 'complete' && location.href === {url!r}")

    async def until(self, condition: str) -> None:
        async with asyncio.timeout(15):
            while not await self._holds(condition):
                await asyncio.sleep(0.02)

    async def _holds(self, condition: str) -> bool:
        try:
            return bool(await self.run(condition))
        except RuntimeError:  # asked between two pages: there is no script context to run in
            return False

    async def look(self, width: int, *, scheme: str = "light", height: int = 844) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        await self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    async def press(self, key: str, code: int, *, text: str = "") -> None:
        down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        for kind in (down, {"type": "keyUp"}):
            await self.call("Input.dispatchKeyEvent", key=key, windowsVirtualKeyCode=code, **kind)

    async def shoot(self, path: Path) -> None:
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    async def sign_in(self, url: str, token: str) -> None:
        await self.call("Network.setCookie", name="veille", value=token, url=url, httpOnly=True)


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Tab]:
    """Return the first tab of a fresh browser that is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        str(CHROMIUM),
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port_file = profile / "DevToolsActivePort"
        async with asyncio.timeout(30):
            while not (port_file.exists() and port_file.read_text().strip()):
                await asyncio.sleep(0.05)
        port = port_file.read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [page for page in await answer.json() if page["type"] == "page"]
            async with session.ws_connect(
                pages[0]["webSocketDebuggerUrl"], max_msg_size=0
            ) as socket:
                yield Tab(socket)
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with chromium(tmp_path / "profile") as opened:
        yield opened


def token_of(browser: Browser) -> str:
    return next(c.value for c in browser.session.cookie_jar if c.key == "veille")


async def violations(tab: Tab) -> list[str]:
    await tab.run(AXE.read_text() + "; 0")
    rules = '["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]'
    options = f'{{runOnly: {rules}, rules: {{"color-contrast-enhanced": {{enabled: true}}}}}}'
    found = await tab.run(
        f"axe.run(document, {options}).then(r => r.violations.map(v => v.id + ': ' + "
        "v.nodes.map(n => n.html.slice(0, 160) + ' ' + n.failureSummary).join(' | ')))"
    )
    return list(found)


async def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.look(1440)
    await tab.open(town.url + "/login")
    assert await violations(tab) == []
    page = await camille.get("/incidents/1")
    await camille.submit(page, "/incidents/1/silence", lasting="1h")
    await tab.sign_in(town.url, token_of(camille))
    for path in PAGES:
        for width, scheme in ((320, "light"), (1440, "dark")):
            await tab.look(width, scheme=scheme)
            await tab.open(town.url + path)
            assert await violations(tab) == [], (path, width, scheme)
            assert await tab.run("document.documentElement.scrollWidth") <= width, (path, width)


async def test_what_a_silence_would_hide_reads_well_on_a_phone(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.look(320)
    await tab.open(town.url + "/silences")
    await tab.run(
        "document.querySelector('[name=match]').value = 'watch=mairie';"
        "document.querySelector('[name=reason]').value = 'exercice';"
        "document.querySelector('[formaction$=preview], form[action$=preview] button').click(); 0"
    )
    at = "location.pathname === '/silences/preview'"
    await tab.until(f"{at} && document.readyState === 'complete'")
    assert await violations(tab) == []
    assert await tab.run("document.documentElement.scrollWidth") <= 320


async def test_the_link_of_a_mail_is_pressed_without_an_account(town: Town, tab: Tab) -> None:
    owners = {"camille-mail": "Camille"}
    desk = LinkDesk(key=link_key(b"x" * 16), lifetime=timedelta(hours=1), owners=owners)
    town.app._state[SITE] = replace(town.app[SITE], links=desk)
    incident = await town.store.read(lambda db: incidents.get(db, 1))
    facts = Facts(
        incident=1,
        title=incident.title,
        severity=incident.severity,
        state=incident.state,
        at=town.clock.now,
        opened_at=incident.opened_at,
        rule="flood_distress",
        value=12,
        threshold=3,
        author_count=11,
    )
    address = f"{town.url}/l/{token(facts, receiver='camille-mail', desk=desk)}"
    for width, scheme in ((320, "light"), (1440, "dark")):
        await tab.look(width, scheme=scheme)
        await tab.open(address)
        assert await violations(tab) == [], (width, scheme)
        assert await tab.run("document.documentElement.scrollWidth") <= width
        if folder := os.environ.get("VEILLE_SHOTS"):
            await tab.shoot(Path(folder) / f"link-{width}-{scheme}.png")
    await tab.run("document.querySelector('button.main').click()")
    await tab.until("location.search === '?done=take'")
    taken = await town.store.read(lambda db: incidents.get(db, 1))
    assert taken.acknowledged_by == "Camille"


async def test_targets_are_44_px_and_the_keyboard_reaches_the_first_action(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.look(390)
    await tab.sign_in(town.url, token_of(camille))
    for path in PAGES:
        await tab.open(town.url + path)
        small = await tab.run(
            "[...document.querySelectorAll('button, a.button, a.row, .menu a, input:not([type="
            "hidden]):not(.hidden), select, textarea, summary')].filter(e => e.checkVisibility()"
            " && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)"
        )
        assert small == [], path
    await tab.open(town.url + "/")
    order = []
    for _ in range(7):
        await tab.press("Tab", 9)
        order.append(await tab.run("document.activeElement.textContent.trim()"))
    assert order[0] == "Aller au contenu"
    assert "Prendre en charge" in order
    outline = await tab.run("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"


async def test_an_incident_is_taken_by_the_keyboard_alone_and_without_scripts(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.call("Emulation.setScriptExecutionDisabled", value=True)
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/")
    for _ in range(20):
        await tab.press("Tab", 9)
        if await tab.run("document.activeElement.textContent.trim()") == "Prendre en charge":
            break
    await tab.press("Enter", 13, text="\r")
    await tab.until("location.search === '?done=take' && document.readyState === 'complete'")
    said = await tab.run("document.querySelector('[role=status]').textContent")
    assert "vous avez pris I1 en charge." in said


async def test_news_is_announced_without_moving_the_page(
    town: Town, camille: Browser, sacha: Browser, tab: Tab
) -> None:
    await tab.look(390)
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/")
    before = await tab.run("document.querySelector('main').getBoundingClientRect().height")
    await sacha.submit(await sacha.get("/"), "/incidents/1/take")
    await tab.run("document.dispatchEvent(new Event('visibilitychange'))")
    await tab.until("document.getElementById('live').textContent !== ''")
    assert await tab.run("document.getElementById('live').textContent") == "1 nouveauté. Actualiser"
    assert await tab.run("document.getElementById('alarm').textContent") == ""
    after = await tab.run("document.querySelector('main').getBoundingClientRect().height")
    assert after == before


async def test_a_hostile_mention_runs_nothing_and_loads_nothing(
    town: Town, camille: Browser, tab: Tab, hostile_item: str
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + hostile_item)
    assert await tab.run("window.owned === undefined")
    hosts = await tab.run(
        "[...new Set(performance.getEntriesByType('resource').map(e => new URL(e.name).origin))]"
    )
    assert hosts == [town.url]


@pytest.mark.skipif(not os.environ.get("VEILLE_SHOTS"), reason="set VEILLE_SHOTS to a folder")
async def test_shots(town: Town, camille: Browser, tab: Tab) -> None:
    folder = Path(os.environ["VEILLE_SHOTS"])
    await tab.look(390)
    await tab.open(town.url + "/login")
    await tab.shoot(folder / "login-390.png")
    await tab.sign_in(town.url, token_of(camille))
    for path in PAGES:
        for width in (390, 1440):
            for scheme in ("light", "dark"):
                await tab.look(width, scheme=scheme, height=844 if width == 390 else 900)
                await tab.open(town.url + path)
                name = path.strip("/").partition("?")[0].replace("/", "-") or "now"
                await tab.shoot(folder / f"{name}-{width}-{scheme}.png")
