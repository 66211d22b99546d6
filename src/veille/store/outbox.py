"""The outbox: notifications waiting for their receiver, and the log of those that were sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from veille.domain.notification import Diverted, Facts, NotificationKind, OutboxRow, Ref
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
        WHEN EXISTS ({_BEHIND} AND r.kind IN ('opened', 'updated', 'repeated', 'escalated')
            AND json_extract(r.facts, '$.severity') = 'critical') THEN ?4
        WHEN EXISTS ({_BEHIND} AND r.kind = 'redacted') THEN 1
        ELSE 3 END,
    o.due_at, o.id LIMIT 1"""
# what came later tells it too; who only reads that numbers grew must still hear the rest
_GREW = (NotificationKind.REFRESHED,)
_QUIET = (NotificationKind.REFRESHED, NotificationKind.MUTED, NotificationKind.REDACTED)
_TOLD_AGAIN = (NotificationKind.UPDATED, NotificationKind.REPEATED)
_LATER = """SELECT min(r.id) FROM outbox r WHERE r.receiver = ?1 AND r.incident = ?2
    AND r.state = 'waiting' AND r.id > ?3 AND r.kind NOT IN (SELECT value FROM json_each(?4))"""
_UNDIVERTED = """SELECT * FROM outbox WHERE receiver = ?1 AND state = 'waiting' AND diverted_at = 0
    AND facts <> 'null' AND kind NOT IN (SELECT value FROM json_each(?2)) AND ?3 IN (0, id)
    ORDER BY id"""
_NEXT_DUE = f"SELECT min(max(o.due_at, o.lease_until)) {_HEADS}"


FARTHEST = timedelta(minutes=15)
"""No retry and no lease lies farther ahead: one that does was written before the clock was set
back, and holds nothing up. A row never tried is due whatever the clock says."""


