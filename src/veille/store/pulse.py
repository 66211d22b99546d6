"""Marks: short words that change when what a page shows has changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from veille.store.engine import Db

TOPIC = re.compile(r"incidents|queue|sources|gone|[IQ][1-9][0-9]{0,17}", re.ASCII)
"""What may be watched: all open incidents, the queue, the sources, what of all texts is erased, one
incident, one item."""

# one row of numbers and ids each, by an index: they are asked once a second
SQL = {
    "incidents": "SELECT id, version FROM incidents WHERE state IN ('open', 'acknowledged') "
    "ORDER BY id",
    # whatever people or rules do to the queue has a line
    "queue": "SELECT max(seq) FROM timeline",
    "sources": "SELECT source, error FROM sources ORDER BY source",
    # each deletion leaves one, whoever made it
    "gone": "SELECT max(rowid) FROM tombstones",
    "I": """SELECT version, (SELECT max(seq) FROM timeline WHERE target = 'I' || ?1),
        (SELECT max(seq) FROM evidence WHERE incident = ?1) FROM incidents WHERE id = ?1""",
    "Q": """SELECT q.version, m.version, m.state,
        (SELECT max(seq) FROM timeline WHERE target = 'Q' || ?1)
        FROM queue q LEFT JOIN mentions m ON m.key = q.mention WHERE q.id = ?1""",
}
"""By topic, by letter where a number follows."""


def marks(db: Db, topics: Iterable[str]) -> dict[str, str]:
    """Return the mark of each topic now; take it from the snapshot the page is read from."""
    return {topic: _mark(db, topic) for topic in topics if TOPIC.fullmatch(topic)}


def _mark(db: Db, topic: str) -> str:
    found = db.rows(SQL[topic]) if topic in SQL else db.rows(SQL[topic[0]], (int(topic[1:]),))
    said = repr([tuple(row) for row in found])
    return hashlib.blake2s(said.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
