"""The outbox: notifications waiting for their receiver, and the log of those that were sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from veille.domain.notification import Facts, NotificationKind, OutboxRow, Ref
from veille.store import tallies
from veille.store.codec import clean, micros, moment, to_json
from veille.store.engine import Db, Row

ERROR_LENGTH = 500

_FACTS = msgspec.json.Decoder(Facts | None)
_REF = msgspec.json.Decoder(dict[str, str])

# the first waiting row of each incident: one receiver hears of an incident in order
_HEADS = """FROM outbox o WHERE o.receiver = ?1 AND o.state = 'waiting' AND NOT EXISTS (
    SELECT 1 FROM outbox e WHERE e.receiver = o.receiver AND e.incident = o.incident
    AND e.state = 'waiting' AND e.id < o.id)"""
_BEHIND = """SELECT 1 FROM outbox r WHERE r.receiver = o.receiver AND r.incident = o.incident
    AND r.state = 'waiting'"""
_NEXT = f"""SELECT o.* {_HEADS}
    AND (o.due_at <= ?2 OR o.attempts = 0 OR o.due_at > ?3)
    AND (o.lease_until <= ?2 OR o.lease_until > ?3)
    ORDER BY CASE
        WHEN EXISTS ({_BEHIND} AND r.kind IN ('opened', 'updated', 'repeated')
            AND json_extract(r.facts, '$.severity') = 'critical') THEN ?4
        WHEN EXISTS ({_BEHIND} AND r.kind = 'redacted') THEN 1
        ELSE 3 END,
    o.due_at, o.id LIMIT 1"""
_NEXT_DUE = f"SELECT min(max(o.due_at, o.lease_until)) {_HEADS}"


FARTHEST = timedelta(minutes=15)
"""No retry and no lease lies farther ahead: one that does was written before the clock was set
back, and holds nothing up. A row never tried is due whatever the clock says."""


class Delivery(StrEnum):
    """Where a notification is."""

    WAITING = "waiting"
    SENT = "sent"
    PARKED = "parked"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One line of the notification log. `tried_at` is when it was sent, refused or put off last."""

    id: int
    key: str
    receiver: str
    incident: int
    kind: NotificationKind
    state: Delivery
    due_at: datetime
    attempts: int
    tried_at: datetime | None
    error: str | None


def add(db: Db, rows: Sequence[OutboxRow]) -> int:
    """Each notification waits once for each receiver and is in the log; return how many are new."""
    return db.many(
        """INSERT OR IGNORE INTO outbox (key, receiver, incident, kind, facts, due_at, planned_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)""",
        [(r.key, r.receiver, r.incident, r.kind, to_json(r.facts), micros(r.due_at)) for r in rows],
    )


def claim(
    db: Db, receiver: str, *, now: datetime, lease: timedelta, is_turn_of_edits: bool = False
) -> OutboxRow | None:
    """Return the row this receiver should hear next, kept from others for `lease`.

    It is the longest due of those with no earlier row of the same incident waiting; first what is
    critical, then incidents whose messages show what was deleted since, then the rest. With
    `is_turn_of_edits` the first two change places. `attempts` counts the claims before this one:
    above 0 the message may have arrived already.
    """
    critical = 2 if is_turn_of_edits else 0
    row = db.row(_NEXT, (receiver, micros(now), micros(now + FARTHEST), critical))
    if row is None:
        return None
    db.execute(
        "UPDATE outbox SET lease_until = ?, attempts = attempts + 1 WHERE id = ?",
        (micros(now + lease), row["id"]),
    )
    return OutboxRow(
        id=row["id"],
        key=row["key"],
        receiver=row["receiver"],
        incident=row["incident"],
        kind=NotificationKind(row["kind"]),
        facts=_FACTS.decode(row["facts"]),
        due_at=moment(row["due_at"]),
        attempts=row["attempts"],
    )


