"""Authors who objected, by keyed hash: what they write is not stored."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from veille.store.codec import json_list, micros
from veille.store.engine import Db


def add(db: Db, marks: Iterable[str], *, at: datetime) -> int:
    """Nothing that comes under these marks is stored from now on; return how many are new."""
    rows = [(mark, micros(at)) for mark in marks]
    return db.many("INSERT OR IGNORE INTO oppositions VALUES (?, ?)", rows)


def holds(db: Db, marks: Iterable[str]) -> bool:
    """Whether the author who has any of these marks objected."""
    return bool(
        db.value(
            """SELECT EXISTS (SELECT 1 FROM oppositions
            WHERE mark IN (SELECT value FROM json_each(?)))""",
            (json_list(marks),),
        )
    )


def count(db: Db) -> int:
    """Return how many marks are held."""
    return int(db.value("SELECT count(*) FROM oppositions"))
