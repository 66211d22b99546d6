"""Mentions that attack, through the real program: harmless wherever they are read; every link."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import unicodedata
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import argon2
import pytest
import pytest_asyncio
from click.testing import CliRunner
from defusedxml import ElementTree

from servers.browser import CHROMIUM, PHONE, Browsers, Person
from servers.crawl import Answer, Crawler, Page, kind_of
from servers.push import Handset, PushService
from servers.town import CONFIG, SECRET, Daemon, FeedServer, World, free_port
from veille.cli.root import root
from veille.demo.mail import MailStandIn
from veille.demo.slack import SlackStandIn
from veille.domain.access import Role
from veille.domain.clock import utc_now
from veille.domain.incident import QueueState
from veille.net import webpush
from veille.store import incidents, outbox, queue, users, work
from veille.store.engine import Db
from veille.store.users import Proof
from veille.web.sessions import Opening, open_session

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM: hostile mentions were not shown"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]
PASSWORD = "une rivière en crue 1910"
WEIGHT = 150_000
MENTION = {"/queue/N?", "/queue/N/why?", "/queue/N/whynot?"}
CALL = "Au secours à Saint-Aubin, l'eau monte rue du Lavoir, nous sommes coincés à l'étage"
ATTACKS = {
    "script": "<script>window.owned=1</script><img src=x onerror=window.owned=1>"
    "<svg/onload=window.owned=1></textarea></title><iframe srcdoc='<script>owned=1</script>'>",
    "quotes": '" autofocus onfocus="window.owned=1" x=\' onmouseover=\'owned=1',
    "address": "javascript:window.owned=1 data:text/html,<script>owned=1</script> "
    "https://evil.example/a?x=<b>",
    "bidi": "\u202egpj.exe\u202c \u2066caché\u2069 \u200fdroite",
    "zero": "l'e\u200bau mon\u2060te \ufeffici\u00ad",
    "emoji": "😱" * 100_000,
    "nul": "avant\x00après \x07 \x1b[31mrouge\x1b[0m \x1b]8;;https://evil.example\x07lien"
    "\x1b]8;;\x07 \x9b2J",
    "surrogate": "\ud83d seul \udc00",
    "template": "{{7*7}} ${7*7} {% raw %}{%for x in y%} #{7*7} <%= 7*7 %> {0.__class__} %(x)s",
    "slack": "<!channel> <!here> <@U0ASTREINTE> <https://evil.example|cliquez> *gras* "
    "&lt;!channel&gt;",
    "marks": "Z̵̢͎a̴̡l̸g̷o " + "a" + "\u0301" * 500,
    "arabic": "النجدة في سان أوبان",
    "header": "\r\nBcc: victime@evil.example\r\n\r\n<h1>x</h1>",
    "feed": "]]><entry><title>faux</title></entry><!--",
}
FORMULAS = ("=cmd|' /C calc'!A0 ", "+1+1 ", "@SUM(1) ", "-2+3 ", "\t=1 ", "＝1+1 ")
NAME = "ن\u202e<b onclick=owned=1>Jean\r\nBcc: x@evil.example\x1b[31m"
# What acts unseen: C0 and C1 controls, bidi marks, zero widths that join nothing, lone surrogates.
UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
PUSH = """
[push]
contact = "mailto:dsi@mairie.example"
allow_hosts = ["127.0.0.1"]
allow_private = true

[[receiver]]
id = "telephones"
kind = "push"
to = ["editor"]

[[person]]
id = "editor"
receivers = ["courriel"]

