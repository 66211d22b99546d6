"""A town at 02:16 on a night of flood: a real store, a real server, a browser without scripts."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import aiohttp
import argon2
import jinja2
import pytest
from aiohttp import web
from jinja2.bccache import Bucket

from servers.home import home
from veille.alerts.settings import RouteSettings
from veille.domain.access import Role
from veille.domain.alert import Alert, AlertState, Condition, Flag, Severity
from veille.domain.analysis import (
    Analysis,
    Entity,
    Hostility,
    HostilityLabel,
    Place,
    Sentiment,
    SentimentLabel,
    Target,
    Topic,
    Urgency,
    UrgencyLabel,
)
from veille.domain.card import Card, Count, Hazard, Need, Slot, Span, Vulnerable
from veille.domain.errors import IntakeRefused
from veille.domain.explanation import Explanation
from veille.domain.incident import Event, Incident, IncidentState, QueueState
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.domain.whynot import Outcome, WhyNot
from veille.pipeline.actions import Actions
from veille.store import alerts, incidents, mentions, queue, sources, timeline, users, work
from veille.store.engine import Db, SqliteStore
from veille.web.app import build
from veille.web.ports import Provider, PushDesk
from veille.web.server import listen
from veille.web.settings import WebSettings
from veille.web.site import SITE

NOW = datetime(2026, 1, 18, 1, 16, tzinfo=UTC)  # 02:16 in Saint-Aubin
PASSWORD = "une rivière en crue 1910"
# Quick to check: the parameters travel in the hash.
_HASH = argon2.PasswordHasher(time_cost=1, memory_cost=64).hash(PASSWORD)


class Clock:
    """The time, moved by the test."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **length: float) -> None:
        self.now += timedelta(**length)


class Door:
    """An intake that keeps what it got, or refuses as told."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, str, bytes]] = []
        self.refusal: IntakeRefused | None = None

    async def accept(self, source_id: str, headers: Mapping[str, str], body: bytes) -> bytes:
        if self.refusal is not None:
            raise self.refusal
        self.bodies.append((source_id, headers.get("webhook-id", ""), body))
        return b'{"accepted":1,"rejected":[]}'


class Pulse:
    """Health as told."""

    def __init__(self) -> None:
        self.live = True
        self.reasons: tuple[str, ...] = ()
        self.hardships: tuple[str, ...] = ()

    def is_live(self) -> bool:
        return self.live

    async def why_not_ready(self) -> tuple[str, ...]:
        return self.reasons

    async def why_degraded(self) -> tuple[str, ...]:
        return self.hardships


class Vault:
    """Originals by key, and who opened them."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.opened: list[tuple[str, str]] = []

    async def open(self, key: str, *, actor: str) -> str | None:
        self.opened.append((key, actor))
        return self.texts.get(key)


class Teller:
    """Explains as told, and keeps the texts it was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: tuple[Explanation, ...] | None = ()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def explain(self, text: str) -> tuple[Explanation, ...] | None:
        self.asked.append(text)
        if self.meanwhile is not None:
            await self.meanwhile()
        return self.answer


class Follower:
    """Says what became of a mention as told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.is_slow = False

    def rules(self) -> dict[str, str]:
        return {"flood_distress": "Appels à l'aide", "unusual_volume": "Volume inhabituel"}

    async def why_not(self, mention: str, rule: str) -> WhyNot:
        self.asked.append((mention, rule))
        if self.is_slow:
            raise TimeoutError
        return WhyNot(
            outcome=Outcome.CONDITION,
            mention=mention,
            rule=rule,
            at=NOW,
            conditions=(Condition(name="count", value=12, threshold=25),),
            window=timedelta(hours=1),
        )


