"""What was said around a mention: what it answers, what answers it, and the rest of its thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from veille.store.codec import json_list
from veille.store.engine import Db

DEPTH = 10
"""Answers to answers that are followed; a source may send a loop."""
NEAR = 10
"""Texts read on each side: a reader wants the exchange, not a thousand comments."""

_ABOVE = """WITH RECURSIVE above(key, depth) AS (
        SELECT reply_to, 1 FROM mentions WHERE key = ?1 AND reply_to IS NOT NULL
        UNION ALL
        SELECT m.reply_to, depth + 1 FROM above JOIN mentions m ON m.key = above.key
        WHERE m.reply_to IS NOT NULL AND depth < ?2)
    SELECT above.key, m.key IS NOT NULL AS is_held FROM above
    LEFT JOIN mentions m ON m.key = above.key AND m.state <> 'deleted'"""
_ANSWERS = """SELECT key FROM mentions WHERE reply_to = ?1 AND state <> 'deleted'
    ORDER BY created_at LIMIT ?2"""
_BEFORE = """SELECT key FROM mentions WHERE thread = ?1 AND created_at < ?2
    AND state <> 'deleted' ORDER BY created_at DESC LIMIT ?3"""
_AFTER = """SELECT key FROM mentions WHERE thread = ?1 AND created_at >= ?2
    AND state <> 'deleted' ORDER BY created_at LIMIT ?3"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """Keys of the texts around a mention, itself apart, in no order; `items` has queue numbers.

    `is_cut`: what it answers is not stored, or there is more than was read.
    """

    keys: frozenset[str] = frozenset()
    items: Mapping[str, int] = field(default_factory=dict)
    is_cut: bool = False


def around(db: Db, key: str) -> Thread:
    """Return what is stored around this mention: `NEAR` texts on each side, `DEPTH` answers up."""
    here = db.row("SELECT thread, created_at FROM mentions WHERE key = ?", (key,))
    if here is None:
        return Thread()
    above = db.rows(_ABOVE, (key, DEPTH))
    found = [row["key"] for row in above if row["is_held"]]
    root = here["thread"] or key
    parts = [
        _keys(db, _ANSWERS, (key, NEAR + 1)),
        _keys(db, _BEFORE, (root, here["created_at"], NEAR + 1)),
        [each for each in _keys(db, _AFTER, (root, here["created_at"], NEAR + 2)) if each != key],
        _keys(db, "SELECT key FROM mentions WHERE key = ? AND state <> 'deleted'", (root,)),
    ]
    for part in parts:
        found += part[:NEAR]
    keys = frozenset(found) - {key}
    queued = db.rows(
        "SELECT mention, id FROM queue WHERE mention IN (SELECT value FROM json_each(?))",
        (json_list(keys),),
    )
    is_lost = any(not row["is_held"] for row in above)
    return Thread(
        keys=keys,
        items={row["mention"]: row["id"] for row in queued},
        is_cut=is_lost or any(len(part) > NEAR for part in parts),
    )


def _keys(db: Db, sql: str, params: tuple[str | int, ...]) -> list[str]:
    return [row["key"] for row in db.rows(sql, params)]
