"""What is done to users, from the command line and from `/users`: each leaves its audit row."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.domain.access import Access, Role, may
from veille.domain.errors import InputError, LastAdminError
from veille.store import audit, factors, logins, push, tokens, users
from veille.store.audit import Snapshot
from veille.store.engine import Db
from veille.store.users import User
from veille.web.passwords import ONE_TIME_FOR, hash_password, one_time_password

INVITED_FOR = timedelta(days=3)
"""An invitation lies in a mailbox: judgement."""
CLI = "cli"


def add_user(
    db: Db, name: str, role: str, now: datetime, *, actor: str = CLI, password_hash: str = ""
) -> str:
    """Return the one-time password of a new user; it is stored nowhere and must be changed.

    `password_hash` is that of a password made before: then the result is "". InputError when the
    name is taken or the role unknown.
    """
    password = "" if password_hash else one_time_password()
    kept = password_hash or hash_password(password)
    user = users.add(db, name=name, password_hash=kept, role=role_named(role), now=now)
    _note(db, "user.add", user.name, now, actor, after={"role": user.role.value})
    return password


def reset_password(
    db: Db, name: str, now: datetime, *, actor: str = CLI, password_hash: str = ""
) -> str:
    """Return a new one-time password; whatever opened the account before opens it no more.

    `password_hash` is that of a password made before: then the result is "". InputError if unknown.
    """
    password = "" if password_hash else one_time_password()
    kept = password_hash or hash_password(password)
    users.set_password(db, name, password_hash=kept, must_change=True, now=now)
    revoked = _cut(db, name, now)["tokens"]
    _note(db, "user.reset", name, now, actor, after={"tokens_revoked": revoked})
    return password


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A user and what opens their account. `seen_at` is of the newest session there still is."""

    user: User
    has_password: bool
    has_factor: bool
    is_linked: bool
    sessions: int
    tokens: int
    devices: int
    seen_at: datetime | None


def survey(db: Db, now: datetime) -> list[Row]:
    """Return all users by name, disabled ones too, with what opens their accounts."""
    with_factor, elsewhere = factors.users_with(db), logins.users_linked(db)
    good, open_ = tokens.counts(db, now=now), users.open_sessions(db, now=now)
    notified = Counter(users.folded(device.user) for device in push.list_(db))
    return [
        Row(
            user=user,
            has_password=user.password_hash != "",
            has_factor=(who := users.folded(user.name)) in with_factor,
            is_linked=who in elsewhere,
            sessions=open_.get(who, (0, None))[0],
            tokens=good.get(who, 0),
            devices=notified[who],
            seen_at=open_.get(who, (0, None))[1],
        )
        for user in users.list_(db)
    ]


def disable(db: Db, name: str, now: datetime, *, actor: str = CLI) -> None:
    """The user cannot log in and has no session, token, notified device or invitation.

    InputError when there is none of this name, LastAdminError when nobody could undo it.
    """
    user = _known(db, name)
    if user.disabled_at is not None:
        return
    _keep_an_admin(db, user, now)
    users.disable(db, name, now=now)
    _cut(db, name, now)
    _note(
        db, "user.disable", user.name, now, actor,
        before={"is_active": True}, after={"is_active": False},
    )  # fmt: skip


def enable(db: Db, name: str, now: datetime, *, actor: str = CLI) -> None:
    """The user may log in again; tokens stay revoked. InputError when there is none so named."""
    user = _known(db, name)
    if user.disabled_at is None:
        return
    users.enable(db, name)
    _note(
        db, "user.enable", user.name, now, actor,
        before={"is_active": False}, after={"is_active": True},
    )  # fmt: skip


def set_role(db: Db, name: str, role: str, now: datetime, *, actor: str = CLI) -> None:
    """The user has this role and must log in again.

    InputError for an unknown user or role, LastAdminError when nobody could undo it.
    """
    user, wanted = _known(db, name), role_named(role)
    if user.role is wanted:
        return
    if not may(wanted, Access.ADMIN):
        _keep_an_admin(db, user, now)
    users.set_role(db, name, wanted)
    # a stolen session must not grow with its owner (ASVS 5.0 7.2.4)
    users.end_sessions(db, name)
    said = {"role": user.role.value}
    _note(db, "user.role", user.name, now, actor, before=said, after={"role": wanted.value})


