"""Sources: their cursors, the receipts of their requests, and how they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.domain.errors import ConflictError
from veille.domain.record import Receipt
from veille.store.codec import clean, micros, moment
from veille.store.engine import Db

ERROR_LENGTH = 500
RULES = "*rules"
"""The rules folder has a row beside the sources: no source can have this id."""
OUTAGE = timedelta(minutes=1)
"""Shorter ones are no outage: a page that answers again was not missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """How a source is. Counts are totals; `failures` counts those since the last good read.

    `read_at` is the last good read, `accepted_at` the last that brought something to store.
    `error` is None while the last read was good.
    """

    source: str
    read_at: datetime | None
    accepted_at: datetime | None
    accepted: int
    unmatched: int
    rejected: int
    unknown_fields: int
    opposed: int
    failures: int
    error: str | None
    error_at: datetime | None
    next_try_at: datetime | None
    failing_since: datetime | None = None


def cursor(db: Db, source: str) -> str | None:
    """Return where the next read of this source begins, None before the first."""
    found: str | None = db.value("SELECT cursor FROM sources WHERE source = ?", (source,))
    return found


def set_cursor(db: Db, source: str, cursor: str, now: datetime) -> None:
    """The next read begins at `cursor`; commit it with the batch it came with."""
    db.execute(
        """INSERT INTO sources (source, cursor, cursor_at) VALUES (?, ?, ?)
        ON CONFLICT (source) DO UPDATE
        SET cursor = excluded.cursor, cursor_at = excluded.cursor_at""",
        (source, cursor, micros(now)),
    )


def receipt(db: Db, source: str, webhook_id: str) -> Receipt | None:
    """Return what was answered to this request, None when it is new."""
    row = db.row(
        "SELECT * FROM receipts WHERE source = ? AND webhook_id = ?",
        (clean(source), clean(webhook_id)),
    )
    if row is None:
        return None
    return Receipt(
        source=row["source"],
        webhook_id=row["webhook_id"],
        body_hash=row["body_hash"],
        answer=row["answer"],
        at=moment(row["at"]),
    )


def add_receipt(db: Db, receipt: Receipt) -> None:
    """The request is known; ConflictError when its id came with another body meanwhile."""
    source, webhook_id = clean(receipt.source), clean(receipt.webhook_id)
    db.execute(
        "INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?, ?)",
        (source, webhook_id, receipt.body_hash, receipt.answer, micros(receipt.at)),
    )
    kept = db.value(
        "SELECT body_hash FROM receipts WHERE source = ? AND webhook_id = ?", (source, webhook_id)
    )
    if kept != receipt.body_hash:
        raise ConflictError(f"source {source}: this webhook-id came with another body")


def is_inner(name: str) -> bool:
    """Whether a row of this name is none of the sources."""
    return name.startswith("*")


def note_read(
    db: Db,
    source: str,
    *,
    at: datetime,
    accepted: int,
    unmatched: int,
    rejected: int,
    unknown_fields: int,
    opposed: int = 0,
) -> None:
    """A good read is counted, the source has no error any more, and an outage is over."""
    db.execute(
        """INSERT OR REPLACE INTO outages SELECT source, coalesce(read_at, failing_since), ?1
        FROM sources WHERE source = ?2 AND error IS NOT NULL
        AND ?1 - coalesce(read_at, failing_since) >= ?3""",
        (micros(at), source, OUTAGE // timedelta(microseconds=1)),
    )
    db.execute(
        """INSERT INTO sources
            (source, read_at, accepted_at, accepted, unmatched, rejected, unknown_fields, opposed)
        VALUES (?1, ?2, CASE WHEN ?3 THEN ?2 END, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (source) DO UPDATE SET read_at = excluded.read_at,
            accepted_at = coalesce(excluded.accepted_at, accepted_at),
            accepted = accepted + excluded.accepted, unmatched = unmatched + excluded.unmatched,
            rejected = rejected + excluded.rejected,
            unknown_fields = unknown_fields + excluded.unknown_fields,
            opposed = opposed + excluded.opposed,
            failures = 0, error = NULL, error_at = NULL, next_try_at = NULL,
            failing_since = NULL""",
        (source, micros(at), accepted, unmatched, rejected, unknown_fields, opposed),
    )


def note_error(
    db: Db, source: str, *, at: datetime, error: str, next_try_at: datetime | None
) -> None:
    """A failed read is counted with its cause; None: only a change of configuration helps."""
    db.execute(
        """INSERT INTO sources (source, failures, error, error_at, next_try_at, failing_since)
        VALUES (?1, 1, ?2, ?3, ?4, ?3)
        ON CONFLICT (source) DO UPDATE SET failures = failures + 1, error = excluded.error,
            error_at = excluded.error_at, next_try_at = excluded.next_try_at,
            failing_since = coalesce(failing_since, excluded.failing_since)""",
        (source, clean(error)[:ERROR_LENGTH], micros(at), micros(next_try_at)),
    )


def health(db: Db) -> list[SourceHealth]:
    """Return how each source is that was ever read or tried, by name."""
    return [
        SourceHealth(
            source=row["source"],
            read_at=moment(row["read_at"]),
            accepted_at=moment(row["accepted_at"]),
            accepted=row["accepted"],
            unmatched=row["unmatched"],
            rejected=row["rejected"],
            unknown_fields=row["unknown_fields"],
            opposed=row["opposed"],
            failures=row["failures"],
            error=row["error"],
            error_at=moment(row["error_at"]),
            next_try_at=moment(row["next_try_at"]),
            failing_since=moment(row["failing_since"]),
        )
        for row in db.rows("SELECT * FROM sources ORDER BY source")
    ]
