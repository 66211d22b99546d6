"""Make a store of 1,000,000 mentions, 20,000 queue items and 300 incidents for pages.py."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import argon2

from veille.alerts.clock_settings import ClockSettings
from veille.domain.access import Role
from veille.domain.alert import Alert, AlertState, Flag, Severity
from veille.domain.analysis import (
    Analysis,
    Cluster,
    Entity,
    Intent,
    IntentLabel,
    Sentiment,
    SentimentLabel,
    Topic,
    Urgency,
    UrgencyLabel,
)
from veille.domain.calendar import Region
from veille.domain.clock import utc_now
from veille.domain.incident import Event, Incident, IncidentState
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.store import (
    alerts,
    facets,
    incidents,
    obligations,
    queue,
    sources,
    timeline,
    users,
    watermarks,
)
from veille.store.codec import micros, to_json
from veille.store.engine import Db, connect

PASSWORD = "une rivière en crue 1910"
SOURCES = ("presse", "facebook", "mastodon", "bluesky", "forum", "formulaire", "avis", "blog")
TOPICS = {
    "flood": "Inondation", "roads": "Voirie", "school": "École", "waste": "Déchets",
    "transport": "Transports", "security": "Sécurité", "parks": "Espaces verts", "water": "Eau",
}  # fmt: skip
COMMON = (
    "la le les de du des un une et à en pour que qui ne pas plus sur dans ce cette on nous vous il "
    "elle ils est sont a ont mairie rue école route bus marché parking benne eau parc agents merci "
    "encore toujours jamais rien tout bien soir matin semaine mois quartier ville travaux bruit "
    "trottoir lampadaire piscine bibliothèque conseil maire budget impôts facture stationnement"
).split()
NAMES = ("du Lavoir", "des Tanneurs", "du Moulin", "de la Paix", "des Écoles", "du Port", "Haute")
STREETS = tuple(f"rue {name}" for name in NAMES)
SYLLABLES = (
    "ba be bi bo cha che da de do fa fi ga gue la le li lo ma me mi mo na ne no pa pe".split()
)
CLOCK_READS = (("clock.observed", "observations"), ("clock.handled", "timeline"))
DAYS = 180
ITEMS, OPEN_ITEMS, INCIDENTS, OPEN_INCIDENTS = 20_000, 3_000, 300, 8
BATCH = 20_000


class Speaker:
    """Says what people write: words as frequent as in speech, places, and what a model found."""

    def __init__(self, seed: int) -> None:
        self._random = random_ = random.Random(seed)
        tail = ["".join(random_.choices(SYLLABLES, k=random_.randint(2, 5))) for _ in range(20_000)]
        self._chunks = [
            [*random_.choices(COMMON, k=6), tail[int(len(tail) * random_.random() ** 3)]]
            for _ in range(20_000)
        ]
        self._found = {
            street: [self._analysis(street) for _ in range(400)] for street in ("", *STREETS)
        }

    def text(self, number: int) -> tuple[str, str]:
        """Return a text of 14 to 42 words, and the street it begins with, "" for most."""
        street = self._random.choice(STREETS) if number % 5 == 0 else ""
        chunks = self._random.choices(self._chunks, k=self._random.randint(2, 6))
        found = [street] if street else []
        found += [word for chunk in chunks for word in chunk]
        if number % 50 == 0:
            found.append("salle des fêtes")
        if number % 25_000 == 7:
            found.append("ornithorynque")
        return " ".join(found), street

    def analysis(self, street: str) -> tuple[Analysis, str]:
        """Return findings as large as the model's, and their JSON."""
        return self._random.choice(self._found[street])

    def _analysis(self, street: str) -> tuple[Analysis, str]:
        random_ = self._random
        name = street.removeprefix("rue ")
        is_urgent = random_.random() < 0.005
        made = Analysis(
            lang="fr",
            sentiment=Sentiment(
                label=random_.choices(list(SentimentLabel), weights=(35, 45, 15, 5))[0],
                score=0.1234,
                probabilities={"negative": 0.3312, "neutral": 0.4123, "positive": 0.2565},
            ),
            crisis=0.0123,
            urgency=Urgency(
                label=UrgencyLabel.URGENT if is_urgent else UrgencyLabel.NORMAL,
                score=random_.random(),
            ),
            intent=Intent(label=random_.choice(list(IntentLabel)), score=0.7312),
            topics=tuple(Topic(id=id_, score=0.6123) for id_ in random_.sample(list(TOPICS), 2)),
            entities=(Entity(label="LOC", text=name, start=4, end=4 + len(name)),) if name else (),
            cluster=Cluster(id="0" * 32, size=3, wordings=2, authors=2, is_claim=False),
            analyzers=dict.fromkeys(
                ("sentiment", "urgency", "intent", "topics", "cluster"), "v5.0.0"
            ),
        )
        return made, to_json(made)