def reset_factor(db: Db, name: str, now: datetime, *, actor: str = CLI) -> bool:
    """Whether the user had a second factor; it is gone, and so is every session.

    InputError for the actor's own: they remove it with a code, as somebody at their desk cannot.
    """
    user = _known(db, name)
    if users.folded(user.name) == users.folded(actor):
        raise InputError("your own second factor is removed under Mon compte, with a code of it")
    had = factors.remove(db, name)
    if had:
        users.end_sessions(db, name)
        _note(
            db, "factor.reset", user.name, now, actor,
            before={"has_factor": True}, after={"has_factor": False},
        )  # fmt: skip
    return had


def revoke(db: Db, name: str, now: datetime, *, actor: str = CLI) -> tuple[int, int]:
    """Return how many sessions and tokens of the API the user had; none is left.

    Nor is any notified device or invitation.
    """
    user = _known(db, name)
    had = _cut(db, name, now)
    if any(had.values()):
        _note(db, "user.revoke", user.name, now, actor, before=had, after=dict.fromkeys(had, 0))
    return had["sessions"], had["tokens"]


def invite(db: Db, name: str, now: datetime, *, actor: str = CLI) -> str:
    """Return the token of the only invitation to link this user to the identity provider.

    InputError when there is none of this name, or it is disabled.
    """
    user = _known(db, name)
    if user.disabled_at is not None:
        raise InputError(f'user "{user.name}" is disabled: enable it first')
    token = secrets.token_urlsafe(32)
    logins.invite(db, name, token_hash=invitation_hash(token), expires_at=now + INVITED_FOR)
    _note(db, "user.invite", user.name, now, actor)
    return token


def unlink(db: Db, name: str, now: datetime, *, actor: str = CLI) -> int:
    """Return how many logins by a provider's word the user had; none is left.

    Nor is any session, token or notified device: some may be of whom that identity let in.
    LastAdminError when it was the only way in of the last administrator.
    """
    user = _known(db, name)
    if not user.password_hash and users.folded(name) in logins.users_linked(db):
        _keep_an_admin(db, user, now)
    count = logins.unlink(db, name)
    logins.withdraw_invitation(db, name)
    if count:
        _cut(db, name, now)
        said = {"logins_elsewhere": count}
        _note(db, "user.unlink", user.name, now, actor, before=said, after={"logins_elsewhere": 0})
    return count


def invitation_hash(token: str) -> str:
    """Return what is stored of an invitation."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def role_named(text: str) -> Role:
    """Return the role of this name; InputError lists them."""
    try:
        return Role(text)
    except ValueError as error:
        known = ", ".join(role.value for role in Role)
        raise InputError(f'"{text}" is no role: write one of {known}') from error


def _cut(db: Db, name: str, now: datetime) -> dict[str, int]:
    """The user has no session, token, notified device or invitation; return how many there were."""
    return {
        "sessions": users.end_sessions(db, name),
        "tokens": tokens.revoke_all(db, name, now=now),
        "devices": push.remove_all(db, name),
        "invitations": logins.withdraw_invitation(db, name),
    }


def _known(db: Db, name: str) -> User:
    if (user := users.get(db, name)) is None:
        raise InputError(f'no user "{name}": see `veille user list`')
    return user


def _keep_an_admin(db: Db, user: User, now: datetime) -> None:
    """Raise LastAdminError when nobody but this user can come in and may manage users."""
    linked = logins.users_linked(db)
    others = any(
        other.name != user.name
        and other.disabled_at is None
        and may(other.role, Access.ADMIN)
        and (_has_password(other, now) or users.folded(other.name) in linked)
        for other in users.list_(db)
    )
    if may(user.role, Access.ADMIN) and user.disabled_at is None and not others:
        raise LastAdminError(
            f'"{user.name}" is the last administrator: give somebody else the role admin first'
        )


def _has_password(user: User, now: datetime) -> bool:
    """Whether a password opens the account: not a one-time one that nobody used in time."""
    is_over = user.must_change and now - user.password_at > ONE_TIME_FOR
    return user.password_hash != "" and not is_over


def _note(
    db: Db,
    action: str,
    target: str,
    now: datetime,
    actor: str,
    *,
    before: Snapshot | None = None,
    after: Snapshot | None = None,
) -> None:
    audit.add(db, at=now, actor=actor, action=action, target=target, before=before, after=after)
