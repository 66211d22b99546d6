"""Echoes: what an incident's messages repeat, and which other incidents they were heard in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from veille.domain.incident import Incident, Reach
from veille.store.codec import json_list, micros, moment
from veille.store.engine import Db, Row

LATEST = 1000
"""Messages of an incident that are looked at, the newest."""
COUNTED = 10_000
"""Messages of an incident that are counted: some 25 ms."""
_INCIDENT = msgspec.json.Decoder(Incident)
_GROUPS = """SELECT coalesce(c.cluster, e.mention) AS cluster, e.mention, e.seq, m.created_at,
        m.source
    FROM (SELECT mention, seq FROM evidence WHERE incident = ?1 ORDER BY seq DESC LIMIT ?2) e
    JOIN mentions m ON m.key = e.mention LEFT JOIN cluster_members c ON c.mention = m.id
    WHERE m.state <> 'deleted' ORDER BY e.seq"""
# by index from these clusters to their messages, to the incidents that hold them
_OTHERS = """SELECT i.incident, count(*) AS count FROM json_each(?1) k
    CROSS JOIN cluster_members c ON c.cluster = k.value
    CROSS JOIN mentions m ON m.id = c.mention
    CROSS JOIN evidence e ON e.mention = m.key
    CROSS JOIN incidents i ON i.id = e.incident
    WHERE i.id <> ?2 GROUP BY i.id ORDER BY count DESC, i.id DESC LIMIT ?3"""
_REACH = """SELECT sum(count) AS messages, count(author) AS authors, min(first_at) AS first_at,
        coalesce(sum(followers) FILTER (WHERE author IS NOT NULL), 0) AS followers
    FROM (SELECT count(*) AS count, CASE WHEN m.own THEN NULL ELSE m.author END AS author,
            max(m.followers) AS followers, min(m.created_at) AS first_at
        FROM (SELECT mention FROM evidence WHERE incident = ? ORDER BY seq DESC LIMIT ?) e
        JOIN mentions m ON m.key = e.mention WHERE m.state <> 'deleted'
        GROUP BY m.source, CASE WHEN m.own THEN NULL ELSE m.author END)"""
_OWN = """SELECT key FROM mentions WHERE own AND created_at >= ?1 AND created_at <= ?2
    AND state <> 'deleted' ORDER BY created_at DESC LIMIT ?3"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Messages of one incident that say the same: the newest, how many, since when, from where.

    `cluster` is the key of the message where it stands alone.
    """

    cluster: str
    key: str
    count: int
    first_at: datetime
    sources: tuple[str, ...]


def groups(db: Db, incident_id: int) -> list[Group]:
    """Return what an incident's newest messages say, each once, in the order of their newest."""
    found: dict[str, list[Row]] = {}
    for row in db.rows(_GROUPS, (incident_id, LATEST)):
        found.setdefault(row["cluster"], []).append(row)
    return [
        _group(name, rows) for name, rows in sorted(found.items(), key=lambda x: x[1][-1]["seq"])
    ]


def _group(name: str, rows: Sequence[Row]) -> Group:
    return Group(
        cluster=name,
        key=rows[-1]["mention"],
        count=len(rows),
        first_at=moment(min(row["created_at"] for row in rows)),
        sources=tuple(sorted({row["source"] for row in rows})),
    )


def reach(db: Db, incident_id: int) -> Reach | None:
    """Return how much an incident's messages are; None of none that is kept, or of over COUNTED."""
    row = db.row(_REACH, (incident_id, COUNTED + 1))
    if row is None or not 0 < (row["messages"] or 0) <= COUNTED:
        return None
    return Reach(
        messages=row["messages"],
        authors=row["authors"],
        followers=row["followers"],
        first_at=moment(row["first_at"]),
    )


def others(
    db: Db, incident_id: int, clusters: Sequence[str], *, limit: int
) -> list[tuple[Incident, int]]:
    """Return incidents in which the same was said, with how many messages, the most first."""
    rows = db.rows(_OTHERS, (json_list(clusters), incident_id, limit))
    return [(_INCIDENT.decode(row["incident"]), row["count"]) for row in rows]


def own_words(db: Db, *, since: datetime, until: datetime, limit: int) -> list[str]:
    """Return the keys of what the institution said meanwhile, newest first."""
    rows = db.rows(_OWN, (micros(since), micros(until), limit))
    return [row["key"] for row in rows]