def masked(number: int, said: str, *, at: datetime, source: str) -> MaskedMention:
    """Return a mention as privacy would hand it over."""
    return MaskedMention(
        key=f"{number:032x}",
        source=source,
        watches=("mairie",),
        kind=MentionKind.POST,
        text=said,
        created_at=at - timedelta(minutes=2),
        received_at=at,
        content_hash=f"{number:032x}",
        identity=Identity(native_id=str(number), url=f"https://social.example/@x/{number}"),
        author=f"{number * 7919 % 150_000:032x}",
        followers=number % 3_000,
        lang="fr",
    )


def fill(db: Db, count: int, now: datetime) -> None:
    """The store holds so many analyzed mentions, 20,000 queue items and 300 incidents."""
    speaker = Speaker(6)
    _drop_fast(db)
    for first in range(1, count + 1, BATCH):
        db.execute("BEGIN")
        numbers = range(first, min(first + BATCH, count + 1))
        _bulk(db, list(_rows(speaker, numbers, count, now)))
        db.execute("COMMIT")
        print(f"  {min(first + BATCH - 1, count):,} mentions", end="\r", file=sys.stderr)
    _index(db)
    db.execute("BEGIN")
    _work(db, random.Random(6), count, now)
    db.execute("COMMIT")


def _drop_fast(db: Db) -> None:
    """Write without the log and with room: this store is made anew if it breaks."""
    for pragma in ("journal_mode = MEMORY", "cache_size = -400000", "temp_store = MEMORY"):
        db.execute(f"PRAGMA {pragma}")


