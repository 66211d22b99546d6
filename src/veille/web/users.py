"""Users as the command line makes them: a one-time password, changed at the first login."""

from __future__ import annotations

from datetime import datetime

from veille.domain.access import Role
from veille.domain.errors import InputError
from veille.store import audit, users
from veille.store.engine import Db
from veille.store.users import User
from veille.web.passwords import hash_password, one_time_password

_ACTOR = "cli"


def add_user(db: Db, name: str, role: str, now: datetime) -> str:
    """Return the one-time password of a new user; it is stored nowhere and must be changed.

    InputError when the name is taken or the role unknown.
    """
    password = one_time_password()
    user = users.add(
        db, name=name, password_hash=hash_password(password), role=_role(role), now=now
    )
    audit.add(
        db, at=now, actor=_ACTOR, action="user.add", target=user.name, after={"role": user.role}
    )
    return password


def reset_password(db: Db, name: str, now: datetime) -> str:
    """Return a new one-time password; no session of the user is left. InputError if unknown."""
    password = one_time_password()
    users.set_password(db, name, password_hash=hash_password(password), must_change=True, now=now)
    audit.add(db, at=now, actor=_ACTOR, action="user.reset", target=name)
    return password


def list_users(db: Db) -> list[User]:
    """Return all users by name, disabled ones too."""
    return users.list_(db)


def disable(db: Db, name: str, now: datetime) -> None:
    """The user cannot log in and has no session; InputError when there is none of this name."""
    users.disable(db, name, now=now)
    audit.add(db, at=now, actor=_ACTOR, action="user.disable", target=name)


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as error:
        known = ", ".join(role.value for role in Role)
        raise InputError(f'"{text}" is no role: write one of {known}') from error
