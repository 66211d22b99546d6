"""What rules keep for longer than their windows: small facts by feed and mark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from veille.store.codec import json_list
from veille.store.engine import Db


def load(db: Db, feeds: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return what is kept for these feeds, by mark; one without anything is absent."""
    found: dict[str, dict[str, str]] = {}
    rows = db.rows(
        """SELECT feed, mark, state FROM memories
        WHERE feed IN (SELECT value FROM json_each(?))""",
        (json_list(feeds),),
    )
    for row in rows:
        found.setdefault(row["feed"], {})[row["mark"]] = row["state"]
    return found


def known(db: Db, feeds: Iterable[str]) -> set[str]:
    """Return those of the feeds for which something is kept."""
    rows = db.rows(
        """SELECT value FROM json_each(?) f
        WHERE EXISTS (SELECT 1 FROM memories WHERE feed = f.value)""",
        (json_list(feeds),),
    )
    return {row["value"] for row in rows}


def save(db: Db, states: Mapping[tuple[str, str], str | None]) -> None:
    """Each fact stands as given, by feed and mark; None: it is forgotten."""
    db.many(
        "INSERT OR REPLACE INTO memories VALUES (?, ?, ?)",
        [(*key, state) for key, state in states.items() if state is not None],
    )
    db.many(
        "DELETE FROM memories WHERE feed = ? AND mark = ?",
        [key for key, state in states.items() if state is None],
    )


def enforce(db: Db, feeds: Iterable[str]) -> None:
    """Nothing is kept for other feeds: a rule that went listens no more, and knows nothing."""
    db.execute(
        "DELETE FROM memories WHERE feed NOT IN (SELECT value FROM json_each(?))",
        (json_list(feeds),),
    )