def _rows(
    speaker: Speaker, numbers: range, count: int, now: datetime
) -> Iterator[tuple[int, MaskedMention, Analysis, str]]:
    for number in numbers:
        at = now - timedelta(days=DAYS) * (1 - number / count)
        said, street = speaker.text(number)
        analysis, encoded = speaker.analysis(street)
        source = SOURCES[min(number * 7919 % 100 // 20 + number % 4, len(SOURCES) - 1)]
        yield number, masked(number, said, at=at, source=source), analysis, encoded


def _bulk(db: Db, found: list[tuple[int, MaskedMention, Analysis, str]]) -> None:
    db.many(
        """INSERT INTO mentions (id, key, source, watches, kind, text, created_at, received_at,
        content_hash, author, followers, lang, media, metrics, own, masked, state)
        VALUES (?, ?, ?, '["mairie"]', 'post', ?, ?, ?, ?, ?, ?, 'fr', '[]', 'null', 0, '[]',
        'analyzed')""",
        [
            (n, m.key, m.source, m.text, micros(m.created_at), micros(m.received_at),
             m.content_hash, m.author, m.followers)
            for n, m, *_ in found
        ],
    )  # fmt: skip
    db.many(
        "INSERT INTO identities VALUES (?, ?, ?, NULL, NULL)",
        [(n, m.identity.native_id, m.identity.url) for n, m, *_ in found],
    )
    db.many(
        "INSERT INTO analyses VALUES (?, 1, ?, ?)",
        [(n, micros(m.received_at), encoded) for n, m, _, encoded in found],
    )
    db.many(
        """INSERT INTO observations (mention, version, key, source, watches, kind, created_at,
        received_at, author, followers, own, media, masked, metrics)
        VALUES (?, 1, ?, ?, '["mairie"]', 'post', ?, ?, ?, ?, 0, '[]', '[]', 'null')""",
        [
            (n, m.key, m.source, micros(m.created_at), micros(m.received_at), m.author, m.followers)
            for n, m, *_ in found
        ],
    )
    db.many("INSERT INTO search_facts VALUES (?, ?, ?, NULL)", list(_facts(db, found)))


def _facts(
    db: Db, found: list[tuple[int, MaskedMention, Analysis, str]]
) -> Iterator[tuple[int, int, str]]:
    numbers: dict[tuple[str, str], int] = {}
    for number, mention, analysis, _ in found:
        values = facets.values(mention.source, mention.received_at, mention.text, analysis)
        for value in (kept := dict.fromkeys(values)):
            if value not in numbers:
                numbers[value] = facets.term(db, *value)
        yield number, micros(mention.received_at), to_json([numbers[value] for value in kept])


def _index(db: Db) -> None:
    """Every value has its list, written in its order."""
    db.execute(
        """INSERT INTO search_postings SELECT j.value, f.mention
        FROM search_facts f, json_each(f.terms) j ORDER BY 1, 2"""
    )


def _work(db: Db, random_: random.Random, count: int, now: datetime) -> None:
    """People have closed most items and incidents; some are open."""
    severities = (Severity.INFO, Severity.INFO, Severity.WARNING, Severity.CRITICAL)
    step = max(1, count // ITEMS)
    for nth, number in enumerate(range(step, count + 1, step)):
        at = now - timedelta(days=DAYS) * (1 - number / count)
        severity = random_.choice(severities)
        queue.flag(
            db, [Flag(key=f"{number:032x}", rule=f"rule_{nth % 9}", severity=severity, at=at)]
        )
    _promise(db, now)
    last = int(db.value("SELECT max(id) FROM queue"))
    db.execute("UPDATE queue SET state = 'closed' WHERE id <= ?", (last - OPEN_ITEMS,))
    for number in range(1, INCIDENTS + 1):
        _incident(db, number, count, now)
    # the stages have seen all of it
    for name, table in (("evaluate", "observations"), *CLOCK_READS):
        watermarks.set(db, name, int(db.value(f"SELECT max(seq) FROM {table}")))
    for name in SOURCES:
        sources.note_read(db, name, at=now, accepted=9, unmatched=0, rejected=0, unknown_fields=0)


PROMISES = ClockSettings().promises(
    zone=ZoneInfo("Europe/Paris"), region=Region.METROPOLE, kinds={}
)


def _promise(db: Db, now: datetime) -> None:
    """What waits for an answer has its clocks."""
    rows = db.rows("SELECT mention FROM queue ORDER BY id DESC LIMIT ?", (OPEN_ITEMS,))
    obligations.refresh(db, [row["mention"] for row in rows], PROMISES, now=now)


def _incident(db: Db, number: int, count: int, now: datetime) -> None:
    is_open = number <= OPEN_INCIDENTS
    opened = now - (timedelta(hours=number) if is_open else timedelta(days=number % DAYS, hours=5))
    keys = [f"{max(1, count - number * 400 - n):032x}" for n in range(200)]
    severity = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)[number % 3]
    print_ = f"{number:016x}"
    alerts.save(db, [
        Alert(
            fingerprint=print_, rule="flood_distress", rule_version="1", severity=severity,
            group={"watch": "mairie"}, labels={"watch": "mairie"}, state=AlertState.FIRING,
            started_at=opened, fired_at=opened, value=200, threshold=3, author_count=150,
            evidence=tuple(keys[:20]), window=timedelta(minutes=15),
        )
    ])  # fmt: skip
    incident = Incident(
        id=number, key=f"key-{number}", labels={"watch": "mairie"},
        state=IncidentState.OPEN if is_open else IncidentState.RESOLVED,
        severity=severity, title=f"Inondation, secteur {number}", opened_at=opened,
        updated_at=opened, resolved_at=None if is_open else opened + timedelta(hours=3),
        alerts=(print_,),
    )  # fmt: skip
    incidents.save(db, incident, expected_version=None)
    incidents.add_evidence(db, number, keys)
    timeline.add(
        db,
        [Event(target=f"I{number}", at=opened, kind="incident.opened")]
        + [
            Event(target=f"I{number}", at=opened + timedelta(minutes=n), kind="notification.sent",
                  data={"receiver": "astreinte"})
            for n in range(30)
        ],
    )  # fmt: skip


def make(path: Path, count: int) -> None:
    """The store at `path` is built, with a user who may act."""
    began = time.perf_counter()
    now = utc_now()
    db = connect(path, is_durable=False)
    fill(db, count, now)
    hashed = argon2.PasswordHasher().hash(PASSWORD)
    users.add(db, name="Camille", password_hash=hashed, role=Role.TRIAGE, now=now)
    users.set_password(db, "Camille", password_hash=hashed, must_change=False, now=now)
    db.close()
    size = path.stat().st_size / 1e6
    print(f"built {count:,} mentions in {time.perf_counter() - began:.0f} s, {size:,.0f} MB")
