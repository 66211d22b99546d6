"""People: who one is, one's tokens, views and calls; and, for administrators, users."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated

from veille.domain.access import Access, Role
from veille.store import calls, users
from veille.store.calls import Call as Called
from veille.store.engine import Db
from veille.store.users import User
from veille.web import again, oidc_exit
from veille.web import users as verbs
from veille.web.api.operation import Answer, Body, Call, Listed, Nothing
from veille.web.api.problems import Kind, Refused, refusal
from veille.web.api.shapes import Shape, shaped
from veille.web.api.texts import line
from veille.web.passwords import one_time_password
from veille.web.tokens import (
    SCOPES,
)

_Name = Annotated[str, line(users.NAME_LENGTH)]


class Me(Shape, frozen=True, kw_only=True):
    """Who asks: name, role, and what the token, or the role where there is none, grants.

    `language` is the one chosen, null for that of the installation.
    """

    name: str
    role: Role
    scopes: list[Access]
    expires_at: datetime | None
    language: str | None


class UserShape(Shape, frozen=True, kw_only=True):
    """Somebody who may log in, unless `disabled_at` is set."""

    name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None
    must_change: bool


class Member(Shape, frozen=True, kw_only=True):
    """A user, what opens the account, and what of it is open; `seen_at` is of a session."""

    user: UserShape
    has_password: bool
    has_factor: bool
    is_linked: bool
    sessions: int
    tokens: int
    devices: int
    seen_at: datetime | None


class NewUser(Body, frozen=True, kw_only=True):
    """A name and a role."""

    name: _Name
    role: Role


class NewRole(Body, frozen=True, kw_only=True):
    """What the user is trusted with."""

    role: Role


class OneTime(Shape, frozen=True, kw_only=True):
    """A password, said this once; it must be changed at the first login."""

    name: str
    password: str


class Invitation(Shape, frozen=True, kw_only=True):
    """The address, said this once, that links an identity of the provider; good for 3 days."""

    name: str
    link: str


class Ended(Shape, frozen=True, kw_only=True):
    """How many sessions and tokens there were."""

    sessions: int
    tokens: int


async def me(call: Call[Nothing, None]) -> Answer[Me]:
    """Who asks, and what they may."""
    visitor = call.visitor
    scopes: list[Access] = [each for each in SCOPES if visitor.may(each)]
    return Answer(value=shaped(Me, visitor, scopes=scopes, expires_at=visitor.ends_at))


async def list_calls(call: Call[Nothing, None]) -> Answer[Listed[Called]]:
    """Notes that call who asks and were not looked at, the newest first."""
    found = await call.site.store.read(lambda db: calls.open_for(db, call.actor))
    return Answer(value=Listed(items=found))


async def list_users(call: Call[Nothing, None]) -> Answer[Listed[Member]]:
    """Everybody who may log in, or might again, and what each has open."""
    now = call.site.now()
    found = await call.site.store.read(lambda db: verbs.survey(db, now))
    return Answer(value=Listed(items=[shaped(Member, one, user=_user(one.user)) for one in found]))


async def add_user(call: Call[Nothing, NewUser]) -> Answer[OneTime]:
    """There is another user."""
    said, now, password = call.body, call.site.now(), one_time_password()
    hashed = await call.site.passwords.hash(password)
    await again.write(
        call.request,
        partial(
            verbs.add_user,
            name=said.name,
            role=said.role.value,
            now=now,
            actor=call.actor,
            password_hash=hashed,
        ),
    )
    return Answer(value=OneTime(name=said.name.strip(), password=password))


async def reset_user(call: Call[Nothing, None]) -> Answer[OneTime]:
    """The user has this one-time password, and neither session nor token."""
    name, now, password = await _named(call), call.site.now(), one_time_password()
    hashed = await call.site.passwords.hash(password)
    await again.write(
        call.request,
        partial(verbs.reset_password, name=name, now=now, actor=call.actor, password_hash=hashed),
    )
    return Answer(value=OneTime(name=name, password=password))


async def set_role(call: Call[Nothing, NewRole]) -> Answer[UserShape]:
    """The user has this role and must log in again."""
    return await _changed(call, partial(verbs.set_role, role=call.body.role.value))


async def disable_user(call: Call[Nothing, None]) -> Answer[UserShape]:
    """The user cannot log in and has neither session nor token."""
    return await _changed(call, verbs.disable)


async def enable_user(call: Call[Nothing, None]) -> Answer[UserShape]:
    """The user may log in again; tokens stay revoked."""
    return await _changed(call, verbs.enable)


async def reset_factor(call: Call[Nothing, None]) -> Answer[UserShape]:
    """The user has no second factor, and no session."""
    return await _changed(call, verbs.reset_factor)


async def invite_user(call: Call[Nothing, None]) -> Answer[Invitation]:
    """The user has this invitation, and no other, to link an identity of the provider."""
    if call.site.provider is None:
        raise refusal(call.request, "no_provider")
    name, now = await _named(call), call.site.now()
    token = await again.write(
        call.request, partial(verbs.invite, name=name, now=now, actor=call.actor)
    )
    link = oidc_exit.address(call.site, f"/invitations/{token}")
    return Answer(value=Invitation(name=name, link=link))


async def unlink_user(call: Call[Nothing, None]) -> Answer[UserShape]:
    """No identity of the provider opens the account, which has neither session nor token."""
    return await _changed(call, verbs.unlink)


async def revoke_user(call: Call[Nothing, None]) -> Answer[Ended]:
    """The user has neither session nor token."""
    name, now = await _named(call), call.site.now()
    ended, revoked = await again.write(
        call.request, partial(verbs.revoke, name=name, now=now, actor=call.actor)
    )
    return Answer(value=Ended(sessions=ended, tokens=revoked))


async def _changed(
    call: Call[Nothing, None] | Call[Nothing, NewRole], verb: Callable[..., object]
) -> Answer[UserShape]:
    name, now = await _named(call), call.site.now()

    def change(db: Db) -> User | None:
        verb(db, name=name, now=now, actor=call.actor)
        return users.get(db, name)

    user = await again.write(call.request, change)
    if user is None:
        raise Refused(Kind.MISSING)
    return Answer(value=_user(user))


async def _named(call: Call[Nothing, None] | Call[Nothing, NewRole]) -> str:
    name = call.parts["name"]
    user = await call.site.store.read(lambda db: users.get(db, name))
    if user is None:
        raise Refused(Kind.MISSING)
    return user.name


def _user(user: User) -> UserShape:
    return shaped(UserShape, user)
