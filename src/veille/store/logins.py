"""Where people log in from and by whose word: known browsers, other logins, invitations."""

from __future__ import annotations

from datetime import datetime, timedelta

from veille.store.codec import micros
from veille.store.engine import Db
from veille.store.users import User, folded, get

KNOWN_FOR = timedelta(days=90)
"""How long a browser nobody logged in with stays known: judgement."""
_MOST_DEVICES = 10


def remember_device(db: Db, name: str, *, token_hash: str, now: datetime) -> None:
    """The user is known in this browser; the ten last of a user are, for 90 days."""
    who = folded(name)
    db.execute(
        """INSERT INTO devices VALUES (?, ?, ?) ON CONFLICT (token_hash)
        DO UPDATE SET user = excluded.user, seen_at = excluded.seen_at""",
        (token_hash, who, micros(now)),
    )
    db.execute("DELETE FROM devices WHERE seen_at <= ?", (micros(now - KNOWN_FOR),))
    db.execute(
        """DELETE FROM devices WHERE user = ? AND token_hash NOT IN (SELECT token_hash
        FROM devices WHERE user = ? ORDER BY seen_at DESC, rowid DESC LIMIT ?)""",
        (who, who, _MOST_DEVICES),
    )


def knows_device(db: Db, name: str, *, token_hash: str, now: datetime) -> bool:
    """Whether the user has logged in with this browser in 90 days."""
    return bool(
        db.value(
            "SELECT count(*) FROM devices WHERE token_hash = ? AND user = ? AND seen_at > ?",
            (token_hash, folded(name), micros(now - KNOWN_FOR)),
        )
    )


def linked(db: Db, *, issuer: str, subject: str) -> User | None:
    """Return the user an identity provider calls so, disabled or not."""
    name = db.value(
        """SELECT u.name FROM logins_elsewhere l JOIN users u ON u.folded = l.user
        WHERE l.issuer = ? AND l.subject = ?""",
        (issuer, subject),
    )
    return None if name is None else get(db, name)


def link(db: Db, name: str, *, issuer: str, subject: str, now: datetime) -> bool:
    """Whether the user is now the one whom the provider calls so; false: another is already."""
    return (
        db.execute(
            "INSERT INTO logins_elsewhere VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (issuer, subject, folded(name), micros(now)),
        ).rowcount
        == 1
    )


def unlink(db: Db, name: str) -> int:
    """No provider's word opens the user's account; return how many did."""
    return db.execute("DELETE FROM logins_elsewhere WHERE user = ?", (folded(name),)).rowcount


def users_linked(db: Db) -> frozenset[str]:
    """Return the folded names of the users whom a provider knows."""
    return frozenset(row["user"] for row in db.rows("SELECT user FROM logins_elsewhere"))


def invite(db: Db, name: str, *, token_hash: str, expires_at: datetime) -> None:
    """This invitation alone links the user to a provider, until then."""
    db.execute(
        """INSERT INTO invitations VALUES (?, ?, ?) ON CONFLICT (user)
        DO UPDATE SET token_hash = excluded.token_hash, expires_at = excluded.expires_at""",
        (token_hash, folded(name), micros(expires_at)),
    )


def invited(db: Db, token_hash: str, *, now: datetime) -> User | None:
    """Return whom the invitation is for; None when unknown, used, over, or the user disabled."""
    name = db.value(
        """SELECT u.name FROM invitations i JOIN users u ON u.folded = i.user
        WHERE i.token_hash = ? AND i.expires_at > ? AND u.disabled_at IS NULL""",
        (token_hash, micros(now)),
    )
    return None if name is None else get(db, name)


def drop_invitation(db: Db, token_hash: str) -> None:
    """The invitation is used."""
    db.execute("DELETE FROM invitations WHERE token_hash = ?", (token_hash,))


def withdraw_invitation(db: Db, name: str) -> int:
    """The user has no invitation; return how many there were."""
    return db.execute("DELETE FROM invitations WHERE user = ?", (folded(name),)).rowcount
