"""What of on call is not in config.toml: overrides that people wrote, and imported calendars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from veille.domain.errors import ConflictError, InputError
from veille.domain.oncall import CalendarRole, Override
from veille.store.codec import clean, micros, moment
from veille.store.engine import Db, Row

ERROR_LENGTH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """The last good copy of a calendar; `read_at` None: there never was one.

    `error` says why the last try failed, None when it did not. `address` is a hash.
    """

    schedule: str
    role: CalendarRole
    address: str
    read_at: datetime | None
    tried_at: datetime
    error: str | None


def add_override(db: Db, override: Override) -> Override:
    """Return the override with its number; it counts more than all before it."""
    done = db.execute(
        """INSERT INTO overrides (schedule, person, starts_at, ends_at, actor, created_at)
        VALUES (?, ?, ?, ?, ?, ?)""",
        (
            override.schedule,
            override.person,
            micros(override.starts_at),
            micros(override.ends_at),
            override.actor,
            micros(override.created_at),
        ),
    )
    return _known(db, int(done.lastrowid or 0))


def end_override(db: Db, id: int, *, actor: str, now: datetime) -> Override:
    """Return the override, which counts no more; InputError, ConflictError when it did not."""
    before = _known(db, id)
    if before.ended_at is not None or before.ends_at <= now:
        raise ConflictError(f"override {id} is over already")
    db.execute(
        "UPDATE overrides SET ended_at = ?, ended_by = ? WHERE id = ?", (micros(now), actor, id)
    )
    return _known(db, id)


def has_override(db: Db, id: int) -> bool:
    """Whether there was ever an override of this number."""
    return db.value("SELECT 1 FROM overrides WHERE id = ?", (id,)) is not None


def overrides(db: Db, *, since: datetime) -> list[Override]:
    """Return those that count at `since` or later, oldest first."""
    found = db.rows(
        "SELECT * FROM overrides WHERE ended_at IS NULL AND ends_at > ? ORDER BY id",
        (micros(since),),
    )
    return [_override(row) for row in found]


def calendars(db: Db) -> list[Copy]:
    """Return what is kept of all calendars."""
    found = db.rows(
        """SELECT schedule, role, address, read_at, tried_at, error FROM calendars
        ORDER BY schedule, role"""
    )
    return [
        Copy(
            schedule=row["schedule"],
            role=CalendarRole(row["role"]),
            address=row["address"],
            read_at=moment(row["read_at"]),
            tried_at=moment(row["tried_at"]),
            error=row["error"],
        )
        for row in found
    ]


def content(db: Db, schedule: str, role: CalendarRole) -> bytes | None:
    """Return the last good copy of a calendar."""
    found: bytes | None = db.value(
        "SELECT content FROM calendars WHERE schedule = ? AND role = ?", (schedule, role)
    )
    return found


def keep_calendar(
    db: Db, schedule: str, role: CalendarRole, *, address: str, content: bytes, now: datetime
) -> None:
    """This is the last good copy."""
    db.execute(
        """INSERT INTO calendars VALUES (?1, ?2, ?3, ?4, ?5, ?5, NULL)
        ON CONFLICT (schedule, role) DO UPDATE SET address = excluded.address,
        content = excluded.content, read_at = excluded.read_at, tried_at = excluded.tried_at,
        error = NULL""",
        (schedule, role, address, content, micros(now)),
    )


def calendar_failed(
    db: Db, schedule: str, role: CalendarRole, *, address: str, error: str, now: datetime
) -> None:
    """The last good copy stays, unless it is of another address; why it is old is kept beside."""
    db.execute(
        """INSERT INTO calendars VALUES (?1, ?2, ?3, NULL, NULL, ?4, ?5)
        ON CONFLICT (schedule, role) DO UPDATE SET
        content = iif(address = excluded.address, content, NULL),
        read_at = iif(address = excluded.address, read_at, NULL),
        address = excluded.address, tried_at = excluded.tried_at, error = excluded.error""",
        (schedule, role, address, micros(now), clean(error)[:ERROR_LENGTH]),
    )


def _known(db: Db, id: int) -> Override:
    row = db.row("SELECT * FROM overrides WHERE id = ?", (id,))
    if row is None:
        raise InputError(f"override {id} does not exist: veille oncall --json lists what does")
    return _override(row)


def _override(row: Row) -> Override:
    return Override(
        id=row["id"],
        schedule=row["schedule"],
        person=row["person"],
        starts_at=moment(row["starts_at"]),
        ends_at=moment(row["ends_at"]),
        actor=row["actor"],
        created_at=moment(row["created_at"]),
        ended_at=moment(row["ended_at"]),
    )