class Compiled(jinja2.BytecodeCache):
    """Templates compiled once for all tests: half of their time otherwise."""

    codes: ClassVar[dict[str, bytes]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.codes:
            bucket.bytecode_from_string(self.codes[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.codes[bucket.key] = bucket.bytecode_to_string()


@dataclass
class Town:
    """Everything behind one address."""

    store: SqliteStore
    clock: Clock
    door: Door
    pulse: Pulse
    vault: Vault
    teller: Teller
    url: str
    app: web.Application
    keys: list[str] = field(default_factory=list)


@dataclass
class Answer:
    """What a browser got."""

    status: int
    headers: Mapping[str, str]
    text: str
    path: str

    def field(self, name: str, *, action: str = "") -> str:
        """Return the value of a hidden field, of the form that posts to `action`."""
        page = self.text[self.text.index(f'action="{action}"') :] if action else self.text
        found = re.search(rf'name="{name}" value="([^"]*)"', page)
        if found is None:
            raise LookupError(name)
        return found[1]


class Browser:
    """A browser without scripts: keeps cookies, follows redirects, says where forms come from."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def ask(self, method: str, path: str, *, follow: bool = True, **options: Any) -> Answer:
        url = self.url + path
        async with self.session.request(method, url, allow_redirects=follow, **options) as answer:
            # No-break spaces are typography: what is said is the same.
            text = (await answer.read()).decode().replace("\u00a0", " ").replace("\u202f", " ")
            return Answer(answer.status, answer.headers, text, answer.url.raw_path_qs)

    async def get(self, path: str, **options: object) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, fields: Mapping[str, str], **options: object) -> Answer:
        headers = {"Sec-Fetch-Site": "same-origin"}
        return await self.ask("POST", path, data=dict(fields), **{"headers": headers, **options})

    async def submit(self, page: Answer, action: str, **fields: str) -> Answer:
        """Send the form of `page` that posts to `action`, with its hidden fields."""
        if action not in page.text:
            raise LookupError(action)
        hidden = {"csrf": page.field("csrf", action=action)}
        form = page.text[page.text.index(f'action="{action}"') :].partition("</form>")[0]
        for name in ("version", "reading", "secret"):
            if f'name="{name}"' in form:
                hidden[name] = page.field(name, action=action)
        return await self.post(action, {**hidden, **fields})

    async def manage(self, verb: str, user: str, **fields: str) -> Answer:
        """Do this to an account, as the page does after it has asked for one's own password."""
        said = {"csrf": (await self.get("/users")).field("csrf"), "user": user}
        return await self.post(f"/users/{verb}", {**said, "current": PASSWORD, **fields})

    async def sign_in(self, name: str, password: str = PASSWORD, **options: Any) -> Answer:
        fields = {"name": name, "password": password, "next": "/"}
        return await self.post("/login", fields, **options)


def masked(number: int, text: str, **fields: object) -> MaskedMention:
    """Return a mention as privacy would hand it over."""
    values: dict[str, object] = {
        "key": f"{number:032x}",
        "source": "mastodon",
        "watches": ("mairie",),
        "kind": MentionKind.POST,
        "text": text,
        "created_at": NOW - timedelta(minutes=10),
        "received_at": NOW - timedelta(minutes=9),
        "content_hash": f"hash-{number}-{text}"[:64],
        "identity": Identity(native_id=str(number), url=f"https://social.example/@x/{number}"),
        "author": f"author-{number}",
        "lang": "fr",
    }
    return MaskedMention(**{**values, **fields})  # type: ignore[arg-type]


def card(place: Entity) -> Card:
    """Return a card that names a danger, a place, somebody and a time."""
    said = Span(text="<b>depuis 20 min</b>", start=0, end=20)
    return Card(
        hazard=Slot(value=Hazard.FLOOD, spans=(said,)),
        places=(Span(text=place.text, start=place.start, end=place.end),),
        people=Slot(value=Count(number=3, is_approximate=True), spans=(said,)),
        vulnerable=(Slot(value=Vulnerable.ELDERLY, spans=(said,)),),
        need=Slot(value=Need.RESCUE, spans=(said,)),
        time=Slot(value=NOW - timedelta(minutes=20), spans=(said,)),
        has_media=True,
    )


def analysis(text: str, *, urgent: float = 0.95, negative: float = 0.75) -> Analysis:
    """Return findings on a text; `Lavoir` is a place wherever it stands."""
    at = text.find("rue du Lavoir")
    entity = Entity(label="LOC", text="rue du Lavoir", start=at, end=at + 13)
    rest = (1 - negative) / 2
    return Analysis(
        lang="fr",
        sentiment=Sentiment(
            label=SentimentLabel.NEGATIVE,
            score=rest - negative,
            probabilities={"negative": negative, "neutral": rest, "positive": rest},
        ),
        crisis=urgent,
        urgency=Urgency(
            label=UrgencyLabel.URGENT if urgent >= 0.5 else UrgencyLabel.NORMAL, score=urgent
        ),
        hostility=Hostility(label=HostilityLabel.THREAT, score=0.75, target=Target.STAFF),
        topics=(Topic(id="flood", score=0.8), Topic(id="roads", score=0.3)),
        entities=(entity,) if at >= 0 else (),
        places=(
            Place(name="Lons", insee="39300", score=0.99, start=0, end=4),
            Place(name="Saint-Aubin", insee=None, score=0.4, start=4, end=8),
        ),
        card=card(entity) if at >= 0 and urgent >= 0.5 else None,
        analyzers=dict.fromkeys(
            ("sentiment", "urgency", "crisis", "hostility", "toxicity", "intent", "topics"), "v1"
        ),
    )


TEXTS = (
    "Une dame est coincée dans sa voiture rue du Lavoir, personne ne répond au 18, "
    "rappelez-moi au [téléphone masqué]",
    "On est sur le toit de la salle des fêtes, il y a des enfants, rue du Lavoir sous l'eau",
    "Le marché est fermé sans prévenir, trois fois ce mois, merci pour les commerçants",
)


def store_mentions(db: Db, given: list[tuple[MaskedMention, Analysis | None]]) -> None:
    """The mentions are stored, and analyzed where an analysis is given."""
    mentions.add(db, mentions=[mention for mention, _ in given], tombstones=[], now=NOW)
    found = {mention.key: finding for mention, finding in given}
    claimed = work.claim(db, limit=100, now=NOW, lease=timedelta(minutes=1))
    done = [(job, found[job.key]) for job in claimed if found.get(job.key) is not None]
    work.save(db, done, now=NOW)  # type: ignore[arg-type]  # None is filtered above


def flood(db: Db) -> None:
    """The town's night: one critical incident, one warning, three mentions, two sources."""
    given = [
        (
            masked(
                n,
                text,
                masked=("phone",) if "[" in text else (),
                sealed=b"sealed" if "[" in text else None,
            ),
            analysis(text, urgent=0.95 if n < 3 else 0.05),
        )
        for n, text in enumerate(TEXTS, start=1)
    ]
    store_mentions(db, given)
    keys = [mention.key for mention, _ in given]
    alert = Alert(
        fingerprint="f" * 16,
        rule="flood_distress",
        rule_version="1",
        severity=Severity.CRITICAL,
        group={"watch": "mairie"},
        labels={"watch": "mairie"},
        state=AlertState.FIRING,
        started_at=NOW - timedelta(minutes=4),
        fired_at=NOW - timedelta(minutes=2),
        value=12,
        threshold=3,
        author_count=11,
        evidence=tuple(keys[:2]),
        window=timedelta(minutes=15),
    )
    alerts.save(db, [alert])
    opened = NOW - timedelta(minutes=2)
    for number, title, severity in (
        (1, "Inondation, appels à l'aide", Severity.CRITICAL),
        (2, "Volume inhabituel sur la propreté", Severity.WARNING),
    ):
        incident = Incident(
            id=number,
            key=f"key-{number}",
            labels={"watch": "mairie"},
            state=IncidentState.OPEN,
            severity=severity,
            title=title,
            opened_at=opened,
            updated_at=opened,
            alerts=("f" * 16,) if number == 1 else (),
        )
        incidents.save(db, incident, expected_version=None)
        timeline.add(db, [Event(target=f"I{number}", at=opened, kind="incident.opened")])
    incidents.add_evidence(db, 1, keys[:2])
    sent = Event(target="I1", at=opened, kind="notification.sent", data={"receiver": "astreinte"})
    timeline.add(db, [sent])
    queue.flag(
        db,
        [
            Flag(key=keys[0], rule="flood_distress", severity=Severity.CRITICAL, at=opened),
            Flag(key=keys[2], rule="complaints", severity=Severity.INFO, at=opened),
        ],
    )
    sources.note_read(
        db, "presse", at=opened, accepted=3, unmatched=0, rejected=0, unknown_fields=0
    )
    sources.note_error(db, "mastodon", at=NOW - timedelta(minutes=40), error="503", next_try_at=NOW)


def staff(db: Db) -> None:
    """Camille and Sacha act, Dominique reads; all have chosen their password."""
    for name, role in (("Camille", Role.TRIAGE), ("Sacha", Role.ADMIN), ("Dominique", Role.READER)):
        users.add(db, name=name, password_hash=_HASH, role=role, now=NOW)
        users.set_password(db, name, password_hash=_HASH, must_change=False, now=NOW)


@pytest.fixture
async def store(tmp_path: Path, blank: Path) -> AsyncIterator[SqliteStore]:
    path = shutil.copy(blank, tmp_path / "veille.db")
    async with SqliteStore(path, group_commit=timedelta(0), is_durable=False) as opened:
        await opened.write(staff)
        yield opened


@pytest.fixture
def settings() -> WebSettings:
    return WebSettings()


@pytest.fixture
def language() -> str:
    return "fr"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider() -> Provider | None:
    return None


@pytest.fixture
def push_desk() -> PushDesk | None:
    return None


@pytest.fixture
async def empty_town(
    store: SqliteStore,
    settings: WebSettings,
    language: str,
    clock: Clock,
    provider: Provider | None,
    push_desk: PushDesk | None,
) -> AsyncIterator[Town]:
    door, pulse, vault, teller = Door(), Pulse(), Vault(), Teller()
    app = build(
        store=store,
        settings=settings,
        institution="Saint-Aubin",
        timezone=ZoneInfo("Europe/Paris"),
        language=language,
        actions=Actions(store, route=RouteSettings(), now=clock),
        intake=door,
        health=pulse,
        originals=vault,
        now=clock,
        explainer=teller,
        asker=Follower(),
        topics={"flood": "Inondation", "roads": "Voirie"},
        provider=provider,
        push_desk=push_desk,
        house=home(store, clock),
    )
    app[SITE].templates.bytecode_cache = Compiled()
    async with AsyncExitStack() as stack:
        address = await listen(app, "127.0.0.1:0", stack)
        yield Town(store, clock, door, pulse, vault, teller, address, app)


@pytest.fixture
async def town(empty_town: Town) -> Town:
    await empty_town.store.write(flood)
    empty_town.keys = [f"{n:032x}" for n in (1, 2, 3)]
    empty_town.vault.texts[empty_town.keys[0]] = "Rappelez-moi au 06 00 00 00 00"
    return empty_town


HOSTILE_TEXT = (
    "<script>window.owned=1</script><img src='https://evil.example/x.png' onerror='owned=1'>"
    '"></p><svg onload=owned=1> {{ 7*7 }} &lt;b&gt; \u202eeviltxe\u202c pa\u200bs \x1b[31m \x07 '
    "[téléphone masqué] https://evil.example/a"
)
HOSTILE_PLACE = "<b onmouseover=owned=1>rue\u202e"


def hostile(db: Db) -> int:
    """The critical incident and the queue hold a mention that attacks; return its queue number."""
    text = f"{HOSTILE_TEXT} : {HOSTILE_PLACE}"
    place = Entity(
        label="LOC", text=HOSTILE_PLACE, start=len(text) - len(HOSTILE_PLACE), end=len(text)
    )
    found = replace(analysis(text), entities=(place,))
    mention = masked(
        66,
        text,
        lang='fr" onload="owned=1',
        identity=Identity(native_id="66", url="javascript:window.owned=1"),
    )
    store_mentions(db, [(mention, found)])
    queue.flag(db, [Flag(key=mention.key, rule="<i>rule</i>", severity=Severity.CRITICAL, at=NOW)])
    incidents.add_evidence(db, 1, [mention.key])
    items = queue.list_(db, states=tuple(QueueState), limit=100)
    return next(item.id for item in items if item.mention == mention.key)


@pytest.fixture
async def hostile_item(town: Town) -> str:
    """The page of a queue item whose text, place, language and address attack the reader."""
    town.keys.append(f"{66:032x}")
    return f"/queue/{await town.store.write(hostile)}"


@pytest.fixture
async def stranger(empty_town: Town) -> AsyncIterator[Browser]:
    browser = Browser(empty_town.url)
    yield browser
    await browser.session.close()


@pytest.fixture
async def camille(stranger: Browser) -> Browser:
    await stranger.sign_in("Camille", follow=False)
    return stranger


@pytest.fixture
async def sacha(empty_town: Town) -> AsyncIterator[Browser]:
    browser = Browser(empty_town.url)
    await browser.sign_in("Sacha", follow=False)
    yield browser
    await browser.session.close()


@pytest.fixture
async def dominique(empty_town: Town) -> AsyncIterator[Browser]:
    browser = Browser(empty_town.url)
    await browser.sign_in("Dominique", follow=False)
    yield browser
    await browser.session.close()
