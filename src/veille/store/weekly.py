"""What the weekly summary reads beside tallies: incidents, the queue, what is unread, examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from veille.domain.analysis import Analysis
from veille.domain.incident import Incident, QueueState
from veille.domain.notification import OutboxRow
from veille.store import outbox, watermarks
from veille.store.codec import json_list, micros, moment
from veille.store.engine import Db

SINCE = "reports.since"
_MARK = "reports.weekly."
_LOOKED_AT = 20
_OPEN = json_list(state for state in QueueState if state.is_open)
_INCIDENT = msgspec.json.Decoder(Incident)
_ANALYSIS = msgspec.json.Decoder(Analysis)

_UNSENT = """incident = 0 AND kind = 'weekly'
    AND (state = 'parked' OR (state = 'waiting' AND attempts = 0))"""

# what was written in a week arrived in it or later: the index by state and arrival applies
_WRITTEN = "m.received_at >= ?1 AND m.created_at >= ?1 AND min(m.created_at, m.received_at) < ?2"
_EXAMPLES = f"""SELECT m.key, m.text, m.source, m.lang, m.created_at, a.analysis FROM mentions m
    JOIN analyses a ON a.mention = m.id AND a.version = m.version
    WHERE m.state = 'analyzed' AND NOT m.own AND {_WRITTEN}
    AND json_extract(a.analysis, '$.sentiment.label') = ?3
    AND (?4 <> 'source' OR m.source = ?5)
    AND (?4 <> 'watch' OR EXISTS (SELECT 1 FROM json_each(m.watches) WHERE value = ?5))
    ORDER BY abs(json_extract(a.analysis, '$.sentiment.score')) DESC,
        m.created_at DESC, m.key LIMIT ?6"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A stored mention that might be quoted; `text` is masked."""

    key: str
    text: str
    source: str
    lang: str | None
    created_at: datetime


def incidents_until(db: Db, end: datetime) -> list[Incident]:
    """Return all incidents opened before `end`, oldest first."""
    found = db.rows("SELECT incident FROM incidents ORDER BY id")
    incidents = (_INCIDENT.decode(row["incident"]) for row in found)
    return [incident for incident in incidents if incident.opened_at < end]


def open_queue(db: Db) -> tuple[int, datetime | None]:
    """Return how many queue items are open, and since when the oldest is."""
    row = db.row(
        """SELECT count(*) AS count, min(created_at) AS oldest FROM queue
        WHERE state IN (SELECT value FROM json_each(?))""",
        (_OPEN,),
    )
    return (0, None) if row is None else (row["count"], moment(row["oldest"]))


def unread(db: Db, start: datetime, end: datetime) -> int:
    """Return how many mentions written in this time are not analyzed, parked ones included."""
    return int(
        db.value(
            f"""SELECT count(*) FROM mentions m
            WHERE m.state IN ('new', 'parked') AND NOT m.own AND {_WRITTEN}""",  # noqa: S608
            (micros(start), micros(end)),
        )
    )


def examples(
    db: Db, by: str, name: str, *, label: str, start: datetime, end: datetime
) -> list[Candidate]:
    """Return clear cases of this sentiment in one source or watch (`by`): clearest, then newest.

    Only mentions still stored, never our own, and none in which the model found a person's name.
    """
    params = (micros(start), micros(end), label, by, name, _LOOKED_AT)
    return [
        Candidate(
            key=row["key"],
            text=row["text"],
            source=row["source"],
            lang=row["lang"],
            created_at=moment(row["created_at"]),
        )
        for row in db.rows(_EXAMPLES, params)
        if all(e.label != "PER" for e in _ANALYSIS.decode(row["analysis"]).entities)
    ]


def note_listening(db: Db, now: datetime) -> datetime:
    """Return since when this store counts: its first start, or what arrived before that."""
    known = watermarks.get(db, SINCE)
    first = known or db.value("SELECT min(received_at) FROM observations")
    since = micros(now) if first is None else min(first, micros(now))
    if since != known:
        watermarks.set(db, SINCE, since)
    return moment(since)


def since(db: Db) -> datetime | None:
    """Return since when this store counts, None when no daemon with a summary has started."""
    return moment(watermarks.get(db, SINCE) or None)


def planned(db: Db, key: str, week: int) -> set[str]:
    """Return the receivers for whom this summary was planned, even if its row was swept since."""
    waiting = {
        row["receiver"] for row in db.rows("SELECT receiver FROM outbox WHERE key = ?", (key,))
    }
    marked = db.rows("SELECT name FROM watermarks WHERE value = ?", (week,))
    return waiting | {row["name"].removeprefix(_MARK) for row in marked}


def unsent(db: Db) -> set[str]:
    """Return the keys of summaries that were planned and can have reached nobody."""
    found = db.rows(f"SELECT DISTINCT key FROM outbox WHERE {_UNSENT}")  # noqa: S608 constant
    return {row["key"] for row in found}


def unplan(db: Db, key: str, week: int) -> None:
    """This summary, where it can have reached nobody, is planned no more."""
    for row in db.rows(
        f"DELETE FROM outbox WHERE key = ? AND {_UNSENT} RETURNING receiver",  # noqa: S608 constant
        (key,),
    ):
        mark = f"{_MARK}{row['receiver']}"
        db.execute("DELETE FROM watermarks WHERE name = ? AND value = ?", (mark, week))


def plan(db: Db, rows: Sequence[OutboxRow], week: int) -> None:
    """The rows wait, once a receiver; `week` (a number of its own) is the last one planned."""
    outbox.add(db, rows)
    for row in rows:
        watermarks.set(db, f"{_MARK}{row.receiver}", week)
