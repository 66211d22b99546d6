"""People who may log in, their sessions, and their failed attempts."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from veille.domain.access import Role
from veille.domain.errors import InputError
from veille.domain.ids import content_hash
from veille.domain.text import is_line
from veille.store.codec import clean, micros, moment
from veille.store.engine import Db, Row

NAME_LENGTH = 64
RESERVED = frozenset({"veille", "cli", "provider", "-"})
"""What does something by itself, and nobody (domain/queue_filter.py): no user is called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may log in unless `disabled_at` is set; `must_change` their password first.

    `password_at` is when the password was set; `password_hash` is "" when there never was one.
    `language` is of the interface, None for that of the installation.
    """

    name: str
    password_hash: str = field(repr=False)
    role: Role
    must_change: bool
    created_at: datetime
    password_at: datetime
    disabled_at: datetime | None = None
    language: str | None = None


class Proof(StrEnum):
    """What opened a session."""

    PASSWORD = "password"  # noqa: S105 a name
    CODE = "code"
    """The password and a second factor."""
    PROVIDER = "provider"
    """The word of an identity provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser logged in. `token_hash` is the SHA-256 (hex) of the cookie, never the cookie.

    `device` is the browser and its system, "" if unknown; `id_token` is what the identity provider
    wants to hear again at the end.
    """

    token_hash: str = field(repr=False)
    user: str
    csrf: str = field(repr=False)
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    device: str = ""
    proof: Proof = Proof.PASSWORD
    id_token: str | None = field(default=None, repr=False)


def add(db: Db, *, name: str, password_hash: str, role: Role, now: datetime) -> User:
    """Return the new user; InputError when the name is taken or bad.

    The password must be changed at the first login; with "" there is none, and the user logs in
    elsewhere. Names are compared without case.
    """
    name = name.strip()
    if folded(name) in RESERVED:
        raise InputError(f'"{name}" is nobody\'s name: it stands for the program, or for nobody')
    if not name or len(name) > NAME_LENGTH or not is_line(name):
        raise InputError(f"a user's name has 1 to {NAME_LENGTH} visible characters: choose another")
    if get(db, name) is not None:
        raise InputError(f'user "{name}" exists: choose another name')
    db.execute(
        """INSERT INTO users (folded, name, password_hash, role, must_change, created_at,
        password_at) VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (folded(name), name, password_hash, role, bool(password_hash), micros(now), micros(now)),
    )
    return _known(db, name)


def get(db: Db, name: str) -> User | None:
    """Return the user of this name, disabled or not."""
    row = db.row("SELECT * FROM users WHERE folded = ?", (folded(name),))
    return None if row is None else _user(row)


def list_(db: Db) -> list[User]:
    """Return all users by name, disabled ones too."""
    return [_user(row) for row in db.rows("SELECT * FROM users ORDER BY folded")]


def set_password(
    db: Db, name: str, *, password_hash: str, must_change: bool, now: datetime
) -> None:
    """The user has this password and no session; InputError when there is none of this name."""
    _known(db, name)
    db.execute(
        "UPDATE users SET password_hash = ?, must_change = ?, password_at = ? WHERE folded = ?",
        (password_hash, must_change, micros(now), folded(name)),
    )
    end_sessions(db, name)


def drop_password(db: Db, name: str, *, now: datetime) -> None:
    """The user has no password; InputError when there is none of this name."""
    set_password(db, name, password_hash="", must_change=False, now=now)


def set_role(db: Db, name: str, role: Role) -> None:
    """The user has this role from the next request on; InputError when there is no such user."""
    _known(db, name)
    db.execute("UPDATE users SET role = ? WHERE folded = ?", (role, folded(name)))


def disable(db: Db, name: str, *, now: datetime) -> None:
    """The user cannot log in and has no session; InputError when there is none of this name."""
    _known(db, name)
    db.execute(
        "UPDATE users SET disabled_at = coalesce(disabled_at, ?) WHERE folded = ?",
        (micros(now), folded(name)),
    )
    end_sessions(db, name)


def enable(db: Db, name: str) -> None:
    """The user may log in again; InputError when there is none of this name."""
    _known(db, name)
    db.execute("UPDATE users SET disabled_at = NULL WHERE folded = ?", (folded(name),))


def set_language(db: Db, name: str, language: str | None) -> None:
    """The user reads pages in this language, with None in that of the installation."""
    _known(db, name)
    db.execute("UPDATE users SET language = ? WHERE folded = ?", (language, folded(name)))


