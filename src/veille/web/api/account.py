"""One's own account: sessions, devices that are notified, language."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Literal

from veille.store import push, users
from veille.store.users import Proof, Session
from veille.web import account, push_page, sessions
from veille.web.api.operation import Answer, Body, Call, Listed, Nothing
from veille.web.api.problems import Kind, Refused
from veille.web.api.shapes import Shape, shaped


class SessionShape(Shape, frozen=True, kw_only=True):
    """A browser that is logged in; `id` is a hash that opens nothing, `is_this` the one asking."""

    id: str
    device: str
    proof: Proof
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    is_this: bool


class DeviceShape(Shape, frozen=True, kw_only=True):
    """A browser that is notified, never its address; `trouble` says why the last try failed."""

    id: int
    name: str
    created_at: datetime
    took_at: datetime | None
    trouble: str


class Language(Body, frozen=True, kw_only=True):
    """Of the interface; null: that of the installation."""

    language: Literal["fr", "en"] | None


class Closed(Shape, frozen=True, kw_only=True):
    """How many sessions there were."""

    sessions: int


async def list_sessions(call: Call[Nothing, None]) -> Answer[Listed[SessionShape]]:
    """One's own open sessions, the newest first."""
    found = await call.site.store.read(lambda db: users.sessions(db, call.actor))
    now = call.site.now()
    oldest = now - sessions.IDLE
    live = [each for each in found if each.seen_at >= oldest and each.expires_at > now]
    return Answer(value=Listed(items=[_session(call, each) for each in live]))


async def end_session(call: Call[Nothing, None]) -> Answer[None]:
    """One of one's own sessions is closed."""
    close = partial(
        account.close_one,
        name=call.actor,
        token_hash=call.parts["session"],
        now=call.site.now(),
    )
    if not await call.site.store.write(close):
        raise Refused(Kind.MISSING)
    return Answer(value=None)


async def end_sessions(call: Call[Nothing, None]) -> Answer[Closed]:
    """All one's own sessions are closed but the one that asks."""
    close = partial(
        account.close_all, name=call.actor, besides=call.visitor.session, now=call.site.now()
    )
    return Answer(value=Closed(sessions=await call.site.store.write(close)))


async def speak(call: Call[Nothing, Language]) -> Answer[None]:
    """Pages and answers speak this language to who asks."""
    chosen = call.body.language
    await call.site.store.write(lambda db: users.set_language(db, call.actor, chosen))
    return Answer(value=None)


async def list_devices(call: Call[Nothing, None]) -> Answer[Listed[DeviceShape]]:
    """One's own browsers that are notified, the newest first."""
    found = await call.site.store.read(lambda db: push.of(db, call.actor))
    return Answer(value=Listed(items=[shaped(DeviceShape, each) for each in found]))


async def try_device(call: Call[Nothing, None]) -> Answer[None]:
    """A message that says nothing is on its way to one of one's own devices."""
    if call.site.push is None:
        raise Refused(Kind.MISSING)
    plan = partial(
        push_page.plan_trial,
        number=int(call.parts["device"]),
        user=call.actor,
        receiver=call.site.push.receiver,
        now=call.site.now(),
    )
    if not await call.site.store.write(plan):
        raise Refused(Kind.MISSING)
    return Answer(value=None)


async def remove_device(call: Call[Nothing, None]) -> Answer[None]:
    """One of one's own devices is notified no more."""
    number, now = int(call.parts["device"]), call.site.now()
    if not await call.site.store.write(
        lambda db: push_page.end(db, number, user=call.actor, now=now)
    ):
        raise Refused(Kind.MISSING)
    return Answer(value=None)


def _session(call: Call[Nothing, None], found: Session) -> SessionShape:
    mark = found.token_hash
    return shaped(SessionShape, found, id=mark, is_this=mark == call.visitor.session)
