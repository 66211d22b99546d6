"""Tokens of the API: whose, for what, until when; their SHA-256, never they."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.domain.access import Access
from veille.store.codec import clean, micros, moment
from veille.store.engine import Db, Row
from veille.store.users import User, folded
from veille.store.users import get as get_user

_COARSE = timedelta(hours=1)  # a write for each request would be waste


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token of `user`, good until `expires_at` unless revoked; `used_at` is right to an hour."""

    id: int
    user: str
    name: str
    scopes: frozenset[Access]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


def add(
    db: Db,
    *,
    user: str,
    name: str,
    token_hash: str,
    scopes: frozenset[Access],
    now: datetime,
    expires_at: datetime,
) -> int:
    """Return the id of the new token."""
    done = db.execute(
        """INSERT INTO api_tokens (token_hash, user, name, scopes, created_at, expires_at)
        VALUES (?, ?, ?, ?, ?, ?)""",
        (
            token_hash, folded(user), clean(name), " ".join(sorted(scopes)), micros(now),
            micros(expires_at),
        ),
    )  # fmt: skip
    return int(done.lastrowid or 0)


def presented(db: Db, token_hash: str, *, now: datetime) -> tuple[Token, User] | None:
    """Return the token with its owner; None when unknown, over, revoked, or its owner disabled."""
    row = db.row(
        f"{_SELECT} WHERE t.token_hash = ? AND t.expires_at > ? AND t.revoked_at IS NULL"
        " AND u.disabled_at IS NULL",
        (token_hash, micros(now)),
    )
    owner = None if row is None else get_user(db, row["owner"])
    return None if row is None or owner is None else (_token(row), owner)


def of(db: Db, user: str, *, now: datetime) -> list[Token]:
    """Return the tokens of a user that are still good, newest first."""
    rows = db.rows(
        f"{_SELECT} WHERE t.user = ? AND t.expires_at > ? AND t.revoked_at IS NULL"
        " ORDER BY t.id DESC",
        (folded(user), micros(now)),
    )
    return [_token(row) for row in rows]


def counts(db: Db, *, now: datetime) -> dict[str, int]:
    """Return how many good tokens each user has, by folded name; none where there is none."""
    rows = db.rows(
        """SELECT user, count(*) AS n FROM api_tokens
        WHERE expires_at > ? AND revoked_at IS NULL GROUP BY user""",
        (micros(now),),
    )
    return {row["user"]: row["n"] for row in rows}


def is_stale(token: Token, *, now: datetime) -> bool:
    """Whether the token's last use is worth another write."""
    return token.used_at is None or now - token.used_at >= _COARSE


def touch(db: Db, token_id: int, *, now: datetime) -> None:
    """The token was used at `now`."""
    db.execute("UPDATE api_tokens SET used_at = ? WHERE id = ?", (micros(now), token_id))


def revoke(db: Db, token_id: int, *, user: str, now: datetime) -> Token | None:
    """Return the user's token that is revoked now; None when there was none that was good."""
    row = db.row(
        f"{_SELECT} WHERE t.id = ? AND t.user = ? AND t.revoked_at IS NULL",
        (token_id, folded(user)),
    )
    if row is None:
        return None
    db.execute("UPDATE api_tokens SET revoked_at = ? WHERE id = ?", (micros(now), token_id))
    return _token(row)


def revoke_all(db: Db, user: str, *, now: datetime) -> int:
    """The user has no good token; return how many there were."""
    return db.execute(
        """UPDATE api_tokens SET revoked_at = ?
        WHERE user = ? AND revoked_at IS NULL AND expires_at > ?""",
        (micros(now), folded(user), micros(now)),
    ).rowcount


_SELECT = "SELECT t.*, u.name AS owner FROM api_tokens t JOIN users u ON u.folded = t.user"


def _token(row: Row) -> Token:
    return Token(
        id=row["id"],
        user=row["owner"],
        name=row["name"],
        scopes=frozenset(Access(scope) for scope in row["scopes"].split()),
        created_at=moment(row["created_at"]),
        expires_at=moment(row["expires_at"]),
        used_at=moment(row["used_at"]),
        revoked_at=moment(row["revoked_at"]),
    )