def add_session(db: Db, session: Session) -> None:
    """The session is open; InputError when its user is unknown or disabled."""
    if _known(db, session.user).disabled_at is not None:
        raise InputError(f'user "{session.user}" is disabled: ask an administrator')
    db.execute(
        """INSERT INTO sessions (token_hash, user, csrf, created_at, seen_at, expires_at, device,
        proof, id_token) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            session.token_hash,
            folded(session.user),
            session.csrf,
            micros(session.created_at),
            micros(session.seen_at),
            micros(session.expires_at),
            session.device,
            session.proof,
            session.id_token,
        ),
    )


def session(db: Db, token_hash: str, *, now: datetime) -> tuple[Session, User] | None:
    """Return the session with its user, None when it is unknown, expired, or its user disabled.

    Idle time is the caller's to judge from `seen_at`.
    """
    row = db.row(
        """SELECT s.*, u.name FROM sessions s JOIN users u ON u.folded = s.user
        WHERE s.token_hash = ? AND s.expires_at > ? AND u.disabled_at IS NULL""",
        (token_hash, micros(now)),
    )
    return None if row is None else (_session(row), _known(db, row["name"]))


def sessions(db: Db, name: str) -> list[Session]:
    """Return the sessions of a user, newest first."""
    rows = db.rows(
        """SELECT s.*, u.name FROM sessions s JOIN users u ON u.folded = s.user
        WHERE s.user = ? ORDER BY s.created_at DESC, s.token_hash""",
        (folded(name),),
    )
    return [_session(row) for row in rows]


def touch(db: Db, token_hash: str, *, now: datetime) -> None:
    """The session was seen at `now`."""
    db.execute("UPDATE sessions SET seen_at = ? WHERE token_hash = ?", (micros(now), token_hash))


def open_sessions(db: Db, *, now: datetime) -> dict[str, tuple[int, datetime]]:
    """Return how many sessions each user has and when one was last seen, by folded name."""
    rows = db.rows(
        """SELECT user, count(*) AS n, max(seen_at) AS seen_at FROM sessions
        WHERE expires_at > ? GROUP BY user""",
        (micros(now),),
    )
    return {row["user"]: (row["n"], moment(row["seen_at"])) for row in rows}


def prove_session(db: Db, token_hash: str) -> None:
    """A second factor was shown in this session."""
    db.execute("UPDATE sessions SET proof = ? WHERE token_hash = ?", (Proof.CODE, token_hash))


def end_session(db: Db, token_hash: str) -> None:
    """The session is closed."""
    db.execute("DELETE FROM sessions WHERE token_hash = ?", (token_hash,))


def end_sessions(db: Db, name: str, *, besides: str = "") -> int:
    """The user has no session but that of the hash `besides`; return how many there were."""
    return db.execute(
        "DELETE FROM sessions WHERE user = ? AND token_hash <> ?", (folded(name), besides)
    ).rowcount


def drop_sessions(db: Db, *, now: datetime) -> int:
    """No expired session is left; return how many were dropped."""
    return db.execute("DELETE FROM sessions WHERE expires_at <= ?", (micros(now),)).rowcount


def note_failure(db: Db, *, name: str, address: str, at: datetime) -> None:
    """One failed login with this name from this address is counted; the name need not exist."""
    db.execute("INSERT INTO login_failures VALUES (?, ?)", (_who(name, address), micros(at)))


def failures(db: Db, *, name: str, address: str, since: datetime) -> int:
    """Return how many logins with this name from this address failed since then."""
    return int(
        db.value(
            "SELECT count(*) FROM login_failures WHERE who = ? AND at >= ?",
            (_who(name, address), micros(since)),
        )
    )


def clear_failures(db: Db, *, name: str, address: str) -> None:
    """No failure with this name from this address is counted any more."""
    db.execute("DELETE FROM login_failures WHERE who = ?", (_who(name, address),))


def forgive_failure(db: Db, *, name: str, address: str) -> None:
    """The last failure with this name from this address is counted no more."""
    db.execute(
        """DELETE FROM login_failures WHERE rowid = (SELECT rowid FROM login_failures
        WHERE who = ? ORDER BY at DESC LIMIT 1)""",
        (_who(name, address),),
    )


def drop_failures(db: Db, *, before: datetime) -> int:
    """No failure older than that is left; return how many were dropped."""
    return db.execute("DELETE FROM login_failures WHERE at < ?", (micros(before),)).rowcount


def folded(name: str) -> str:
    """Return how names of users are compared and keyed; cut, since a login form may send a book."""
    return unicodedata.normalize("NFKC", clean(name).strip()[:NAME_LENGTH]).casefold()


def _who(name: str, address: str) -> str:
    return content_hash(folded(name), address)


def _known(db: Db, name: str) -> User:
    if (found := get(db, name)) is None:
        raise InputError(f'no user "{name}": see `veille user list`')
    return found


def _user(row: Row) -> User:
    return User(
        name=row["name"],
        password_hash=row["password_hash"],
        role=Role(row["role"]),
        must_change=bool(row["must_change"]),
        created_at=moment(row["created_at"]),
        password_at=moment(row["password_at"]),
        disabled_at=moment(row["disabled_at"]),
        language=row["language"],
    )


def _session(row: Row) -> Session:
    return Session(
        token_hash=row["token_hash"],
        user=row["name"],
        csrf=row["csrf"],
        created_at=moment(row["created_at"]),
        seen_at=moment(row["seen_at"]),
        expires_at=moment(row["expires_at"]),
        device=row["device"],
        proof=Proof(row["proof"]),
        id_token=row["id_token"],
    )
