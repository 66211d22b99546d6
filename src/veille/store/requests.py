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
    """A request that began; `answer` is what was said, sealed, None while that is not known."""

    hash: str
    process: str
    answer: bytes | None


def begin(db: Db, key: str, *, hash: str, process: str, now: datetime) -> Kept | None:
    """Return what is known of this key; None: it is this request's from now on.

    `key` names user and key at once; `process` is the run of the daemon that does the work.
    """
    db.execute("DELETE FROM api_requests WHERE key = ? AND at <= ?", (key, micros(now - KEPT)))
    row = db.row("SELECT * FROM api_requests WHERE key = ?", (key,))
    if row is not None:
        return Kept(hash=row["hash"], process=row["process"], answer=row["answer"])
    db.execute(
        "INSERT INTO api_requests (key, hash, process, at) VALUES (?, ?, ?, ?)",
        (key, hash, process, micros(now)),
    )
    return None


def done(db: Db, key: str, answer: bytes) -> None:
    """The request of this key was answered so."""
    db.execute("UPDATE api_requests SET answer = ? WHERE key = ?", (answer, key))


def forget(db: Db, key: str) -> None:
    """Nothing was done for this key: it may be used again."""
    db.execute("DELETE FROM api_requests WHERE key = ?", (key,))