def release(db: Db) -> int:
    """Every lease has ended: for the start, when only a killed process can have held one."""
    return db.execute(
        "UPDATE outbox SET lease_until = 0 WHERE state = 'waiting' AND lease_until > 0"
    ).rowcount


def sent(db: Db, row: OutboxRow, *, ref: Ref, now: datetime) -> None:
    """The row is sent, and later ones of its incident may follow; `ref` is kept."""
    db.execute(
        """UPDATE outbox SET state = 'sent', ref = ?, tried_at = ?, error = NULL, lease_until = 0
        WHERE id = ?""",
        (to_json(ref), micros(now), row.id),
    )
    tallies.add(db, now, [("sent", row.receiver, row.kind)])


def retry(db: Db, row: OutboxRow, *, due_at: datetime, error: str, now: datetime) -> None:
    """The row waits until `due_at`, and holds back later rows of its incident."""
    db.execute(
        """UPDATE outbox SET due_at = ?, error = ?, tried_at = ?, lease_until = 0
        WHERE id = ? AND state = 'waiting'""",
        (micros(due_at), clean(error)[:ERROR_LENGTH], micros(now), row.id),
    )
    if not row.attempts:
        tallies.add(db, now, [("failed", row.receiver, row.kind)])


def park(db: Db, row: OutboxRow, *, error: str, now: datetime) -> None:
    """The row is not tried again and holds nothing back; its cause is in the log."""
    db.execute(
        """UPDATE outbox SET state = 'parked', error = ?, tried_at = ?, lease_until = 0
        WHERE id = ? AND state = 'waiting'""",
        (clean(error)[:ERROR_LENGTH], micros(now), row.id),
    )
    tallies.add(db, now, [("parked", row.receiver, row.kind)])


def ref(db: Db, receiver: str, incident: int) -> Ref | None:
    """Return how the channel names the first message of this incident, as it last said."""
    found = db.value(
        """SELECT ref FROM outbox
        WHERE receiver = ? AND incident = ? AND state = 'sent' AND ref <> '{}'
        ORDER BY id DESC LIMIT 1""",
        (receiver, incident),
    )
    return None if found is None else _REF.decode(found)


def depth(db: Db) -> dict[str, int]:
    """Return how many rows wait for each receiver; one with none is absent."""
    found = db.rows(
        """SELECT receiver, count(*) AS count FROM outbox
        WHERE state = 'waiting' GROUP BY receiver ORDER BY receiver"""
    )
    return {row["receiver"]: row["count"] for row in found}


def troubles(db: Db) -> dict[str, tuple[int, str]]:
    """Return, by receiver that failed last, how many rows wait and why the oldest did not go."""
    found = db.rows(
        """SELECT receiver, count(*) AS count, max(error) AS error FROM outbox
        WHERE state = 'waiting' GROUP BY receiver HAVING max(error) IS NOT NULL ORDER BY receiver"""
    )
    return {row["receiver"]: (row["count"], row["error"]) for row in found}


def next_due(db: Db, receiver: str) -> datetime | None:
    """Return when `claim` can next give this receiver a row, None when nothing waits."""
    due: int | None = db.value(_NEXT_DUE, (receiver,))
    return moment(due)


def log(db: Db, incident: int) -> list[LogEntry]:
    """Return all notifications of an incident, sent or not, in the order they were planned."""
    return [
        _entry(r)
        for r in db.rows("SELECT * FROM outbox WHERE incident = ? ORDER BY id", (incident,))
    ]


def _entry(row: Row) -> LogEntry:
    return LogEntry(
        id=row["id"],
        key=row["key"],
        receiver=row["receiver"],
        incident=row["incident"],
        kind=NotificationKind(row["kind"]),
        state=Delivery(row["state"]),
        due_at=moment(row["due_at"]),
        attempts=row["attempts"],
        tried_at=moment(row["tried_at"]),
        error=row["error"],
    )
