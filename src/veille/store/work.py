"""Work of the analyze stage: claimed by lease, saved once, retried, parked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from veille.domain.analysis import Analysis, UrgencyLabel
from veille.domain.errors import InputError
from veille.store import facets
from veille.store.codec import clean, json_list, micros, moment, to_json
from veille.store.engine import Db
from veille.store.mentions import observe
from veille.store.tallies import count_mention

FIRST_DELAY = timedelta(seconds=10)
LONGEST_DELAY = timedelta(minutes=10)
ERROR_LENGTH = 500

_ANALYSIS = msgspec.json.Decoder(Analysis)
_NAMES = msgspec.json.Decoder(tuple[str, ...])

PROMPT = timedelta(minutes=1)
"""A mention analyzed within this time counts in windows from its arrival, a later one from then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One version of a mention, to be analyzed; `own`: published by the institution itself.

    `attempts`: how often it failed before.
    """

    key: str
    version: int
    text: str
    created_at: datetime
    received_at: datetime
    watches: tuple[str, ...] = ()
    author: str | None = None
    own: bool = False
    has_media: bool = False
    lang: str | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Mentions not analyzed yet, and when the oldest was received (None: nothing waits)."""

    count: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A mention whose analysis failed too often, and why; it waits for a person."""

    key: str
    source: str
    received_at: datetime
    attempts: int
    error: str


def claim(db: Db, *, limit: int, now: datetime, lease: timedelta) -> list[Work]:
    """Return up to `limit` mentions to analyze, oldest first; nobody else gets them for `lease`."""
    found = db.rows(
        """SELECT id, key, version, text, lang, created_at, received_at, watches, author, own,
        attempts, media <> '[]' AS has_media FROM mentions
        WHERE state = 'new' AND due_at <= ?1 AND lease_until <= ?1
        ORDER BY received_at, id LIMIT ?2""",
        (micros(now), limit),
    )
    if found:
        until = micros(now + lease)
        db.many(
            "UPDATE mentions SET lease_until = ? WHERE id = ?", [(until, r["id"]) for r in found]
        )
    return [
        Work(
            key=r["key"],
            version=r["version"],
            text=r["text"],
            created_at=moment(r["created_at"]),
            received_at=moment(r["received_at"]),
            watches=_NAMES.decode(r["watches"]),
            author=r["author"],
            own=bool(r["own"]),
            has_media=bool(r["has_media"]),
            lang=r["lang"],
            attempts=r["attempts"],
        )
        for r in found
    ]


def release(db: Db) -> int:
    """Every lease has ended: when nobody reads what was claimed, at a start or by who claims."""
    return db.execute(
        "UPDATE mentions SET lease_until = 0 WHERE state = 'new' AND lease_until > 0"
    ).rowcount


def save(db: Db, results: Sequence[tuple[Work, Analysis]], *, now: datetime) -> int:
    """Each analysis is stored once and observed once, in order; return how many were.

    Results for a version since edited, deleted or analyzed are ignored. A sealed original stays
    only where the mention is urgent. Raises InputError for a score that is no number.
    """
    return sum(_save(db, item, analysis, now) for item, analysis in results)


def fail(db: Db, keys: Iterable[str], *, error: str, now: datetime, max_attempts: int = 5) -> None:
    """Each mention waits longer than before, or is parked with `error` at the last attempt."""
    for row in db.rows(
        """SELECT id, attempts + 1 AS attempts FROM mentions
        WHERE state = 'new' AND key IN (SELECT value FROM json_each(?))""",
        (json_list(keys),),
    ):
        attempts = row["attempts"]
        db.execute(
            """UPDATE mentions SET attempts = ?, due_at = ?, lease_until = 0, error = ?, state = ?
            WHERE id = ?""",
            (
                attempts,
                micros(now + delay(attempts)),
                clean(error)[:ERROR_LENGTH],
                "parked" if attempts >= max_attempts else "new",
                row["id"],
            ),
        )


def delay(attempts: int) -> timedelta:
    """Return the wait after so many failures (1 or more): 10 s, then doubled, 10 min at most."""
    doubled: int = 1 << min(attempts - 1, 16)
    return min(FIRST_DELAY * doubled, LONGEST_DELAY)


def backlog(db: Db) -> Backlog:
    """Return how much waits to be analyzed, claimed or not; parked mentions do not wait."""
    row = db.row(
        "SELECT count(*) AS count, min(received_at) AS oldest FROM mentions WHERE state = 'new'"
    )
    if row is None:
        return Backlog(count=0, oldest_at=None)
    return Backlog(count=row["count"], oldest_at=moment(row["oldest"]))


def parked(db: Db) -> list[Parked]:
    """Return all parked mentions, oldest first."""
    found = db.rows(
        """SELECT key, source, received_at, attempts, error FROM mentions
        WHERE state = 'parked' ORDER BY received_at, id"""
    )
    return [
        Parked(
            key=r["key"],
            source=r["source"],
            received_at=moment(r["received_at"]),
            attempts=r["attempts"],
            error=r["error"] or "",
        )
        for r in found
    ]


def unpark(db: Db, keys: Iterable[str]) -> int:
    """These parked mentions are new again, with all attempts; return how many were parked."""
    return db.execute(
        """UPDATE mentions SET state = 'new', attempts = 0, due_at = 0, lease_until = 0,
        error = NULL WHERE state = 'parked' AND key IN (SELECT value FROM json_each(?))""",
        (json_list(keys),),
    ).rowcount


def _save(db: Db, item: Work, analysis: Analysis, now: datetime) -> bool:
    row = db.row(
        """SELECT id, received_at FROM mentions
        WHERE key = ? AND version = ? AND state IN ('new', 'parked')""",
        (item.key, item.version),
    )
    if row is None:
        return False
    db.execute(
        "INSERT INTO analyses VALUES (?, ?, ?, ?)",
        (row["id"], item.version, micros(now), encode(item.key, analysis)),
    )
    db.execute(
        """UPDATE mentions SET state = 'analyzed', attempts = 0, due_at = 0, lease_until = 0,
        error = NULL, sealed = CASE WHEN ? THEN sealed END WHERE id = ?""",
        (analysis.urgency.label is UrgencyLabel.URGENT, row["id"]),
    )
    facets.refresh(db, row["id"])
    received_at = moment(row["received_at"])
    # what waited long (a kill, a backlog) counts from now: its window may have passed unseen
    observe(db, row["id"], received_at if now - received_at <= PROMPT else now)
    count_mention(db, row["id"], analysis)
    return True


def encode(key: str, analysis: Analysis) -> str:
    """Return what is stored of it. Raises InputError for a score that is no number."""
    body = to_json(analysis)
    try:
        _ANALYSIS.decode(body)  # NaN is written as null: fail here, not at every later reading
    except msgspec.ValidationError as error:
        raise InputError(f"analysis of {key}: {error}; the model gave no number") from error
    return body