[[schedule]]
id = "semaine"
[[schedule.layers]]
people = ["editor"]
start = 2026-01-05
"""


def attack(number: int, text: str, *, source: str) -> dict[str, object]:
    """Return a mention each of whose fields attacks."""
    return {
        "source": source,
        "id": f'{number}"><script>owned=1</script>{{{{7*7}}}}\u202e',
        "text": text,
        "created_at": datetime.now(UTC).isoformat(),
        "author": {"id": f"<b onclick=owned=1>{number}", "name": NAME, "role": "<script>owned=1"},
        "url": ["javascript:window.owned=1", "data:text/html,<script>owned=1</script>",
                "https://evil.example/\r\nSet-Cookie:x=1"][number % 3],
        "media": [{"type": "image", "url": "javascript:owned=1", "alt": "<img onerror=owned=1>"}],
        "lang": 'fr" onload="owned=1',
    }  # fmt: skip


def lines() -> list[bytes]:
    """Return what is sent, with lone surrogates and NUL as JSON writes them."""
    texts = [f"{CALL} {attack}" for attack in ATTACKS.values()]
    texts += [f"{formula}{CALL}" for formula in FORMULAS]
    texts.append(f"{CALL} " + "crue " * 1_000_000)
    return [
        json.dumps(attack(n, text, source="formulaire")).encode() for n, text in enumerate(texts)
    ]


@dataclass
class Siege:
    """A town hall under attack, a session for each role, and a phone that is notified."""

    world: World
    browsers: Browsers
    handset: Handset
    sessions: dict[str, str] = field(default_factory=dict)
    walks: dict[Role, tuple[str, dict[str, Answer]]] = field(default_factory=dict)

    def client(self, role: Role) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(cookies={"veille": self.sessions[role]})

    async def walked(self, role: Role) -> tuple[str, dict[str, Answer]]:
        """Return a session of this role and all that its links lead to; each role walks once."""
        if role not in self.walks:
            async with self.client(role) as client:
                thorough = role is Role.ADMIN  # who finds all that the others find
                crawler = Crawler(client, self.world.daemon.url, thorough=thorough)
                await crawler.walk()
                self.walks[role] = self.sessions[role], crawler.seen
        return self.walks[role]

    async def person(self, role: Role, **options: Any) -> Person:
        """Return a browser in which this role is signed in."""
        url = self.world.daemon.url
        person = await self.browsers.person(url, **options)
        await person.context.add_cookies(
            [{"name": "veille", "value": self.sessions[role], "url": url}]
        )
        return person

    async def run(self, *args: str) -> str:
        """Return what a command prints about this town hall."""
        config = str(self.world.daemon.folder / "config.toml")
        done = await asyncio.to_thread(CliRunner().invoke, root, [*args, "--config", config])
        assert done.exit_code == 0, done.output
        return done.output


def _staffed(db: Db) -> dict[str, str]:
    """One person a role is at work: return the session of each."""
    hashed = argon2.PasswordHasher(time_cost=1, memory_cost=64).hash(PASSWORD)
    now, opened = utc_now(), Opening(proof=Proof.PASSWORD, device="Chromium")
    found = {}
    for role in Role:
        user = users.add(db, name=role.value, password_hash=hashed, role=role, now=now)
        users.set_password(db, role.value, password_hash=hashed, must_change=False, now=now)
        found[role.value] = open_session(db, user, now=now, instead_of=None, opened=opened)
    return found


async def _settled(siege: Siege) -> None:
    """All that was sent has been read, found urgent and told."""
    async with asyncio.timeout(120), siege.world.daemon.store() as store:

        def is_told(db: Db) -> bool:
            waits = work.backlog(db).count + sum(outbox.depth(db).values())
            flagged = queue.list_(db, states=tuple(QueueState), limit=100)
            return not waits and len(flagged) >= len(ATTACKS) and bool(incidents.unresolved(db))

        while not (await store.read(is_told) and siege.handset.taken):
            await asyncio.sleep(0.2)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def siege(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Siege]:
    folder, port = tmp_path_factory.mktemp("siege"), free_port()
    async with AsyncExitStack() as stack:
        browsers = await stack.enter_async_context(Browsers())
        feed = await stack.enter_async_context(FeedServer())
        slack = await stack.enter_async_context(SlackStandIn())
        mail = await stack.enter_async_context(MailStandIn())
        phones = await stack.enter_async_context(PushService())
        text = CONFIG.format(feed=feed.url, slack=slack.url, smtp=mail.port, port=port)
        told = '["astreinte", "courriel"]'
        text = text.replace(told, '["astreinte", "courriel", "telephones"]') + PUSH
        (folder / "config.toml").write_text(text)
        (folder / "mentions.jsonl").touch()
        (folder / "secrets.toml").touch(mode=0o600)
        (folder / "secrets.toml").write_text(
            f'PSEUDONYM_KEY = "a key of the acceptance tests"\nHOOK = "{SECRET}"\n'
            f'SLACK_TOKEN = "{slack.token}"\nPUSH_KEY = "{webpush.new_key()}"\n'
        )
        daemon = Daemon(folder, port)
        stack.push_async_callback(daemon.stop)
        await daemon.start()
        world = World(daemon=daemon, feed=feed, slack=slack, mail=mail)
        siege = Siege(world=world, browsers=browsers, handset=phones.subscribe("editor"))
        async with daemon.store() as store:
            siege.sessions = await store.write(_staffed)
        await _subscribed(siege)
        half = len(sent := lines()) // 2
        with (folder / "mentions.jsonl").open("ab") as file:
            file.write(b"\n".join(sent[:half]) + b"\n")
        for number, one in enumerate(sent[half:]):
            assert await daemon.post(one, f"siege-{number}") in {202, 413}
        await _settled(siege)
        yield siege


async def _subscribed(siege: Siege) -> None:
    async with siege.client(Role.EDITOR) as client:
        crawler = Crawler(client, siege.world.daemon.url)
        account = (await crawler.ask("GET", siege.world.daemon.url + "/account")).page
        assert account is not None
        sent = dict(crawler.sendings(account, "post"))[f"{siege.world.daemon.url}/account/push/add"]
        fields = dict(sent) | siege.handset.fields
        done = await crawler.ask(
            "POST", f"{siege.world.daemon.url}/account/push/add", list(fields.items())
        )
        assert "done=push_on" in done.url


def harmless(page: Page | None, text: str) -> list[str]:
    """Return what on this page could act, or hide."""
    assert page is not None
    hidden = [f"U+{ord(found):04X}" for found in UNSEEN.findall(text)]
    size = len(text.encode())
    heavy = [f"{size} bytes"] if size > WEIGHT else []
    return [*page.wrong, *hidden, *heavy]


@pytest.mark.parametrize("role", list(Role))
async def test_every_link_and_form_leads_somewhere_and_nothing_on_the_way_acts(
    siege: Siege, role: Role
) -> None:
    _, seen = await siege.walked(role)
    found = seen.values()
    assert {one.url: one.status for one in found if one.status >= 400} == {}
    wrong = {one.url: harmless(one.page, one.text) for one in found if one.page}
    assert {url: said for url, said in wrong.items() if said} == {}
    kinds = {kind_of(url) for url in seen}
    assert {"/?", "/queue/N?", "/incidents/N?", "/search?", "/on-call?"} <= kinds
    assert ("/audit?" in kinds) == (role in {Role.DPO, Role.ADMIN})
    assert ("/users?" in kinds) == (role is Role.ADMIN)
    titles: dict[str, set[str]] = {}
    for one in found:
        if one.page and "?" not in one.url:
            titles.setdefault(one.page.title, set()).add(kind_of(one.url))
    # with its reasons, or with a rule asked about, a mention is the same page
    shared = {title: kinds for title, kinds in titles.items() if len(kinds) > 1}
    assert [kinds for kinds in shared.values() if not kinds <= MENTION] == []


async def test_every_form_is_sent_and_none_breaks(siege: Siege) -> None:
    home = siege.world.daemon.url
    last = ("/users/", "/account/password", "/account/revoke", "/logout")
    walks = {role: await siege.walked(role) for role in Role}  # all, before forms lock people out
    for role, (session, seen) in walks.items():
        async with aiohttp.ClientSession(cookies={"veille": session}) as client:
            crawler = Crawler(client, home)
            forms: dict[tuple[str, ...], tuple[str, list[tuple[str, str]]]] = {}
            for one in seen.values():
                for url, fields in crawler.sendings(one.page, "post") if one.page else ():
                    names = tuple(name for name, _ in fields)
                    forms.setdefault((kind_of(url), *names), (url, fields))
            assert len(forms) > 2
            for url, fields in sorted(forms.values(), key=lambda each: _rank(each[0], last)):
                done = await crawler.ask("POST", url, fields)
                assert done.status < 500, (role, url, fields)
                assert done.status not in {403, 404}, (role, url, fields)
                if done.page is not None:
                    assert harmless(done.page, done.text) == [], (role, url)


def _rank(url: str, last: tuple[str, ...]) -> int:
    """Return what ends sessions after what needs one."""
    return next((n for n, part in enumerate(last, start=1) if part in url), 0)


async def _again(siege: Siege) -> dict[str, str]:
    """Everybody is at work again, whatever the forms of the one before did to their account."""

    def back(db: Db) -> dict[str, str]:
        now, opened, found = utc_now(), Opening(proof=Proof.PASSWORD, device="Chromium"), {}
        for role in Role:
            users.enable(db, role.value)
            users.set_role(db, role.value, role)
            user = users.get(db, role.value)
            assert user is not None
            known = user.password_hash
            users.set_password(db, user.name, password_hash=known, must_change=False, now=now)
            found[role.value] = open_session(db, user, now=now, instead_of=None, opened=opened)
        return found

    async with siege.world.daemon.store() as store:
        return await store.write(back)


async def test_in_a_browser_nothing_runs_and_axe_finds_nothing(siege: Siege) -> None:
    _, seen = await siege.walked(Role.ADMIN)
    siege.sessions |= await _again(siege)
    pages = {kind_of(url): url for url, one in reversed(seen.items()) if one.page}
    items = [url for url in seen if kind_of(url) == "/queue/N?"]
    person = await siege.person(Role.ADMIN, **PHONE)
    found = {}
    for url in dict.fromkeys([*(at for kind, at in pages.items() if kind.endswith("?")), *items]):
        await person.page.goto(url)
        assert await person.page.evaluate("window.owned") is None, url
        assert await person.page.evaluate("document.documentElement.scrollWidth") <= 390, url
        if url in pages.values():
            found[url] = await person.axe()
    assert {url: said for url, said in found.items() if said} == {}
    assert person.broken == []
    assert {url.split("/")[2] for url in person.hosts} == {siege.world.daemon.url.split("/")[2]}


async def test_mail_slack_and_push_carry_it_as_text(siege: Siege) -> None:
    mails = siege.world.mail.received()
    assert mails
    for mail in mails:
        assert set(mail.recipients) == {"astreinte@mairie.example"}
        assert "Bcc" not in mail.message
        assert not UNSEEN.search(
            mail.body("plain") + mail.body("html") + str(mail.message["Subject"])
        )
        wrong = Page("http://mail.example/", mail.body("html")).wrong
        assert [said for said in wrong if "script" in said or "<img" in said or " on" in said] == []
        assert "javascript:" not in re.sub(r">[^<]*<", "><", mail.body("html"))
    posts = siege.world.slack.received()
    assert posts
    for post in posts:
        said = json.dumps(post.body, ensure_ascii=False)
        assert not UNSEEN.search(said)
        acts = re.findall(r"<(?:!|@|#|https?:)[^>]*>", said)
        assert [act for act in acts if siege.world.daemon.url not in act] == []
    for taken in siege.handset.taken:
        said = json.dumps(taken, ensure_ascii=False)
        assert not UNSEEN.search(said)
        assert "Lavoir" not in said
        assert "owned" not in said
    assert all(len(body) <= 4096 for body in siege.handset.bodies)


async def test_exports_are_files_of_text(siege: Siege) -> None:
    home = siege.world.daemon.url
    siege.sessions |= await _again(siege)
    async with siege.client(Role.TRIAGE) as client:
        for address in ("/queue/export?", "/search/export?q=lavoir&"):
            files = {}
            for kind in ("csv", "jsonl", "atom"):
                async with client.get(f"{home}{address}format={kind}") as answer:
                    assert answer.status == 200
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
                    assert answer.headers["Content-Disposition"].startswith("attachment")
                    files[kind] = (await answer.read()).decode()
            rows = list(csv.reader(io.StringIO(files["csv"].lstrip("\ufeff")), delimiter=";"))
            cells = [cell for row in rows[1:] for cell in row]
            assert len(rows) > 5  # some were closed by forms, in another test
            assert [
                c for c in cells if unicodedata.normalize("NFKC", c)[:1] in tuple("=+-@\t\r|%")
            ] == []
            assert not UNSEEN.search(files["csv"].lstrip("\ufeff"))
            read = [json.loads(line) for line in files["jsonl"].splitlines()]
            assert len(read) == len(rows) - 1
            feed = ElementTree.fromstring(files["atom"])
            entries = feed.findall("{http://www.w3.org/2005/Atom}entry")
            assert len(entries) == len(read)
            assert not UNSEEN.search(files["atom"])


async def test_the_api_and_the_command_line_show_what_acts(siege: Siege) -> None:
    siege.sessions |= await _again(siege)
    home = siege.world.daemon.url
    async with siege.client(Role.TRIAGE) as client:
        for path in (
            "/queue",
            "/incidents",
            "/search?q=lavoir",
            "/queue/Q1",
            "/incidents/I1/mentions",
        ):
            async with client.get(f"{home}/api/v1{path}") as answer:
                body = await answer.read()
                assert (answer.status, answer.content_type) == (200, "application/json"), body
                json.loads(body.decode())
    for command in (
        ("queue", "list"),
        ("queue", "show", "Q1"),
        ("search", "lavoir"),
        ("queue", "unanswered"),
    ):
        said = await siege.run(*command)
        assert not UNSEEN.search(said), command
        json.loads(await siege.run(*command, "--json"))
