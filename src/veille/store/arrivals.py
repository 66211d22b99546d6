"""When messages came: of one incident, and of all for the last day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.domain.alert import Severity
from veille.store.codec import micros, moment
from veille.store.engine import Db

DAY = timedelta(days=1)
_HOUR_US = 3600 * 1_000_000
_NEWEST = 200
"""Incidents looked at for the last day: a night of flood opens some dozens."""
_TIMES = """SELECT m.created_at FROM (SELECT mention FROM evidence WHERE incident = ?
        ORDER BY seq DESC LIMIT ?) e JOIN mentions m ON m.key = e.mention ORDER BY 1"""
_HOURS = """SELECT at / ?3 AS hour, sum(count) AS count,
        sum(CASE WHEN label = 'negative' THEN count ELSE 0 END) AS negative
    FROM tallies WHERE at >= ?1 AND at < ?2 AND what = 'source' GROUP BY hour ORDER BY hour"""
_OPENED = """SELECT severity, count(*) AS count FROM (
        SELECT severity, json_extract(incident, '$.opened_at') AS at
        FROM incidents ORDER BY id DESC LIMIT ?2)
    WHERE at >= strftime('%Y-%m-%dT%H:%M:%S', ?1 / 1000000, 'unixepoch') GROUP BY severity"""


def of_incident(db: Db, incident_id: int, *, limit: int) -> list[datetime]:
    """Return when the last `limit` messages of an incident were written, oldest first."""
    return [moment(row["created_at"]) for row in db.rows(_TIMES, (incident_id, limit))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The 24 h before now, and how many messages came in the 24 h before them.

    `hours` are messages by the hour they began in; `opened` incidents by severity.
    """

    hours: Mapping[datetime, int]
    negative: int
    before: int
    opened: Mapping[Severity, int]

    @property
    def count(self) -> int:
        """How many messages came."""
        return sum(self.hours.values())


def day(db: Db, *, now: datetime) -> Day:
    """Return how the last 24 h were, own messages left out; at most 200 incidents count."""
    start, end = micros(now - DAY), micros(now)
    rows = db.rows(_HOURS, (start, end, _HOUR_US))
    before = db.rows(_HOURS, (micros(now - 2 * DAY), start, _HOUR_US))
    opened = db.rows(_OPENED, (start, _NEWEST))
    return Day(
        hours={moment(row["hour"] * _HOUR_US): row["count"] for row in rows},
        negative=sum(row["negative"] for row in rows),
        before=sum(row["count"] for row in before),
        opened={Severity(row["severity"]): row["count"] for row in opened},
    )
