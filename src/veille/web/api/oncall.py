"""On call: who now, who next, and shifts that change hands."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, TypeVar

import msgspec

from veille.alerts.oncall_settings import EscalationSettings
from veille.domain.access import Access
from veille.domain.errors import OwnShiftError
from veille.domain.oncall import CalendarRole, Override, Shift, shift_key
from veille.store import oncall
from veille.store.oncall import Copy
from veille.store.users import folded
from veille.web.api.operation import Answer, Body, Call, Listed, Nothing
from veille.web.api.problems import Kind, Refused, lacking, refusal
from veille.web.api.shapes import Shape, shaped
from veille.web.house import Change, Roll, RotaDesk

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Ahead(Nothing, frozen=True, kw_only=True):
    """How many days from now."""

    days: Annotated[int, msgspec.Meta(ge=1, le=28)] = 7


class Turn(Shape, frozen=True, kw_only=True):
    """A shift; `key` names one that may be swapped: whole, and of one person."""

    key: str | None
    starts_at: datetime
    ends_at: datetime
    people: tuple[str, ...]


class Rota(Shape, frozen=True, kw_only=True):
    """A schedule: who now, who next, all shifts of the days asked for, and who takes over.

    `copies` are its imported calendars, as last read; those of `unread` never were, and titles in
    `unknown` name nobody.
    """

    id: str
    now: Shift
    next: Shift | None
    shifts: list[Turn]
    overrides: tuple[Override, ...]
    copies: tuple[Copy, ...]
    unread: tuple[CalendarRole, ...]
    unknown: tuple[str, ...]


class Policy(Shape, frozen=True, kw_only=True):
    """An escalation policy, and the labels that lead to it ("" is everything)."""

    policy: EscalationSettings
    uses: list[str]


class Policies(Shape, frozen=True, kw_only=True):
    """Every policy, and how the people are called, by id."""

    items: list[Policy]
    people: dict[str, str]


class Wanted(Body, frozen=True, kw_only=True):
    """Who takes over which schedule, from when (now unless said) to when."""

    schedule: _Id
    person: _Id
    starts_at: _Moment | None = None
    ends_at: _Moment


class Swap(Body, frozen=True, kw_only=True):
    """Two shifts of a schedule, by their keys."""

    schedule: _Id
    one: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    other: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Changed(Shape, frozen=True, kw_only=True):
    """A time that changes hands."""

    before: Shift
    after: str


async def list_(call: Call[Ahead, None]) -> Answer[Listed[Rota]]:
    """Every schedule over the days asked for; none where config.toml has none."""
    desk, ahead = call.site.house.rota, timedelta(days=call.query.days)
    found = [] if desk is None else await desk.rolls(call.now, ahead=ahead)
    return Answer(value=Listed(items=[_rota(call, roll) for roll in found]))


async def policies(call: Call[Nothing, None]) -> Answer[Policies]:
    """Who is told, and when, of what nobody takes."""
    desk = call.site.house.rota
    known = desk.policies if desk is not None else ()
    uses = desk.uses if desk is not None else {}
    return Answer(
        value=Policies(
            items=[Policy(policy=one, uses=list(uses.get(one.id, ()))) for one in known],
            people=dict(desk.names) if desk is not None else {},
        )
    )


async def preview(call: Call[Nothing, Wanted]) -> Answer[Listed[Changed]]:
    """What an override would change; nothing is done."""
    look = _desk(call).replaced(_override(call), own=_own(call), now=call.now)
    return Answer(value=Listed(items=_changes(await _owned(call, look))))


async def replace(call: Call[Nothing, Wanted]) -> Answer[Listed[Changed]]:
    """Somebody takes over: one's own shifts by the scope act, anybody's by edit."""
    desk, own, now, wanted = _desk(call), _own(call), call.now, _override(call)
    changes = await _owned(call, desk.replaced(wanted, own=own, now=now))
    await _owned(call, desk.replace(wanted, own=own, now=now))
    return Answer(value=Listed(items=_changes(changes)))


async def preview_swap(call: Call[Nothing, Swap]) -> Answer[Listed[Changed]]:
    """What a swap would change; nothing is done."""
    keys, now = (call.body.one, call.body.other), call.now
    look = _desk(call).swapped(call.body.schedule, keys, own=_own(call), now=now)
    return Answer(value=Listed(items=_changes(await _owned(call, look))))


async def swap(call: Call[Nothing, Swap]) -> Answer[Listed[Changed]]:
    """Each of two people has the other's shift: one's own by the scope act, anybody's by edit."""
    desk, own, now, said = _desk(call), _own(call), call.now, call.body
    keys = (said.one, said.other)
    changes = await _owned(call, desk.swapped(said.schedule, keys, own=own, now=now))
    await _owned(call, desk.swap(said.schedule, keys, own=own, actor=call.actor, now=now))
    return Answer(value=Listed(items=_changes(changes)))


async def hand_back(call: Call[Nothing, None]) -> Answer[None]:
    """The override counts no more."""
    number, now = int(call.parts["override"]), call.now
    if not await call.site.store.read(lambda db: oncall.has_override(db, number)):
        raise Refused(Kind.MISSING)
    done = _desk(call).hand_back(number, own=_own(call), actor=call.actor, now=now)
    await _owned(call, done)
    return Answer(value=None)


_Any = Call[Nothing, Wanted] | Call[Nothing, Swap] | Call[Nothing, None]
T = TypeVar("T")


async def _owned(call: _Any, done: Awaitable[T]) -> T:
    """Return what is done to shifts; refused where one is somebody else's."""
    try:
        return await done
    except OwnShiftError as error:
        raise lacking(call.visitor, Access.EDIT) from error


def _desk(call: _Any) -> RotaDesk:
    desk = call.site.house.rota
    if desk is None:
        raise refusal(call.request, "no_schedule")
    return desk


def _own(call: _Any) -> str | None:
    """Return the person whose shifts alone may change hands, None: anybody's; "" is nobody."""
    if call.visitor.may(Access.EDIT):
        return None
    names: Mapping[str, str] = _desk(call).names
    return next((one for one in names if folded(one) == folded(call.actor)), "")


def _override(call: Call[Nothing, Wanted]) -> Override:
    said, now = call.body, call.now
    return Override(
        id=0,
        schedule=said.schedule,
        person=said.person,
        starts_at=said.starts_at or now,
        ends_at=said.ends_at,
        actor=call.actor,
        created_at=now,
    )


def _rota(call: Call[Ahead, None], roll: Roll) -> Rota:
    last = len(roll.shifts) - 1  # cut where the days asked for end
    turns = [
        shaped(
            Turn,
            _cut(call, one),
            key=shift_key(one) if len(one.people) == 1 and at < last else None,
        )
        for at, one in enumerate(roll.shifts)
    ]
    after = None if roll.next is None else _cut(call, roll.next)
    return shaped(Rota, roll, shifts=turns, now=_cut(call, roll.now), next=after)


def _cut(call: Call[Ahead, None], shift: Shift) -> Shift:
    """Return the shift; where the look begins or ends, as of the whole minute: so the ETag stays.

    Who is on call is looked up at the second itself: an override may begin now.
    """

    def whole(at: datetime) -> datetime:
        is_cut = not (at - call.now) % timedelta(days=1)
        return at.replace(second=0, microsecond=0) if is_cut else at

    return dataclasses.replace(
        shift, starts_at=whole(shift.starts_at), ends_at=whole(shift.ends_at)
    )


def _changes(found: Sequence[Change]) -> list[Changed]:
    return [Changed(before=each.before, after=each.after) for each in found]