class Delivery(StrEnum):
    """Where a notification is."""

    WAITING = "waiting"
    SENT = "sent"
    MERGED = "merged"
    DROPPED = "dropped"
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
    above 0 the message may have arrived already. What later news of its incident tells too is
    merged into them, and not sent.
    """
    critical = 2 if is_turn_of_edits else 0
    due = (receiver, micros(now), micros(now + FARTHEST), critical)
    while (row := db.row(_NEXT, due)) is not None and _merge(db, row, now):
        pass
    if row is None:
        return None
    db.execute(
        "UPDATE outbox SET lease_until = ?, attempts = attempts + 1, unsure = 1 WHERE id = ?",
        (micros(now + lease), row["id"]),
    )
    return _row(row)


def _row(row: Row) -> OutboxRow:
    return OutboxRow(
        id=row["id"],
        key=row["key"],
        receiver=row["receiver"],
        incident=row["incident"],
        kind=NotificationKind(row["kind"]),
        facts=_FACTS.decode(row["facts"]),
        due_at=moment(row["due_at"]),
        attempts=row["attempts"],
        may_repeat=bool(row["unsure"]),
    )


def _merge(db: Db, row: Row, now: datetime) -> bool:
    """Whether a later notification tells what this one would: it is put aside then."""
    if row["kind"] in _GREW:
        weaker: tuple[NotificationKind, ...] = (NotificationKind.REDACTED,)
    elif row["kind"] in _TOLD_AGAIN:
        weaker = _QUIET
    else:
        return False
    later = db.value(_LATER, (row["receiver"], row["incident"], row["id"], to_json(weaker)))
    if later is None:
        return False
    db.execute(
        """UPDATE outbox SET state = 'sent', ref = '{}', merged_into = ?, tried_at = ?,
        error = NULL, lease_until = 0 WHERE id = ?""",
        (later, micros(now), row["id"]),
    )
    # the receiver is not heard of again by this: what failed goes on failing since then
    db.execute(
        """UPDATE outbox SET failed_at = ?1
        WHERE id = ?2 AND ?1 > 0 AND (failed_at = 0 OR failed_at > ?1)""",
        (row["failed_at"], later),
    )
    return True


def divert(
    db: Db,
    receiver: str,
    *,
    to: str,
    told: Diverted,
    now: datetime,
    except_kinds: Sequence[NotificationKind],
    only: int = 0,
) -> list[OutboxRow]:
    """What waits for `receiver` waits for `to` as well, once; return what `to` did not have.

    The originals go on waiting. With `only`, it is the row of that id alone.
    """
    found = db.rows(_UNDIVERTED, (receiver, to_json(except_kinds), only))
    new: list[OutboxRow] = []
    for row in map(_row, found):
        if row.facts is not None:
            facts = replace(row.facts, diverted=told)
            copy = replace(row, id=0, attempts=0, receiver=to, facts=facts, due_at=now)
            new += [copy] * add(db, [copy])
        db.execute("UPDATE outbox SET diverted_at = ? WHERE id = ?", (micros(now), row.id))
    return new


def failing_since(db: Db, receiver: str) -> datetime | None:
    """Return when the oldest failure lies of what waits; None where nothing failed since a sent."""
    found: int | None = db.value(
        """SELECT min(failed_at) FROM outbox
        WHERE receiver = ? AND state = 'waiting' AND failed_at > 0""",
        (receiver,),
    )
    return moment(found)


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
    db.execute(
        "UPDATE outbox SET failed_at = 0 WHERE receiver = ? AND state = 'waiting' AND failed_at",
        (row.receiver,),
    )
    tallies.add(db, now, [("sent", row.receiver, row.kind)])


def retry(
    db: Db,
    row: OutboxRow,
    *,
    due_at: datetime,
    error: str,
    now: datetime,
    since: datetime | None = None,
    is_unknown: bool = False,
) -> None:
    """The row waits until `due_at`, and holds back later rows of its incident.

    `since` is when the attempt began that failed, `now` by default. `is_unknown`: it may have
    arrived all the same, and the next try may repeat it.
    """
    db.execute(
        """UPDATE outbox SET due_at = ?1, error = ?2, tried_at = ?3, lease_until = 0,
        failed_at = iif(failed_at, failed_at, ?6), unsure = ?5
        WHERE id = ?4 AND state = 'waiting'""",
        (
            micros(due_at),
            clean(error)[:ERROR_LENGTH],
            micros(now),
            row.id,
            is_unknown or row.may_repeat,
            micros(since or now),
        ),
    )
    if not row.attempts:
        tallies.add(db, now, [("failed", row.receiver, row.kind)])


def drop(db: Db, row: OutboxRow, *, now: datetime) -> None:
    """The row is not sent any more, holds nothing back, and stays in the log as dropped."""
    db.execute(
        """UPDATE outbox SET state = 'sent', ref = '{}', dropped_at = ?1, tried_at = ?1,
        lease_until = 0 WHERE id = ?2 AND state = 'waiting'""",
        (micros(now), row.id),
    )


def withdraw(
    db: Db, incident: int, kinds: Sequence[NotificationKind], *, at: datetime
) -> frozenset[str]:
    """What was planned then, of these kinds, and not tried yet is not sent; return for whom."""
    gone = db.rows(
        """DELETE FROM outbox WHERE incident = ?1 AND planned_at = ?2 AND state = 'waiting'
        AND attempts = 0 AND kind IN (SELECT value FROM json_each(?3)) RETURNING receiver""",
        (incident, micros(at), to_json(kinds)),
    )
    return frozenset(row["receiver"] for row in gone)


def revive(db: Db, incident: int, *, since: datetime) -> None:
    """What was dropped since then because somebody took the incident waits again."""
    db.execute(
        """UPDATE outbox SET state = 'waiting', dropped_at = NULL, ref = NULL, tried_at = NULL
        WHERE incident = ? AND dropped_at >= ?""",
        (incident, micros(since)),
    )


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


def _state(row: Row) -> Delivery:
    if row["dropped_at"] is not None:
        return Delivery.DROPPED
    return Delivery(row["state"]) if row["merged_into"] is None else Delivery.MERGED


def _entry(row: Row) -> LogEntry:
    return LogEntry(
        id=row["id"],
        key=row["key"],
        receiver=row["receiver"],
        incident=row["incident"],
        kind=NotificationKind(row["kind"]),
        state=_state(row),
        due_at=moment(row["due_at"]),
        attempts=row["attempts"],
        tried_at=moment(row["tried_at"]),
        error=row["error"],
    )
