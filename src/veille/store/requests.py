"""Requests of the API that must not be done twice: their keys, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.store.codec import micros
from veille.store.engine import Db

KEPT = timedelta(hours=24)
"""How long a key is known: whoever repeats a request does so within a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A request that wrote something; `answer` is what was said, sealed, None where it is lost."""

    hash: str
    answer: bytes | None


def kept(db: Db, key: str, *, now: datetime) -> Kept | None:
    """Return what is known of the request of this key, None where it wrote nothing in 24 hours."""
    row = db.row(
        "SELECT hash, answer FROM api_requests WHERE key = ? AND at > ?", (key, micros(now - KEPT))
    )
    return None if row is None else Kept(hash=row["hash"], answer=row["answer"])


def note(db: Db, key: str, *, hash: str, now: datetime, answer: bytes | None = None) -> None:
    """The request of this key has written something, and was answered so; repeatable.

    `key` names user and key at once. Commit it with what the request writes.
    """
    db.execute(
        """INSERT INTO api_requests (key, hash, process, at, answer) VALUES (?, ?, '', ?, ?)
        ON CONFLICT (key) DO UPDATE SET hash = excluded.hash, at = excluded.at,
        answer = excluded.answer""",
        (key, hash, micros(now), answer),
    )


def forget(db: Db, key: str) -> None:
    """Nothing was done for this key: it may be used again."""
    db.execute("DELETE FROM api_requests WHERE key = ?", (key,))
