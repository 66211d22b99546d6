"""Devices that a user had notified: sealed addresses of browsers, and how sending went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from veille.store.codec import clean, json_list, micros, moment
from veille.store.engine import Db, Row
from veille.store.users import folded

MOST = 10
"""Devices a user: judgement; each is an address that is called at night."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One browser of `user`. `sealed` is its subscription; `took` the key of what it took last.

    `known` is the hash of the browser's device cookie, "" where it had none; `trouble` says why
    the last try failed, "" if it did not.
    """

    id: int
    user: str
    mark: str
    sealed: bytes = field(repr=False)
    name: str
    known: str = field(repr=False)
    created_at: datetime
    took_at: datetime | None
    took: str
    trouble: str


def add(
    db: Db, *, user: str, mark: str, sealed: bytes, name: str, known: str, now: datetime
) -> int | None:
    """Return the id of the device, known by `mark` from now on; None when the user has ten.

    A browser is one device: one that somebody else had enabled is theirs no more.
    """
    db.execute("DELETE FROM push_devices WHERE mark = ? AND user <> ?", (mark, folded(user)))
    held = db.value("SELECT id FROM push_devices WHERE mark = ?", (mark,))
    if held is not None:
        db.execute(
            "UPDATE push_devices SET sealed = ?, name = ?, known = ?, trouble = '' WHERE id = ?",
            (sealed, clean(name), known, held),
        )
        return int(held)
    if len(of(db, user)) >= MOST:
        return None
    done = db.execute(
        """INSERT INTO push_devices (user, mark, sealed, name, known, created_at)
        VALUES (?, ?, ?, ?, ?, ?)""",
        (folded(user), mark, sealed, clean(name), known, micros(now)),
    )
    return int(done.lastrowid or 0)


def of(db: Db, user: str) -> list[Device]:
    """Return the devices of a user, newest first."""
    rows = db.rows(f"{_SELECT} WHERE d.user = ? ORDER BY d.id DESC", (folded(user),))
    return [_device(row) for row in rows]


def list_(db: Db) -> list[Device]:
    """Return every device, by user, newest first."""
    return [_device(row) for row in db.rows(f"{_SELECT} ORDER BY d.user, d.id DESC")]


def reached(db: Db, names: Iterable[str]) -> list[Device]:
    """Return the devices of these users but disabled ones, those that failed last at the end."""
    wanted = json_list(sorted({folded(name) for name in names}))
    found = db.rows(
        f"""{_SELECT} WHERE u.disabled_at IS NULL AND d.user IN ({_NAMED})
        ORDER BY d.trouble <> '', d.id""",
        (wanted,),
    )
    return [_device(row) for row in found]


def get(db: Db, number: int) -> Device | None:
    """Return the device of this id whose user is not disabled."""
    row = db.row(f"{_SELECT} WHERE d.id = ? AND u.disabled_at IS NULL", (number,))
    return None if row is None else _device(row)


def took(db: Db, number: int, *, key: str, now: datetime) -> None:
    """The device took what has this key: it is not sent to it again."""
    db.execute(
        "UPDATE push_devices SET took = ?, took_at = ?, trouble = '' WHERE id = ?",
        (key, micros(now), number),
    )


def failed(db: Db, number: int, *, why: str) -> None:
    """The device did not take the last one."""
    db.execute("UPDATE push_devices SET trouble = ? WHERE id = ?", (why, number))


def remove(db: Db, number: int, *, user: str) -> Device | None:
    """Return the user's device that is gone now; None when there was none."""
    row = db.row(f"{_SELECT} WHERE d.id = ? AND d.user = ?", (number, folded(user)))
    if row is None:
        return None
    db.execute("DELETE FROM push_devices WHERE id = ?", (number,))
    return _device(row)


def remove_browser(db: Db, *, user: str, known: str) -> int:
    """Nothing is sent to this browser of the user any more; return how many devices it was."""
    if not known:
        return 0
    return db.execute(
        "DELETE FROM push_devices WHERE user = ? AND known = ?", (folded(user), known)
    ).rowcount


def remove_all(db: Db, user: str) -> int:
    """The user has no device; return how many there were."""
    return db.execute("DELETE FROM push_devices WHERE user = ?", (folded(user),)).rowcount


_NAMED = "SELECT value FROM json_each(?)"
_SELECT = "SELECT d.*, u.name AS owner FROM push_devices d JOIN users u ON u.folded = d.user"


def _device(row: Row) -> Device:
    return Device(
        id=row["id"],
        user=row["owner"],
        mark=row["mark"],
        sealed=row["sealed"],
        name=row["name"],
        known=row["known"],
        created_at=moment(row["created_at"]),
        took_at=moment(row["took_at"]),
        took=row["took"],
        trouble=row["trouble"],
    )
