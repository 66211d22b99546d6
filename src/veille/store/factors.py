"""Second factors: one sealed secret a user, whose codes count once, and recovery codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from veille.store.codec import micros, moment
from veille.store.engine import Db
from veille.store.users import folded


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """The second factor of a user; it counts from `confirmed_at` on. `codes` are left to recover.

    `last_step` is the 30 s step, counted from 1970, of the last code that was taken.
    """

    sealed: bytes = field(repr=False)
    proposed_at: datetime
    confirmed_at: datetime | None
    last_step: int
    codes: int


def get(db: Db, name: str) -> Factor | None:
    """Return the second factor of a user, proposed or confirmed."""
    row = db.row("SELECT * FROM second_factors WHERE user = ?", (folded(name),))
    if row is None:
        return None
    return Factor(
        sealed=row["sealed"],
        proposed_at=moment(row["proposed_at"]),
        confirmed_at=moment(row["confirmed_at"]),
        last_step=row["last_step"],
        codes=int(db.value("SELECT count(*) FROM recovery_codes WHERE user = ?", (folded(name),))),
    )


def users_with(db: Db) -> frozenset[str]:
    """Return the folded names of the users who have one that counts."""
    rows = db.rows("SELECT user FROM second_factors WHERE confirmed_at IS NOT NULL")
    return frozenset(row["user"] for row in rows)


def propose(db: Db, name: str, *, sealed: bytes, now: datetime) -> bool:
    """Whether this secret waits to be confirmed; false when one counts already, which stays."""
    return (
        db.execute(
            """INSERT INTO second_factors (user, sealed, proposed_at) VALUES (?, ?, ?)
            ON CONFLICT (user) DO UPDATE SET sealed = excluded.sealed,
            proposed_at = excluded.proposed_at WHERE confirmed_at IS NULL""",
            (folded(name), sealed, micros(now)),
        ).rowcount
        == 1
    )


def confirm(db: Db, name: str, *, step: int, macs: Iterable[str], now: datetime) -> bool:
    """Whether the proposed secret counts from now on, with these recovery codes."""
    who = folded(name)
    changed = db.execute(
        """UPDATE second_factors SET confirmed_at = ?, last_step = ?
        WHERE user = ? AND confirmed_at IS NULL""",
        (micros(now), step, who),
    ).rowcount
    if changed:
        renew(db, name, macs=macs)
    return changed == 1


def renew(db: Db, name: str, *, macs: Iterable[str]) -> None:
    """The user has these recovery codes and no others."""
    db.execute("DELETE FROM recovery_codes WHERE user = ?", (folded(name),))
    for mac in macs:
        db.execute("INSERT INTO recovery_codes VALUES (?, ?)", (folded(name), mac))


def spend(db: Db, name: str, *, step: int) -> bool:
    """Whether the code of this step counts: neither it nor a later one was taken before."""
    return (
        db.execute(
            """UPDATE second_factors SET last_step = ?
            WHERE user = ? AND last_step < ? AND confirmed_at IS NOT NULL""",
            (step, folded(name), step),
        ).rowcount
        == 1
    )


def spend_recovery(db: Db, name: str, *, mac: str) -> bool:
    """Whether this was a recovery code of the user; it is none any more."""
    return (
        db.execute(
            "DELETE FROM recovery_codes WHERE user = ? AND mac = ?", (folded(name), mac)
        ).rowcount
        == 1
    )


def remove(db: Db, name: str) -> bool:
    """Whether the user had a second factor; it is gone, with its recovery codes."""
    db.execute("DELETE FROM recovery_codes WHERE user = ?", (folded(name),))
    return db.execute("DELETE FROM second_factors WHERE user = ?", (folded(name),)).rowcount == 1
