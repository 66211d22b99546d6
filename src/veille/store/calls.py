"""Calls: notes that name a colleague, until that colleague looked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from veille.store import users
from veille.store.codec import clean, json_list, micros, moment
from veille.store.engine import Db, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A note of `actor` on `target` (`I12`, `Q345`) that names a user; `text` is the note."""

    target: str
    actor: str
    at: datetime
    text: str


def add(db: Db, *, note: int, names: Iterable[str], target: str, actor: str, at: datetime) -> None:
    """Each of these users is called by the note of this row of the timeline."""
    db.many(
        """INSERT OR IGNORE INTO calls (note, user, target, actor, at)
        SELECT ?, folded, ?, ?, ? FROM users WHERE folded = ?""",
        [(note, target, clean(actor), micros(at), users.folded(name)) for name in names],
    )


def open_for(db: Db, user: str, *, limit: int = 100) -> list[Call]:
    """Return the calls this user has not looked at, newest first."""
    rows = db.rows(
        """SELECT c.target, c.actor, c.at, t.text FROM calls c JOIN timeline t ON t.seq = c.note
        WHERE c.user = ? AND c.seen_at IS NULL ORDER BY c.at DESC, c.note DESC LIMIT ?""",
        (users.folded(user), limit),
    )
    return [_call(row) for row in rows]


def count_for(db: Db, user: str) -> int:
    """Return how many calls this user has not looked at."""
    found = db.value(
        "SELECT count(*) FROM calls WHERE user = ? AND seen_at IS NULL", (users.folded(user),)
    )
    return int(found)


def has_open(db: Db, user: str, target: str) -> bool:
    """Whether this user is called to `target` and has not looked at it."""
    return bool(
        db.value(
            "SELECT 1 FROM calls WHERE user = ? AND target = ? AND seen_at IS NULL",
            (users.folded(user), target),
        )
    )


def seen(db: Db, user: str, target: str, *, now: datetime) -> int:
    """The user looked at `target`; return how many calls of it that answered."""
    return db.execute(
        "UPDATE calls SET seen_at = ? WHERE user = ? AND target = ? AND seen_at IS NULL",
        (micros(now), users.folded(user), target),
    ).rowcount


def drop_of(db: Db, targets: Iterable[str]) -> int:
    """Nobody is called to these targets any more; return how many calls went."""
    return db.execute(
        "DELETE FROM calls WHERE target IN (SELECT value FROM json_each(?))",
        (json_list(targets),),
    ).rowcount


def _call(row: Row) -> Call:
    return Call(target=row["target"], actor=row["actor"], at=moment(row["at"]), text=row["text"])
