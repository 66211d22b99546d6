"""How much comes from each source, and how late the last of it came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.store.codec import json_list, micros, moment
from veille.store.engine import Db

DAYS = 7
"""What is usual of a source: a week has each of its days."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What a source brought: `day` in the last 24 h, `week` in seven days, own posts too.

    `created_at` and `received_at` are of what came last, None where nothing of it is kept.
    """

    day: int = 0
    week: int = 0
    created_at: datetime | None = None
    received_at: datetime | None = None


def by_source(db: Db, sources: Iterable[str], *, now: datetime) -> dict[str, Flow]:
    """Return what each of these sources brought; counted by when it was written."""
    rows = db.rows(
        """SELECT s.value AS source, coalesce(c.day, 0) AS day, coalesce(c.week, 0) AS week,
            m.created_at, m.received_at
        FROM json_each(?1) s
        LEFT JOIN (SELECT name, sum(count) AS week, sum(iif(at >= ?3, count, 0)) AS day
            FROM tallies WHERE at >= ?2 AND what IN ('source', 'own') GROUP BY name) c
            ON c.name = s.value
        LEFT JOIN mentions m ON m.id = (SELECT max(id) FROM mentions
            WHERE source = s.value AND state <> 'deleted')""",
        (json_list(sources), micros(now - DAYS * _DAY), micros(now - _DAY)),
    )
    return {
        row["source"]: Flow(
            day=row["day"],
            week=row["week"],
            created_at=moment(row["created_at"]),
            received_at=moment(row["received_at"]),
        )
        for row in rows
    }
