"""The ledger of what is unanswered, read: what is open, what was decided, and what a week shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from veille.domain.incident import QueueState
from veille.domain.ledger import Entry
from veille.domain.obligation import Clock
from veille.store.codec import micros, moment
from veille.store.engine import Db, Row

MOST = 10_000
"""Counted at most: above it the number is said to be larger."""
_US = timedelta(microseconds=1)
_CLOCKS = msgspec.json.Decoder(tuple[Clock, ...])
_ENTRY = """SELECT o.*, q.state AS item_state, q.assignee, q.state_at, q.waiting_for,
        q.snoozed_until, q.reason,
        (SELECT state FROM drafts WHERE item = q.id AND state IN ('proposed', 'approved')
            ORDER BY state LIMIT 1) AS draft,
        (SELECT count(*) FROM obligations r WHERE r.same_as = o.mention) AS repeats
    FROM obligations o LEFT JOIN queue q ON q.id = o.item WHERE o.is_asked"""
_OPEN = f"""{_ENTRY} AND o.state = 'open' AND (o.asked_at, o.mention) > (?, ?)
    ORDER BY o.asked_at, o.mention LIMIT ?"""
_DECIDED = f"""{_ENTRY} AND o.decided_at IS NOT NULL AND o.decided_at >= ?1
    AND (o.decided_at, o.mention) < (?2, ?3)
    ORDER BY o.decided_at DESC, o.mention DESC LIMIT ?4"""
_COUNT = """SELECT count(*) FROM (SELECT 1 FROM obligations
    WHERE state = 'open' AND is_asked LIMIT ?)"""

# the index by time of asking applies
_WAITS = """SELECT source, intent, asked_at,
        CASE WHEN replied_at < ?3 THEN answered_us END AS answered_us FROM obligations
    WHERE asked_at >= ?1 AND asked_at < ?2 AND is_asked AND same_as IS NULL
    AND (coalesce(outcome, '') NOT IN ('corrected', 'edited', 'deleted', 'erased', 'expired')
        OR decided_at >= ?3 OR replied_at < ?3) ORDER BY asked_at, mention"""


def unanswered(db: Db, *, limit: int, after: tuple[datetime, str] | None = None) -> list[Entry]:
    """Return up to `limit` questions and requests that nobody answered, the oldest first.

    `after`: when the last one of the page before was asked, and its mention.
    """
    at, key = (0, "") if after is None else (micros(after[0]), after[1])
    return [_entry(row) for row in db.rows(_OPEN, (at, key, limit))]


def decided(
    db: Db, *, since: datetime, limit: int, before: tuple[datetime, str] | None = None
) -> list[Entry]:
    """Return up to `limit` that were answered or decided since then, the latest first.

    `before`: when the last one of the page before was decided, and its mention.
    """
    at, key = (2**62, "") if before is None else (micros(before[0]), before[1])
    return [_entry(row) for row in db.rows(_DECIDED, (micros(since), at, key, limit))]


def count(db: Db) -> int:
    """Return how many wait, `MOST` where there are as many or more."""
    return int(db.value(_COUNT, (MOST,)))


def of_mention(db: Db, key: str) -> Entry | None:
    """Return what is owed to this mention, or to the one that it repeats or continues."""
    row = db.row(
        f"""{_ENTRY} AND o.mention = coalesce(
            (SELECT same_as FROM obligations WHERE mention = ?1), ?1)""",  # noqa: S608 constants
        (key,),
    )
    return None if row is None else _entry(row)


def _entry(row: Row) -> Entry:
    state = row["item_state"]
    return Entry(
        mention=row["mention"],
        source=row["source"],
        intent=row["intent"],
        asked_at=moment(row["asked_at"]),
        clocks=_CLOCKS.decode(row["clocks"]),
        due_at=moment(row["due_at"]),
        warn_at=moment(row["warn_at"]),
        item=row["item"] if state is not None else None,
        item_state=None if state is None else QueueState(state),
        assignee=row["assignee"],
        since=moment(row["state_at"]) if state is not None else None,
        waiting_for=row["waiting_for"],
        snoozed_until=moment(row["snoozed_until"]),
        draft=row["draft"],
        repeats=row["repeats"],
        outcome=row["outcome"],
        actor=row["actor"],
        decided_at=moment(row["decided_at"]),
        reason=row["reason"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One question or request, and the business time until the first answer, None without one."""

    source: str
    intent: str
    asked_at: datetime
    answered: timedelta | None


def waits(db: Db, start: datetime, end: datetime, *, until: datetime) -> list[Wait]:
    """Return what was asked in this time, in order, with what was answered by `until`.

    What was no question after all, or went by then, is left out; so is what nobody can answer.
    """
    rows = db.rows(_WAITS, (micros(start), micros(end), micros(until)))
    return [
        Wait(
            source=row["source"],
            intent=row["intent"],
            asked_at=moment(row["asked_at"]),
            answered=None if row["answered_us"] is None else row["answered_us"] * _US,
        )
        for row in rows
    ]
