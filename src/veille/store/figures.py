"""Figures for the monitor: what waits, how old it is, who fails. Counts and ids, no texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from veille.store import sources, watermarks, work
from veille.store.codec import moment
from veille.store.engine import Db, Row
from veille.store.sources import SourceHealth

EVALUATED, DISPATCHED = "evaluate", "dispatch"
NEW_AT_MOST = 20_000
"""Rows looked at in one read: a minute of mentions at the highest rate measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What a stage has before it, and since when the oldest waits (None: nothing does)."""

    count: int
    oldest_at: datetime | None
    is_failing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How everything stands. `stages` and `parked` are by stage, `outbox` by receiver, `alerts` and
    `incidents` by state and severity; those with nothing may be absent.
    """

    sources: Mapping[str, SourceHealth]
    stages: Mapping[str, Waiting]
    outbox: Mapping[str, Waiting]
    parked: Mapping[str, int]
    alerts: Mapping[tuple[str, str], int]
    incidents: Mapping[tuple[str, str], int]
    sqlite_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How far events were read: the last mention, the last line of the timeline."""

    mention: int
    event: int


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What happened since the marks: seconds each new mention and each taken thing had waited."""

    marks: Marks
    lags_s: tuple[float, ...]
    acks_s: tuple[float, ...]


def figures(db: Db) -> Figures:
    """Return how everything stands now; bounded by what waits, never by all that is stored."""
    backlog = work.backlog(db)
    outbox = {row["receiver"]: _waiting(row) for row in db.rows(_OUTBOX)}
    oldest = [waiting.oldest_at for waiting in outbox.values() if waiting.oldest_at is not None]
    return Figures(
        sources={health.source: health for health in sources.health(db)},
        stages={
            "analyze": Waiting(count=backlog.count, oldest_at=backlog.oldest_at),
            "evaluate": _behind(db, _UNEVALUATED, EVALUATED),
            "dispatch": _behind(db, _UNDISPATCHED, DISPATCHED),
            "deliver": Waiting(
                count=sum(waiting.count for waiting in outbox.values()),
                oldest_at=min(oldest, default=None),
            ),
        },
        outbox=outbox,
        parked={
            "analyze": int(db.value("SELECT count(*) FROM mentions WHERE state = 'parked'")),
            "deliver": int(db.value("SELECT count(*) FROM outbox WHERE state = 'parked'")),
        },
        alerts=_by_state(db, _ALERTS),
        incidents=_by_state(db, _INCIDENTS),
        sqlite_version=str(db.value("SELECT sqlite_version()")),
    )


def marks(db: Db) -> Marks:
    """Return the end of everything: news are counted from there."""
    return Marks(
        mention=int(db.value("SELECT max(id) FROM mentions") or 0),
        event=int(db.value("SELECT max(seq) FROM timeline") or 0),
    )


def news(db: Db, since: Marks) -> News:
    """Return what happened after `since`; what is over the limit comes with the next read."""
    mentions = db.rows(_ARRIVED, (since.mention, NEW_AT_MOST))
    events = db.rows(_HAPPENED, (since.event, NEW_AT_MOST))
    return News(
        marks=Marks(
            mention=mentions[-1]["id"] if mentions else since.mention,
            event=events[-1]["seq"] if events else since.event,
        ),
        lags_s=tuple(max(0, row["lag"]) / 1e6 for row in mentions),
        acks_s=tuple(
            waited for row in events if row["since"] is not None and (waited := _waited_s(row)) >= 0
        ),
    )


_UNEVALUATED = """SELECT count(*) AS count, min(received_at) AS oldest, 0 AS is_failing
    FROM observations WHERE seq > ?"""
_UNDISPATCHED = """SELECT count(*) AS count, min(at) AS oldest, 0 AS is_failing
    FROM transitions WHERE seq > ?"""
_OUTBOX = """SELECT receiver, count(*) AS count, min(planned_at) AS oldest,
    max(error) IS NOT NULL AS is_failing
    FROM outbox WHERE state = 'waiting' GROUP BY receiver"""
_ALERTS = """SELECT state, json_extract(alert, '$.severity') AS severity, count(*) AS count
    FROM alerts WHERE state <> 'resolved' AND json_extract(alert, '$.shadow') IS NOT 1
    GROUP BY 1, 2"""
_INCIDENTS = """SELECT state, severity, count(*) AS count FROM incidents
    WHERE state IN ('open', 'acknowledged') GROUP BY 1, 2"""
_ARRIVED = """SELECT id, received_at - created_at AS lag FROM mentions
    WHERE id > ? ORDER BY id LIMIT ?"""
# an incident's opening is in its JSON, a queue item's in its row
_HAPPENED = """SELECT t.seq, t.at, CASE t.kind
        WHEN 'incident.acknowledged' THEN (SELECT json_extract(i.incident, '$.opened_at')
            FROM incidents i WHERE i.id = CAST(substr(t.target, 2) AS INTEGER))
        WHEN 'queue.taken' THEN (SELECT q.created_at
            FROM queue q WHERE q.id = CAST(substr(t.target, 2) AS INTEGER))
        END AS since
    FROM timeline t WHERE t.seq > ? ORDER BY t.seq LIMIT ?"""


def _waited_s(row: Row) -> float:
    since = row["since"]
    began: datetime = datetime.fromisoformat(since) if isinstance(since, str) else moment(since)
    taken: datetime = moment(row["at"])
    return (taken - began).total_seconds()


def _behind(db: Db, sql: str, name: str) -> Waiting:
    row = db.row(sql, (watermarks.get(db, name),))
    return Waiting(count=0, oldest_at=None) if row is None else _waiting(row)


def _waiting(row: Row) -> Waiting:
    return Waiting(
        count=row["count"], oldest_at=moment(row["oldest"]), is_failing=bool(row["is_failing"])
    )


def _by_state(db: Db, sql: str) -> dict[tuple[str, str], int]:
    return {(row["state"], row["severity"]): row["count"] for row in db.rows(sql)}
