"""What a search filters and counts by: a few values of each mention, in lists of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec

from veille.domain.analysis import Analysis, UrgencyLabel
from veille.domain.places import named
from veille.domain.search import Field
from veille.domain.text import fold
from veille.store import watermarks
from veille.store.codec import clean, moment, to_json
from veille.store.engine import Db, Row

DAY = "day"
"""A field nobody writes: the day (UTC) a mention was received, which bounds a period."""
BEFORE = "search.before"
"""Mentions stored before this row number are not taken in yet; 0: all are."""
MAX_PLACES = 8
PLACE_LENGTH = 80

_NOTHING: Mapping[str, str] = MappingProxyType({})
_ANALYSIS = msgspec.json.Decoder(Analysis)
_ROW = """SELECT m.id, m.key, m.source, m.text, m.received_at, m.state, m.version, a.analysis,
        q.id AS item FROM mentions m
    LEFT JOIN analyses a ON a.mention = m.id AND a.version = m.version
    LEFT JOIN queue q ON q.mention = m.key
    WHERE m.id = ?"""
# the last word of people on each head, as in store.corrections; '' took it back
_JUDGED = """SELECT head, value FROM corrections c WHERE mention = ? AND version = ?
    AND head IN ('sentiment', 'intent', 'topic', 'urgency') AND seq = (
        SELECT max(x.seq) FROM corrections x
        WHERE x.mention = c.mention AND x.version = c.version AND x.head = c.head)"""


def refresh(db: Db, number: int) -> None:
    """The mention of this row number is found by what is stored of it now; one deleted is not."""
    # first, since its trigger takes the values that only this mention had
    db.execute("DELETE FROM search_facts WHERE mention = ?", (number,))
    row = db.row(_ROW, (number,))
    if row is None or row["state"] == "deleted":
        return
    values = dict.fromkeys(_read(db, row))
    terms = [term(db, field, value) for field, value in values]
    db.many("INSERT INTO search_postings VALUES (?, ?)", [(term, number) for term in terms])
    db.execute(
        "INSERT INTO search_facts VALUES (?, ?, ?, ?)",
        (number, row["received_at"], to_json(terms), row["item"]),
    )


def refresh_key(db: Db, key: str) -> None:
    """As `refresh`, for a mention's key; nothing where it is not stored."""
    number = db.value("SELECT id FROM mentions WHERE key = ?", (key,))
    if number is not None:
        refresh(db, number)


def catch_up(db: Db, *, limit: int) -> int:
    """Up to `limit` mentions of before there was search are found too; return how many were read.

    The newest first; 0 once all are.
    """
    before = watermarks.get(db, BEFORE)
    if not before:
        return 0
    rows = db.rows("SELECT id FROM mentions WHERE id < ? ORDER BY id DESC LIMIT ?", (before, limit))
    for row in rows:
        refresh(db, row["id"])
    watermarks.set(db, BEFORE, rows[-1]["id"] if len(rows) == limit else 0)
    return len(rows)


def is_complete(db: Db) -> bool:
    """Whether every stored mention can be found."""
    return not watermarks.get(db, BEFORE)


def values(
    source: str,
    received_at: datetime,
    text: str,
    analysis: Analysis | None,
    judged: Mapping[str, str] = _NOTHING,
) -> Iterator[tuple[str, str]]:
    """Yield each field and value a mention is found by; `judged` is what people say, by head."""
    yield Field.SOURCE, source
    yield DAY, received_at.date().isoformat()
    if analysis is None:
        return
    yield Field.TONE, judged.get("sentiment") or analysis.sentiment.label
    yield Field.INTENT, judged.get("intent") or analysis.intent.label
    if (judged.get("urgency") or analysis.urgency.label) == UrgencyLabel.URGENT:
        yield Field.URGENCY, UrgencyLabel.URGENT
    topics = [judged["topic"]] if judged.get("topic") else [topic.id for topic in analysis.topics]
    for topic in topics:
        yield Field.TOPIC, topic
    spelled = {fold(place): place for place in named(text, analysis)}
    for place in list(spelled.values())[:MAX_PLACES]:
        yield Field.PLACE, clean(" ".join(place.split()))[:PLACE_LENGTH]


def _read(db: Db, row: Row) -> Iterator[tuple[str, str]]:
    at, found = moment(row["received_at"]), row["analysis"]
    if found is None:
        return values(row["source"], at, row["text"], None)
    judged = {r["head"]: r["value"] for r in db.rows(_JUDGED, (row["id"], row["version"]))}
    return values(row["source"], at, row["text"], _ANALYSIS.decode(found), judged)


def term(db: Db, field: str, value: str) -> int:
    """Return the number of a value; one not seen yet gets it."""
    found = db.value("SELECT id FROM search_terms WHERE field = ? AND value = ?", (field, value))
    if found is not None:
        return int(found)
    sql = "INSERT INTO search_terms (field, value, folded) VALUES (?, ?, ?) RETURNING id"
    return int(db.value(sql, (field, value, fold(value))))
