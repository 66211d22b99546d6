"""Pages in a real browser: accessibility by axe-core, reflow, contrast, keyboard, live news."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import time
from base64 import b32decode
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from servers.plain import plain
from veille.alerts.clock_settings import usual
from veille.domain.alert import Flag, Severity
from veille.domain.clock import utc_now
from veille.domain.deed import Deed, Verb
from veille.domain.incident import QueueState
from veille.domain.notification import Facts
from veille.net.webpush import new_key, public_key
from veille.pipeline.clock import Clock
from veille.privacy.seal import push_key
from veille.store import incidents, mentions, push, queue
from veille.store.engine import Db
from veille.web import users
from veille.web.links import link_key, token
from veille.web.live import HUB
from veille.web.ports import LinkDesk, PushDesk
from veille.web.second_factor import code_at
from veille.web.site import SITE

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any

PASSWORD = "une rivière en crue 1910"
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
    "/queue",
    "/queue?severity=info",
    "/queue/1",
    "/queue/1/whynot?rule=unusual_volume",
    "/ledger",
    "/silences",
    "/account",
    "/account/factor",
    "/account/tokens",
    "/more",
    "/help/keys",
    "/search?q=eau",
    "/search?q=ton:joyeux",
    "/sources",
    "/rules",
    "/rules/flood_distress",
    "/rules/files/flood.yml",
    "/on-call",
    "/accessibility",
    "/nothing-here",
)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM: pages were not seen by a browser"),
    pytest.mark.timeout(60),
]


BEYOND_AXE = """(() => {
  const found = [], all = (wanted) => [...document.querySelectorAll(wanted)];
  const shown = (e) => e.checkVisibility() && !e.closest(".hidden, .skip");
  if (all("h1").length !== 1) found.push("not one h1");
  let before = 0;
  for (const e of all("h1, h2, h3, h4").filter((e) => e.checkVisibility())) {
    if (Number(e.tagName[1]) > before + 1) found.push(`skips a level: ${e.textContent}`);
    before = Number(e.tagName[1]);
  }
  const ids = all("[id]").map((e) => e.id);
  found.push(...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `twice: ${id}`));
  for (const e of all("[aria-describedby]")) {
    const lost = e.getAttribute("aria-describedby").split(" ").filter((id) => !ids.includes(id));
    if (lost.length) found.push(`described by nothing: ${lost}`);
  }
  for (const e of all("table")) if (!e.caption) found.push("a table without caption");
  found.push(...all("th:not([scope])").map((e) => `no scope: ${e.textContent}`));
  const fields = "input:not([type=hidden]), select, textarea";
  const held = all(`a[href], button, summary, ${fields}`).filter(shown);
  // WCAG 2.2, 2.5.8: 24 px, or a circle of that size around it that touches no other
  const boxes = held.map((e) => (e.closest("label") ?? e).getBoundingClientRect());
  boxes.forEach((box, at) => {
    if (box.width >= 24 && box.height >= 24) return;
    const x = box.x + box.width / 2, y = box.y + box.height / 2;
    const aside = (other) => Math.max(other.x - x, 0, x - other.right);
    const above = (other) => Math.max(other.y - y, 0, y - other.bottom);
    const isNear = (other, one) => one !== at && Math.hypot(aside(other), above(other)) < 12;
    if (boxes.some(isNear)) found.push(`small: ${held[at].outerHTML}`);
  });
  // 2.4.11: what has the focus is not under what stays in place; 2.4.7: and it shows
  for (const e of held) {
    e.focus();
    const box = e.getBoundingClientRect();
    const points = [0.1, 0.5, 0.9].map((part) =>
      document.elementFromPoint(box.x + box.width * part, box.y + box.height / 2));
    const isSeen = points.some((at) => at && (e.contains(at) || at.contains(e)));
    if (document.activeElement === e && !isSeen)
      found.push(`under something: ${e.outerHTML}`);
  }
  // 1.4.12: text that is spaced as its reader wants is not cut
  const spaced = new CSSStyleSheet();
  spaced.replaceSync("* { line-height: 1.5 !important; letter-spacing: 0.12em !important; "
    + "word-spacing: 0.16em !important } p { margin-bottom: 2em !important }");
  document.adoptedStyleSheets = [spaced];
  const spread = (e) => shown(e) && e.clientWidth > 1 && !e.closest("svg, .clip");
  for (const e of all("body *").filter(spread)) {
    const { overflowX, overflowY, display } = getComputedStyle(e);
    const isWide = e.scrollWidth > e.clientWidth + 1, isHigh = e.scrollHeight > e.clientHeight + 2;
    const isCut = (isWide && overflowX === "hidden") || (isHigh && overflowY === "hidden");
    if (display !== "inline" && (isCut || (isWide && e.matches("button, a.button"))))
      found.push(`cut: ${e.outerHTML.slice(0, 160)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push("spaced, it scrolls sideways");
  document.adoptedStyleSheets = [];
  return found;
})()"""
"""What axe does not look at, of WCAG 2.2 AA: structure, targets, focus, spacing of text."""


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

    async def push(self, url: str, said: dict[str, Any]) -> None:
        """The service worker of this address gets a message, as from a push service."""
        await self.call("ServiceWorker.enable")
        await self.call(
            "ServiceWorker.deliverPushMessage",
            origin=url,
            registrationId="0",
            data=json.dumps(said),
        )

    async def sign_in(self, url: str, token: str) -> None:
        await self.call("Network.setCookie", name="veille", value=token, url=url, httpOnly=True)


@contextmanager
def chromium(profile: Path) -> Iterator[str]:
    """Return the address of a fresh browser that is gone afterwards."""
    process = subprocess.Popen(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port_file, until = profile / "DevToolsActivePort", time.monotonic() + 30
        while not (port_file.exists() and port_file.read_text().strip()):
            assert time.monotonic() < until, "Chromium does not start"
            time.sleep(0.05)
        yield f"127.0.0.1:{port_file.read_text().split()[0]}"
    finally:
        process.terminate()
        process.wait()


@asynccontextmanager
async def first_tab(address: str) -> AsyncIterator[Tab]:
    """The tab that a browser opened with."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{address}/json/list") as answer:
            pages = [page for page in await answer.json() if page["type"] == "page"]
        async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            yield Tab(socket)


@asynccontextmanager
async def fresh_tab(address: str) -> AsyncIterator[Tab]:
    """A tab that shares nothing with others: no cookie, no storage, no service worker."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{address}/json/version") as answer:
            browser = (await answer.json())["webSocketDebuggerUrl"]
        async with session.ws_connect(browser, max_msg_size=0) as socket:
            whole = Tab(socket)
            made = await whole.call("Target.createBrowserContext", disposeOnDetach=True)
            tab = await whole.call("Target.createTarget", url="about:blank", **made)
            url = f"ws://{address}/devtools/page/{tab['targetId']}"
            async with session.ws_connect(url, max_msg_size=0) as opened:
                yield Tab(opened)


@pytest.fixture(scope="module")
def browser_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chromium(tmp_path_factory.mktemp("chromium") / "profile") as address:
        yield address


@pytest.fixture
async def tab(browser_address: str) -> AsyncIterator[Tab]:
    async with fresh_tab(browser_address) as opened:
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


async def test_what_narrows_a_search_stands_above_its_hits_on_a_phone_and_beside_them_on_a_desk(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    link = "document.querySelector('.narrowing a')"
    hits = "document.getElementById('hits').getBoundingClientRect()"
    await tab.look(390)
    await tab.open(town.url + "/search?q=eau")
    assert not await tab.run(f"{link}.checkVisibility()")
    await tab.run("document.querySelector('.narrowing summary').click()")
    assert await tab.run(f"{link}.getBoundingClientRect().bottom < {hits}.top")
    await tab.look(1440)
    await tab.open(town.url + "/search?q=eau")
    assert await tab.run(f"{link}.checkVisibility()")
    assert await tab.run(f"{link}.getBoundingClientRect().left > {hits}.right")


async def test_targets_are_44_px_and_the_keyboard_reaches_the_first_action(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.look(390)
    await tab.sign_in(town.url, token_of(camille))
    titles = set()
    for path in PAGES:
        await tab.open(town.url + path)
        small = await tab.run(
            "[...document.querySelectorAll('button, a.button, a.row, .menu a, input:not([type="
            "hidden], [type=checkbox]):not(.hidden), label:has([type=checkbox]), select, "
            "textarea, summary')].filter(e => e.checkVisibility()"
            " && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)"
        )
        assert small == [], path
        assert await tab.run(BEYOND_AXE) == [], path
        titles.add(await tab.run("document.title"))
    # three addresses are the same page with another search in it
    assert len(titles) >= len(PAGES) - 3
    await tab.open(town.url + "/")
    await tab.look(320)
    await tab.run("document.querySelector('.menu .count').firstChild.data = '1000'")
    end = "Math.max(...[...document.querySelectorAll('.menu a')].map(e => {}))"
    assert await tab.run(end.format("e.getBoundingClientRect().right")) <= 320
    order = []
    for _ in range(10):
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
    at = "location.search.startsWith('?done=take') && document.readyState === 'complete'"
    await tab.until(at)
    said = await tab.run("document.querySelector('[role=status]').textContent")
    assert "vous avez pris I1 en charge." in said


def open_incident(number: int, *, severity: str = "critical") -> Any:
    """Return a change that opens an incident like the town's first."""

    def change(db: Any) -> None:
        first = incidents.get(db, 1)
        fresh = replace(
            first,
            id=number,
            key=f"key-{number}",
            severity=type(first.severity)(severity),
            title="Coupure d'eau",
        )
        incidents.save(db, fresh, expected_version=None)

    return change


async def test_a_new_incident_is_announced_without_moving_the_page(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.look(390)
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/")
    before = await tab.run("document.querySelector('main').getBoundingClientRect().height")
    await town.store.write(open_incident(3))
    await tab.until("document.getElementById('live').textContent !== ''")
    assert await tab.run("document.getElementById('live').textContent") == "1 nouveauté. Actualiser"
    said = await tab.run("document.getElementById('alarm').textContent")
    assert plain(said) == "▲ Incident critique I3 : Coupure d'eau. Actualiser"
    assert (await tab.run("document.title")).startswith("(1) Maintenant")
    after = await tab.run("document.querySelector('main').getBoundingClientRect().height")
    assert after == before
    await tab.run("document.querySelector('#live a').click()")
    await tab.until("document.querySelectorAll('[data-live=I3]').length === 1")
    assert await tab.run("document.getElementById('live').textContent") == ""


async def test_what_waits_in_the_menu_stays_true_while_a_page_is_open(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/queue")
    count = "parseInt(document.querySelector('.menu a[href=\"/queue\"] .count').textContent)"
    assert await tab.run(count) == 2
    await tab.run("document.querySelector('.menu a[href=\"/queue\"]').focus()")
    deed = Deed(verb=Verb.MOVE, state=QueueState.CLOSED, reason="vu")
    await town.app[SITE].actions.do("Q2", deed, actor="Sacha", version=None)
    await tab.until(f"{count} === 1")
    assert await tab.run("document.activeElement.getAttribute('href')") == "/queue"
    assert "1 mention" in plain(await tab.run("document.getElementById('list').textContent"))
    said = "document.querySelector('[data-live=Q2] .left').textContent"
    assert (await tab.run(said)).startswith("N'est plus dans cette vue")
    text = "document.querySelector('[data-live=Q2] .clip').textContent"
    assert "Le marché" in await tab.run(text)
    await town.store.write(lambda db: db.execute("DELETE FROM queue WHERE id = 2"))  # erased
    await town.app[SITE].actions.do("Q1", Deed(verb=Verb.TAKE), actor="Sacha", version=None)
    await tab.until(f"{text} === 'Ce message n\\'est plus gardé.'")


# WCAG 2.2, 2.4.11: of what has the focus some part is seen
COVERED = """(() => {
    const all = document.querySelectorAll('main :is(a, button, input:not([type=hidden]), summary)');
    return [...all].filter((e) => e.checkVisibility()).filter((e) => {
        e.focus();
        const box = e.getBoundingClientRect();
        const [left, right] = [box.left + 3, box.right - 3];
        const corners = [box.top + 3, box.bottom - 3].flatMap((y) => [[left, y], [right, y]]);
        return !corners.some(([x, y]) => {
            const seen = document.elementFromPoint(x, y);
            return seen && (e.contains(seen) || seen.contains(e) || seen.closest('label'));
        });
    }).map((e) => e.outerHTML.slice(0, 90));
})()"""


async def test_a_list_is_worked_through_by_keys_and_nothing_covers_what_has_the_focus(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.look(320, height=568)
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/queue")
    await tab.press("j", 74, text="j")
    await tab.press("e", 69, text="e")
    await tab.until("location.search.includes('done=take')")
    await tab.until("document.activeElement.id === 'row-2'")  # the one after what was taken
    heard = "document.getElementById('heard').textContent"
    assert (await tab.run(heard)).endswith("vous avez pris Q1 en charge.")
    rows = "[...document.querySelectorAll('[data-row]')].map(e => e.dataset.live).join()"
    assert await tab.run(rows) == "Q1,Q2"
    await tab.press("x", 88, text="x")
    await tab.run("document.getElementById('live').append('2 nouveautés'); 0")
    assert await tab.run(COVERED) == []
    await tab.run("document.querySelector('.bulkbar button').click()")
    await tab.until("document.title.includes('aperçu')")
    assert await tab.run("location.pathname") == "/queue"  # a reload and "back" lead to the list
    await tab.run("document.querySelector('main form button.main').click()")
    await tab.until("location.search.includes('done=bulk')")
    await tab.run("history.back()")
    at = "location.search.includes('done=take') && document.readyState === 'complete'"
    await tab.until(f"{at} && document.querySelectorAll('[data-row]').length === 2")


async def test_what_is_known_already_changes_where_it_stands(
    town: Town, camille: Browser, sacha: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/")
    await tab.run("document.getElementById('see-I1').focus()")
    await sacha.submit(await sacha.get("/"), "/incidents/1/take")
    await tab.until("document.querySelector('[data-live=I1]').textContent.includes('Sacha')")
    assert await tab.run("document.activeElement.id") == "see-I1"
    assert await tab.run("document.querySelector('#take-I1') === null")
    heard = await tab.run("document.getElementById('live').textContent")
    assert heard.startswith("I1, ")
    assert " : Sacha l'a pris en charge " in plain(heard)


async def test_the_first_incident_of_a_calm_night_is_said_at_once(
    town: Town, camille: Browser, tab: Tab
) -> None:
    def calm(db: Any) -> None:
        for incident in incidents.unresolved(db):
            state = type(incident.state)("resolved")
            over = replace(incident, state=state, resolved_at=town.clock())
            incidents.save(db, over, expected_version=incident.version)

    await town.store.write(calm)
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/")
    assert await tab.run("document.querySelectorAll('[data-calm]').length") == 1
    await town.store.write(
        lambda db: incidents.save(
            db,
            replace(
                incidents.get(db, 1), id=9, key="k9", state=type(incidents.get(db, 1).state)("open")
            ),
            expected_version=None,
        )
    )
    await tab.until("document.querySelectorAll('[data-live=I9]').length === 1")
    assert "I9" in await tab.run("document.getElementById('alarm').textContent")


async def test_what_is_typed_is_kept_when_somebody_else_acts(
    town: Town, camille: Browser, sacha: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/incidents/1")
    await tab.run("const n = document.getElementById('note'); n.value = 'rappeler'; n.focus(); 0")
    await sacha.submit(await sacha.get("/incidents/1"), "/incidents/1/take")
    await tab.until("document.querySelector('[data-live=head]').textContent.includes('Sacha')")
    assert await tab.run("document.getElementById('note').value") == "rappeler"
    assert await tab.run("document.activeElement.id") == "note"


async def test_a_note_is_sent_without_a_reload_and_read_out(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/incidents/1")
    await tab.run("window.mark = 1; document.getElementById('note').value = 'CODIS joint'; 0")
    await tab.run("document.getElementById('note').form.requestSubmit()")
    await tab.until("document.querySelector('[data-live=timeline]').textContent.includes('CODIS')")
    await tab.until("document.activeElement.matches('.notice[role]')")
    assert await tab.run("window.mark") == 1
    assert "La note est dans la main courante." in await tab.run("document.activeElement.innerText")


async def test_a_page_that_is_cut_off_says_since_when(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/")
    await tab.call("Network.enable")
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    await tab.call("Network.emulateNetworkConditions", offline=True, **offline)
    await town.app[HUB].close(town.app)  # a stream that stands is not cut by the emulation
    await tab.until("document.getElementById('live').textContent !== ''")
    said = await tab.run("document.getElementById('live').textContent")
    assert plain(said) == "Hors ligne depuis 02:16 : cette page montre le dernier état connu."


async def test_a_session_that_is_over_is_said_on_the_page(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/")
    await camille.submit(await camille.get("/more"), "/logout")
    await tab.until("document.getElementById('live').textContent !== ''")
    said = await tab.run("document.getElementById('live').textContent")
    assert said == "Votre session est finie. Se reconnecter"


async def answer_of(tab: Tab, keys: str) -> str:
    """What is seen and heard after these single keys."""
    for key in keys:
        await tab.press(key, ord(key.upper()), text=key)
    return plain(await tab.run("document.getElementById('live').textContent"))


async def test_a_key_that_can_do_nothing_says_why(
    town: Town, camille: Browser, dominique: Browser, tab: Tab
) -> None:
    actions = town.app[SITE].actions
    await actions.do("Q1", Deed(verb=Verb.TAKE), actor="Camille", version=None)
    await actions.do("Q2", Deed(verb=Verb.MOVE, state=QueueState.CLOSED), actor="S", version=None)
    order = "state=taken&state=closed"
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(f"{town.url}/queue?{order}")
    for key in "eansrx":
        choose = f"Touche « {key} » : choisissez d'abord une ligne, avec j ou k."
        assert await answer_of(tab, key) == choose
    assert await answer_of(tab, "u") == "Il n'y a rien à annuler."
    assert await answer_of(tab, "f") == "Touche « f » : sans effet ici."
    said = [await answer_of(tab, keys) for keys in ("jk", "e", "e", "jj", "e", "a", "s")]
    reopen = "Q2 : rouvrez d'abord la mention (touche r)."
    assert said == [
        "Première ligne.", "Q1 : c'est déjà le vôtre.", "Q1 : c'est déjà le vôtre.",
        "Dernière ligne.", "Q2 : clos · S.", reopen, reopen,
    ]  # fmt: skip
    await tab.open(town.url + "/queue/2")
    assert [await answer_of(tab, key) for key in "eas"] == ["Q2 : clos · S.", reopen, reopen]
    await tab.open(town.url + "/search?q=voiture")
    assert await answer_of(tab, "jf") == "Déjà dans la file : la touche o l'ouvre."
    await tab.sign_in(town.url, token_of(dominique))
    await tab.open(f"{town.url}/queue?{order}")
    refused = "Votre rôle permet de lire"
    assert [key for key in "eansrxuf" if refused not in await answer_of(tab, key)] == []


async def test_keys_move_act_and_explain_themselves_but_not_while_typing(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/")
    await tab.press("j", 74, text="j")
    await tab.press("j", 74, text="j")
    assert await tab.run("document.activeElement.closest('[data-row]').dataset.live") == "I2"
    await tab.press("k", 75, text="k")
    assert await tab.run("document.activeElement.closest('[data-row]').dataset.live") == "I1"
    await tab.press("?", 63, text="?")
    await tab.press("?", 63, text="?")
    await tab.until("document.querySelector('dialog[open]') !== null")
    behind = "new KeyboardEvent('keydown', { key: 'j', bubbles: true, cancelable: true })"
    assert await tab.run(f"document.body.dispatchEvent({behind})")  # nobody took it
    assert "Prendre en charge" in await tab.run("document.querySelector('dialog').innerText")
    assert await violations(tab) == []
    await tab.press("Escape", 27)
    await tab.until("document.querySelector('dialog') === null")
    await tab.press("e", 69, text="e")
    await tab.until("location.pathname === '/incidents/1' && document.readyState === 'complete'")
    taken = await town.store.read(lambda db: incidents.get(db, 1))
    assert taken.acknowledged_by == "Camille"
    assert await answer_of(tab, "e") == "I1 : c'est déjà le vôtre."
    await tab.press("n", 78, text="n")
    assert await tab.run("document.activeElement.id") == "note"
    for key in "ej?":
        await tab.press(key, ord(key.upper()), text=key)
    assert await tab.run("document.getElementById('note').value") == "ej?"
    assert await tab.run("document.querySelector('dialog') === null")


ACTING = """(() => {
  const acting = new Set(), stop = (event) => event.preventDefault();
  for (const name of ["click", "submit"]) addEventListener(name, stop, { capture: true });
  navigation.addEventListener("navigate", (event) => event.cancelable && event.preventDefault());
  const scenes = [document.body, ...document.querySelectorAll("[data-row]")];
  for (const key of "abcdefghijklmnopqrstuvwxyz/?") {
    for (const scene of scenes) {
      document.activeElement.blur();
      scene.querySelector?.(":scope a[href], :scope button") && scene !== document.body
        && scene.querySelector("a[href], button").focus();
      const press = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
      (document.activeElement ?? document.body).dispatchEvent(press);
      if (press.defaultPrevented) acting.add(key);
    }
  }
  return [...acting].sort().join("");
})()"""
"""Which keys do something here, pressed on the page and in each row; nothing comes of it."""


async def test_a_page_lists_exactly_the_keys_that_work_on_it(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    lists = set()
    for path in PAGES:
        await tab.open(town.url + path)
        await tab.run("document.querySelector('a.sign[data-key]').click()")
        await tab.until("document.querySelector('dialog[open]') !== null")
        keys = "[...document.querySelectorAll('dialog kbd')].map((e) => e.textContent)"
        listed = await tab.run(f"{keys}.sort().join('')")
        await tab.run("document.querySelector('dialog').close()")
        assert listed == await tab.run(ACTING), path
        lists.add(listed)
    assert len(lists) >= 3  # not the same everywhere


async def test_keys_are_switched_off(town: Town, camille: Browser, tab: Tab) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/account")
    await tab.run("document.querySelector('[name=keys]').click()")
    await tab.until("document.body.innerText.includes('Les raccourcis sont coupés')")
    assert await tab.run("location.pathname") == "/account"
    await tab.open(town.url + "/")
    await tab.press("j", 74, text="j")
    assert await tab.run("document.activeElement === document.body")


async def test_what_was_refused_has_the_focus_and_names_its_field(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/silences")
    await send(tab, "/silences/preview", match="watch", reason="exercice")
    assert await tab.run("document.activeElement.id") == "problem"
    assert (await tab.run("document.title")).startswith("Erreur · Silences")
    about = "document.querySelector('[aria-invalid]')"
    assert await tab.run(f"{about}.id") == "match"
    assert await tab.run(f"{about}.getAttribute('aria-describedby')") == "problem match-help"
    assert await tab.run("document.getElementById('reason').value") == "exercice"


async def test_a_session_that_sleeps_says_so_in_time_and_goes_on_at_one_press(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/queue/1")
    later = "const at = Date.now; Date.now = () => at() + {} * 60000;"
    doze = "document.dispatchEvent(new Event('visibilitychange')); 0"
    said = "document.getElementById('doze').textContent"
    await tab.run(f"{{{later.format(27)} {doze}}}")
    assert await tab.run(said) == ""
    await tab.run("document.getElementById('note').focus()")
    await tab.run(f"{{{later.format(1.5)} {doze}}}")
    assert "déconnecté dans deux minutes" in await tab.run(said)
    town.clock.advance(minutes=29)
    await tab.run("{ const b = document.querySelector('#doze button'); b.focus(); b.click(); }")
    await tab.until(f"{said} === 'Vous restez connecté.'")
    assert await tab.run("document.activeElement.id") == "note"
    town.clock.advance(minutes=29)
    assert (await camille.get("/queue", follow=False)).status == 200


async def test_a_theme_is_chosen_and_stands_before_the_first_paint(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.look(390, scheme="light")
    await tab.open(town.url + "/more")
    await tab.run("document.querySelector('button[name=theme][value=dark]').click()")
    await tab.until("document.documentElement.dataset.theme === 'dark'")
    await tab.open(town.url + "/")
    paper = await tab.run("getComputedStyle(document.documentElement).backgroundColor")
    assert paper == "rgb(20, 23, 27)"
    assert await violations(tab) == []


async def test_no_page_breaks_the_content_security_policy(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.call(
        "Page.addScriptToEvaluateOnNewDocument",
        source="window.broken = []; addEventListener('securitypolicyviolation', "
        "e => window.broken.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sourceFile));",
    )
    await tab.call("Page.enable")
    await tab.open(town.url + "/login")
    assert await tab.run("window.broken") == []
    await tab.sign_in(town.url, token_of(camille))
    for path in PAGES:
        await tab.open(town.url + path)
        needs = "document.body.className !== 'has-menu' || typeof window.htmx === 'object'"
        assert await tab.run(needs), path
        assert await tab.run("window.broken") == [], path


async def test_pages_hold_at_200_percent_text_and_in_print(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    for path in PAGES:
        await tab.look(390)
        await tab.open(town.url + path)
        await tab.run("document.documentElement.style.fontSize = '200%'; 0")
        wide = "document.documentElement.scrollWidth <= 390"
        assert await tab.run(wide), path
        await tab.call("Emulation.setEmulatedMedia", media="print")
        wanted = ".menu, .dock, form:not(#bulk), #bulk :is(input, button)"
        parts = f"[...document.querySelectorAll('{wanted}')]"
        shown = parts + ".some(e => e.checkVisibility())"
        assert not await tab.run(shown), path
        rows = "[...document.querySelectorAll('main [data-row]')].every(e => e.checkVisibility())"
        assert await tab.run(rows), path
        await tab.call("Emulation.setEmulatedMedia", media="")


async def test_of_many_messages_a_phone_shows_a_few_and_an_anchor_and_paper_the_rest(
    town: Town, camille: Browser, tab: Tab
) -> None:
    def heard(db: Db) -> None:
        db.execute(
            """INSERT INTO mentions (key, source, watches, kind, text, created_at, received_at,
                content_hash, media, metrics, own, masked, state)
            SELECT 'more' || value, source, watches, kind, value || ' : ' || text,
                created_at + value, received_at, value, media, metrics, own, masked, state
            FROM mentions, json_each(?) WHERE mentions.key = ?""",
            (json.dumps(list(range(71))), town.keys[0]),
        )
        incidents.add_evidence(db, 1, [f"more{number}" for number in range(71)])

    await town.store.write(heard)
    await tab.look(390)
    await tab.sign_in(town.url, token_of(camille))
    await tab.call("Emulation.setScriptExecutionDisabled", value=True)
    await tab.open(town.url + "/incidents/1")
    shown = "[...document.querySelectorAll('.quotes > li')].filter((e) => e.checkVisibility())"
    quoted = await tab.run("document.querySelectorAll('.quotes > li').length")
    assert 3 <= await tab.run(f"{shown}.length") <= 6 < quoted
    assert await tab.run("document.documentElement.scrollHeight") < 5 * 1400
    folded = await tab.run("document.querySelector('#rest li').id")
    await tab.open(f"{town.url}/incidents/1#{folded}")
    await tab.until(f"document.getElementById('{folded}').checkVisibility()")
    await tab.open(town.url + "/incidents/1")
    await tab.call("Emulation.setEmulatedMedia", media="print")
    assert await tab.run(f"{shown}.length") == quoted
    lines = "[...document.querySelectorAll('.timeline > li')].every((e) => e.checkVisibility())"
    assert await tab.run(lines)


async def test_what_is_chosen_is_counted_and_the_keyboard_does_it_all(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.look(1440)
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/queue")
    await tab.press("j", 74, text="j")
    await tab.press("x", 88, text="x")
    said = "document.getElementById('picked').textContent"
    await tab.until(f"{said} === '1\u00a0mention choisie'")
    await tab.run("document.getElementById('pick-all').click()")
    await tab.until(f"{said} === '2\u00a0mentions choisies'")
    await tab.run("document.getElementById('row-1').focus()")
    await tab.press("e", 69, text="e")
    await tab.until("location.search.includes('done=take') && document.readyState=='complete'")
    assert "Vous pouvez annuler" in await tab.run("document.getElementById('undo').textContent")
    await tab.until("document.activeElement.id === 'row-2'")
    await tab.press("u", 85, text="u")
    await tab.until("location.search.endsWith('done=undone')")
    await tab.until("document.activeElement.id === 'row-2'")
    await tab.run("document.querySelector('#takes [name=csrf]').value = 'x'")
    await tab.press("k", 75, text="k")
    await tab.press("e", 69, text="e")
    await tab.until("document.querySelector('h1').textContent === 'Action refusée'")
    assert await tab.run("location.pathname") == "/queue"  # what a reload asks for
    found = await town.store.read(lambda db: queue.get(db, 1))
    assert found.assignee is None


async def test_an_offer_to_undo_goes_with_its_seconds(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await camille.submit(await camille.get("/queue/1"), "/queue/1/take")
    town.clock.advance(seconds=8)
    await tab.open(town.url + "/queue/1?done=take&undo=1")
    assert await tab.run("document.getElementById('undo').dataset.undo") == "2"
    await tab.until("document.getElementById('undo') === null")


async def test_colleagues_come_go_and_write_as_it_happens(
    town: Town, camille: Browser, sacha: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/queue/1")
    said = "document.getElementById('presence').textContent"
    assert await tab.run(said) == ""
    page = await sacha.get("/queue/1")
    await tab.until(f"{said} === 'Sacha regarde'")
    fields = {"csrf": page.field("csrf")}
    await sacha.post("/presence/Q1", {**fields, "writing": "1"})
    await tab.until(f"{said} === 'Sacha écrit'")
    await sacha.post("/presence/Q1", {**fields, "left": "1"})
    await tab.until(f"{said} === ''")
    await tab.run("document.getElementById('note').focus()")
    await tab.call("Input.insertText", text="Je vérifie")
    async with asyncio.timeout(15):
        while (await sacha.post("/presence/Q1", fields)).text != "Camille écrit":
            await asyncio.sleep(0.05)


CUT = """window.cut = 0; window.whole = window.fetch; window.fetch = (path, how) =>
    path.startsWith(%r) && !window.cut++
    ? Promise.resolve(new Response(new ReadableStream({ start(body) { body.error(); } })))
    : window.whole(path, how); 0"""
"""The first answer of an address begins well and breaks off."""


async def test_a_row_that_changes_stays_in_its_place_and_a_new_one_is_announced(
    town: Town, camille: Browser, sacha: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/queue")
    rows = "[...document.querySelectorAll('[data-row]')].map(e => e.dataset.live).join()"
    assert await tab.run(rows) == "Q1,Q2"
    await tab.run(CUT % "/queue")
    await sacha.submit(await sacha.get("/queue/1"), "/queue/1/note", text="vu")
    await tab.until("window.cut > 0")
    await sacha.submit(await sacha.get("/queue/2"), "/queue/2/take")
    await tab.until("document.querySelector('[data-live=Q2]').textContent.includes('Sacha')")
    # who reads it is told, not only shown (WCAG 2.2, 4.1.3)
    heard = await tab.run("document.getElementById('live').textContent")
    assert plain(heard) == "Q2 : pris en charge · Sacha."
    flagged = Flag(key=f"{2:032x}", rule="r", severity=Severity.CRITICAL, at=town.clock.now)
    await town.store.write(lambda db: queue.flag(db, [flagged]))
    both = f"{heard} 1 nouveauté. Actualiser"
    await tab.until(f"document.getElementById('live').textContent === '{both}'")
    await tab.run("document.body.dispatchEvent(new Event('pointerdown', {bubbles: true}))")
    assert await tab.run("document.getElementById('live').textContent") == "1 nouveauté. Actualiser"
    assert await tab.run(rows) == "Q1,Q2"


WRITTEN = "Une dame est coinc"
KEPT = "caches.match('/').then((answer) => answer?.text())"


async def test_an_erased_text_leaves_every_page_that_lies_open_and_moves_nothing(
    town: Town, camille: Browser, sacha: Browser, browser_address: str
) -> None:
    paths = {"/": camille, "/queue": camille, "original": sacha}
    text = "document.body.textContent"
    row = "document.querySelector('[data-live=Q2]')?.getBoundingClientRect().top"
    async with AsyncExitStack() as stack:
        tabs = {}
        for path, browser in paths.items():
            tab = tabs[path] = await stack.enter_async_context(fresh_tab(browser_address))
            await tab.look(390)
            await tab.sign_in(town.url, token_of(browser))
            await tab.open(town.url + ("/queue/1" if path == "original" else path))
            if path == "original":
                await tab.run("document.querySelector('[action$=original]').submit()")
                await tab.until("document.body.textContent.includes('06 00 00 00 00')")
            else:
                assert WRITTEN in await tab.run(text), path
        stood = await tabs["/queue"].run(row)
        # more streams than a session has: the oldest page of it rests
        streams = "for (const one of 'abc') new EventSource('/live?since=I9.000000000000'); 0"
        await tabs["/"].run(streams)
        said = "document.getElementById('live').textContent"
        await tabs["/"].until(f"{said}.includes('ne se met plus à jour')")
        hasty = "const wait = setTimeout; window.setTimeout = (act, ms) => wait(act, ms / 50); 0"
        await tabs["/queue"].run(hasty)
        await tabs["/queue"].run(CUT % "/live/gone")
        now = town.clock()
        await town.store.write(
            lambda db: mentions.delete(db, town.keys[:1], cause=mentions.ERASED, now=now)
        )
        # as another page of the same browser does; these share nothing
        await tabs["/"].run("new BroadcastChannel('veille-gone').postMessage(''); 0")
        for path, tab in tabs.items():
            await tab.until(f"{said}.includes('a été effacé')")
            await tab.until(f"!{text}.includes({WRITTEN!r})")
            assert "06 00 00 00 00" not in await tab.run(text), path
            assert await tab.run("sessionStorage.getItem('htmx-history-cache')") is None
        assert await tabs["/queue"].run(row) == stood
        gone = "document.querySelector('[data-live=Q1] .clip').textContent"
        await tabs["/queue"].until(f"{gone} === 'Ce message n\\'est plus gardé.'")
        assert await tabs["/queue"].run(row) == stood, "nor when the page has read itself again"


async def test_buttons_of_a_mention_act_without_a_reload_each_its_own_way(
    town: Town, camille: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/queue/1")
    await tab.run("window.stays = 1")
    await tab.run("document.querySelector('form[action$=snooze] button').click()")
    # the seconds run once the page has settled
    counting = "document.querySelector('#undo .seconds')?.textContent"
    await tab.until(f"document.body.textContent.includes('est reportée') && {counting}")
    await tab.run("document.querySelector('[formaction$=unsnooze]').click()")
    await tab.until("document.body.textContent.includes('plus reportée')")
    await tab.until(counting)
    assert await tab.run("window.stays") == 1
    found = await town.store.read(lambda db: queue.get(db, 1))
    assert found.snoozed_until is None


async def test_what_was_chosen_in_a_list_is_kept_when_somebody_else_acts(
    town: Town, camille: Browser, sacha: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(camille))
    await tab.open(town.url + "/queue/1")
    await tab.run("document.getElementById('state').value = 'out_of_scope'")
    await sacha.submit(await sacha.get("/queue/1"), "/queue/1/take")
    await tab.until("document.querySelector('[data-live=head]').textContent.includes('Sacha')")
    assert await tab.run("document.getElementById('state').value") == "out_of_scope"
    await tab.run("document.querySelector('form[action$=move] button').click()")
    await tab.until('document.body.textContent.includes("Sacha l\'a pris en charge")')
    found = await town.store.read(lambda db: queue.get(db, 1))
    assert (found.state, found.assignee) == ("taken", "Sacha")


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


async def test_the_ledger_reads_well_with_something_in_it(
    town: Town, camille: Browser, tab: Tab
) -> None:
    actions, clock = town.app[SITE].actions, Clock(town.store, usual(ZoneInfo("Europe/Paris")))
    for item in ("Q1", "Q2"):
        await actions.correct(item, labels={"intent": "question"}, actor="Camille")
    closed = Deed(verb=Verb.MOVE, state=QueueState.CLOSED, reason="vue au guichet")
    await actions.do("Q2", closed, actor="Camille")
    while await clock.step(town.clock.now):
        pass
    await tab.sign_in(town.url, token_of(camille))
    for width, scheme in ((320, "light"), (390, "dark"), (1440, "light"), (1440, "dark")):
        await tab.look(width, scheme=scheme)
        await tab.open(town.url + "/ledger")
        assert await violations(tab) == [], (width, scheme)
        assert await tab.run("document.documentElement.scrollWidth") <= width
        assert await tab.run("document.querySelectorAll('[data-row]').length") == 2
        if folder := os.environ.get("VEILLE_SHOTS"):
            await tab.shoot(Path(folder) / f"ledger-full-{width}-{scheme}.png")


async def read_well(tab: Tab, name: str) -> None:
    """The page on show is fine on a narrow phone and a desk, light and dark."""
    for width, scheme in ((320, "light"), (390, "dark"), (1440, "light"), (1440, "dark")):
        await tab.look(width, scheme=scheme)
        assert await violations(tab) == [], (name, width, scheme)
        assert await tab.run("document.documentElement.scrollWidth") <= width, (name, width)
        if folder := os.environ.get("VEILLE_SHOTS"):
            await tab.shoot(Path(folder) / f"{name}-{width}-{scheme}.png")


async def send(tab: Tab, action: str, **fields: str) -> None:
    """Fill in a form of the page and press its button; until the next page is there."""
    for field, value in fields.items():
        at = f"form[action='{action}'] [name='{field}']"
        await tab.run(f"document.querySelector({at!r}).value = {value!r}")
    await tab.run("window.before = true")
    await tab.run(f"document.querySelector(\"form[action='{action}'] button\").click()")
    await tab.until("!window.before && document.readyState === 'complete'")


async def test_accounts_and_a_second_factor_read_well(town: Town, sacha: Browser, tab: Tab) -> None:
    await tab.sign_in(town.url, token_of(sacha))
    await tab.open(town.url + "/users")
    await tab.run("document.querySelector('summary').click()")
    await read_well(tab, "users")
    await send(tab, "/users/add", user="Noor")
    await read_well(tab, "users-sure")
    await send(tab, "/users/add", current=PASSWORD)
    await read_well(tab, "users-added")
    await tab.open(town.url + "/account/tokens")
    await send(tab, "/account/tokens/add", name="Tableau de bord", current=PASSWORD)
    await read_well(tab, "tokens-made")
    await tab.open(town.url + "/account/factor")
    await send(tab, "/account/factor/propose", current=PASSWORD)
    await read_well(tab, "factor-scan")
    written = await tab.run("document.querySelector('p code').textContent")
    secret = b32decode(written.replace(" ", ""))
    step = int(town.clock.now.timestamp()) // 30
    await send(tab, "/account/factor/confirm", code=code_at(secret, step))
    await read_well(tab, "factor-codes")
    await tab.open(town.url + "/account/factor")
    await read_well(tab, "factor-on")
    await tab.open(town.url + "/account")
    await send(tab, "/logout")
    await send(tab, "/login", name="Sacha", password=PASSWORD)
    await read_well(tab, "login-code")
    town.clock.advance(seconds=30)
    await send(tab, "/login/code", code=code_at(secret, step + 1))
    assert await tab.run("location.pathname") == "/"


@dataclass(frozen=True)
class Named:
    """A provider that nobody asks."""

    name: str = "ProConnect"
    opens_accounts: bool = False


async def test_the_audit_trail_reads_well(town: Town, sacha: Browser, tab: Tab) -> None:
    await sacha.submit(await sacha.get("/queue/2"), "/queue/2/take")
    await tab.sign_in(town.url, token_of(sacha))
    await tab.open(town.url + "/audit?since=2026-01-01")
    await read_well(tab, "audit")


async def test_a_change_of_who_is_on_call_is_looked_at_and_counts(
    town: Town, sacha: Browser, tab: Tab
) -> None:
    await tab.sign_in(town.url, token_of(sacha))
    await tab.open(town.url + "/on-call")
    await send(tab, "/on-call/preview", person="Noor", until="2026-01-20T12:00")
    await read_well(tab, "on-call-preview")
    await send(tab, "/on-call/change")
    assert "Noor Benali" in await tab.run("document.querySelector('.facts').textContent")


@pytest.mark.parametrize("provider", [Named()])
async def test_the_way_in_by_a_provider_reads_well(town: Town, tab: Tab, provider: Named) -> None:
    now = town.clock()
    token = await town.store.write(lambda db: users.invite(db, "Camille", now))
    await tab.open(town.url + "/login")
    await read_well(tab, "login-provider")
    await tab.open(f"{town.url}/invitations/{token}")
    await read_well(tab, "invitation")
    await tab.open(town.url + "/login/provider/back?state=x")
    await read_well(tab, "login-refused")


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


class Cable:
    """The way to the town, that can be cut: as a phone in a cellar."""

    def __init__(self, url: str) -> None:
        self._port = int(url.rpartition(":")[2])
        self._ends: set[asyncio.StreamWriter] = set()
        self.is_cut = False

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        there = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends |= {writer, there[1]}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pipe(reader, there[1]))
            group.create_task(self._pipe(there[0], writer))

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    def cut(self) -> None:
        self.is_cut = True
        for end in self._ends:
            end.transport.abort()


@pytest.fixture
async def cable(town: Town) -> AsyncIterator[tuple[Cable, str]]:
    cable = Cable(town.url)
    server = await asyncio.start_server(cable.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield cable, f"http://127.0.0.1:{port}"
    server.close()
    cable.cut()


class TestInstalled:
    """On a home screen: with a service worker, notifications, and sometimes no net."""

    @pytest.fixture
    async def tab(self, tmp_path: Path) -> AsyncIterator[Tab]:
        """The only tab of a browser: in one that shares nothing nothing is installed."""
        with chromium(tmp_path / "profile") as address:
            async with first_tab(address) as opened:
                yield opened

    @pytest.fixture
    def push_desk(self) -> PushDesk | None:
        return PushDesk(
            public_key=public_key(new_key()),
            receiver="telephones",
            sealing_key=push_key(b"x" * 16),
            hosts=("push.example",),
        )

    async def test_a_phone_may_install_it(self, town: Town, camille: Browser, tab: Tab) -> None:
        await tab.sign_in(town.url, token_of(camille))
        await tab.open(town.url + "/")
        manifest = await tab.call("Page.getAppManifest")
        assert manifest["errors"] == []
        assert manifest["url"] == town.url + "/manifest.webmanifest"
        assert (await tab.call("Page.getInstallabilityErrors"))["installabilityErrors"] == []
        scope = await tab.run("navigator.serviceWorker.ready.then((found) => found.scope)")
        assert scope == town.url + "/"
        await tab.until("caches.keys().then((names) => names.length === 1)")
        kept = await tab.run(
            "caches.keys().then(([name]) => caches.open(name)).then((cache) => cache.keys())"
            ".then((all) => all.map((one) => new URL(one.url).pathname))"
        )
        assert "/offline" in kept
        assert all(path == "/offline" or path.startswith("/static/") for path in kept)

    async def test_the_account_page_offers_notifications_and_reads_well(
        self, town: Town, camille: Browser, tab: Tab
    ) -> None:
        await town.store.write(
            lambda db: push.add(
                db,
                user="Camille",
                mark="m",
                sealed=b"s",
                name="Firefox · Android",
                known="",
                now=town.clock.now,
            )
        )
        await tab.sign_in(town.url, token_of(camille))
        for width, scheme in ((320, "light"), (390, "dark"), (1440, "light"), (1440, "dark")):
            for path in ("/account", "/offline"):
                await tab.look(width, scheme=scheme)
                await tab.open(town.url + path)
                assert await violations(tab) == [], (path, width, scheme)
                assert await tab.run("document.documentElement.scrollWidth") <= width
                if folder := os.environ.get("VEILLE_SHOTS"):
                    await tab.shoot(Path(folder) / f"push{path[1:]}-{width}-{scheme}.png")
        await tab.open(town.url + "/account")
        await tab.until("!document.querySelector('#push-add button').disabled")
        assert await tab.run("Notification.permission") in {"default", "denied"}

    async def test_a_message_becomes_a_notification_of_its_incident(
        self, town: Town, camille: Browser, tab: Tab
    ) -> None:
        await tab.call("Browser.grantPermissions", permissions=["notifications"], origin=town.url)
        await tab.sign_in(town.url, token_of(camille))
        await tab.open(town.url + "/")
        await tab.run("navigator.serviceWorker.ready.then(() => 0)")
        said = {
            "title": "▲ Critique · Inondation", "body": "I1 · Lons", "tag": "I1",
            "path": "/incidents/1", "take": "/l/abc", "take_text": "Prendre en charge",
            "open_text": "Voir", "rings": True, "stays": True, "lang": "fr",
        }  # fmt: skip
        await tab.push(town.url, said)
        all_shown = "navigator.serviceWorker.ready.then((found) => found.getNotifications())"
        await tab.until(f"{all_shown}.then((all) => all.length === 1)")
        await tab.push(town.url, {**said, "body": "I1 · Lons · pris en charge", "rings": False})
        await tab.until(f"{all_shown}.then(([one]) => one.silent)")
        shown = await tab.run(
            f"{all_shown}.then((all) => all.map((one) => [one.title, one.body, one.tag, one.silent,"
            " one.data.take, one.actions.map((each) => each.title).join()]))"
        )
        actions = "Prendre en charge,Voir"
        assert shown == [
            [said["title"], "I1 · Lons · pris en charge", "I1", True, "/l/abc", actions]
        ]

    async def test_without_net_a_page_says_so_and_shows_nothing_of_anybody(
        self, town: Town, camille: Browser, tab: Tab, cable: tuple[Cable, str]
    ) -> None:
        line, url = cable
        await tab.sign_in(url, token_of(camille))
        await tab.open(url + "/")
        await tab.until("navigator.serviceWorker.controller !== null")
        line.cut()
        for path in ("/", "/queue"):
            await tab.open(url + path)
            text = await tab.run("document.querySelector('main').textContent")
            assert "Hors ligne" in text
            assert "Inondation" not in text
            styled = await tab.run("getComputedStyle(document.querySelector('.top')).display")
            assert styled == "flex"

    async def test_the_last_state_is_shown_where_asked_for_until_its_time_and_the_logout(
        self, town: Town, camille: Browser, tab: Tab, cable: tuple[Cable, str]
    ) -> None:
        town.clock.now = utc_now()  # the browser has no other clock
        await camille.sign_in("Camille")
        line, url = cable
        await tab.sign_in(url, token_of(camille))
        await tab.open(url + "/account")
        await tab.until("navigator.serviceWorker.controller !== null")
        await tab.run("document.querySelector('[action$=offline] button').click()")
        await tab.until("location.search === '?done=kept' && document.readyState === 'complete'")
        await tab.open(url + "/")
        await tab.until("caches.has('veille-last')")
        assert WRITTEN in await tab.run(KEPT)
        await town.store.write(
            lambda db: mentions.delete(db, town.keys[:1], cause=mentions.ERASED, now=utc_now())
        )
        await tab.until(f"{KEPT}.then((page) => page && !page.includes({WRITTEN!r}))")
        line.cut()
        await tab.open(url + "/")
        assert "Inondation" in await tab.run("document.querySelector('main').textContent")
        await tab.until("document.getElementById('live').textContent.includes('ors ligne')")
        await tab.open(url + "/queue")
        assert "Hors ligne" in await tab.run("document.querySelector('main').textContent")
        line.is_cut = False
        await tab.open(url + "/")
        await tab.run("document.querySelector('[action=\"/logout\"] button').click()")
        await tab.until("location.pathname === '/login'")
        assert await tab.run("caches.keys()") == []
