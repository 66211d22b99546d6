"""On call: who now, who next, and shifts that change hands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from veille.domain.access import Access
from veille.domain.errors import OwnShiftError
from veille.domain.oncall import Override, Shift
from veille.store.users import folded
from veille.web.api.operation import Answer, Body, Call, Listed, Nothing
from veille.web.api.problems import Kind, Refused, lacking
from veille.web.api.shapes import Shape
from veille.web.house import Change, RotaDesk

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Ahead(Nothing, frozen=True, kw_only=True):
    """How many days from now."""

    days: Annotated[int, msgspec.Meta(ge=1, le=28)] = 7


class Rota(Shape, frozen=True, kw_only=True):
    """A schedule: who now, who next, all shifts of the days asked for, and who takes over."""

    id: str
    now: Shift
    next: Shift | None
    shifts: list[Shift]
    overrides: list[Override]


class Wanted(Body, frozen=True, kw_only=True):
    """Who takes over which schedule, from when (now unless said) to when."""

    schedule: _Id
    person: _Id
    starts_at: _Moment | None = None
    ends_at: _Moment


class Changed(Shape, frozen=True, kw_only=True):
    """A time that changes hands."""

    before: Shift
    after: str


async def list_(call: Call[Ahead, None]) -> Answer[Listed[Rota]]:
    """Every schedule over the days asked for; none where config.toml has none."""
    desk, ahead = call.site.house.rota, timedelta(days=call.query.days)
    found = [] if desk is None else await desk.rolls(call.site.now(), ahead=ahead)
    return Answer(
        value=Listed(
            items=[
                Rota(
                    id=roll.id,
                    now=roll.now,
                    next=roll.next,
                    shifts=list(roll.shifts),
                    overrides=list(roll.overrides),
                )
                for roll in found
            ]
        )
    )


async def preview(call: Call[Nothing, Wanted]) -> Answer[Listed[Changed]]:
    """What an override would change; nothing is done."""
    found = await _desk(call).replaced(_override(call), own=_own(call), now=call.site.now())
    return Answer(value=Listed(items=_changes(found)))


async def replace(call: Call[Nothing, Wanted]) -> Answer[Listed[Changed]]:
    """Somebody takes over: one's own shifts by the scope act, anybody's by edit."""
    desk, own, now, wanted = _desk(call), _own(call), call.site.now(), _override(call)
    try:
        changes = await desk.replaced(wanted, own=own, now=now)
        await desk.replace(wanted, own=own, now=now)
    except OwnShiftError as error:
        raise lacking(call.visitor, Access.EDIT) from error
    return Answer(value=Listed(items=_changes(changes)))


async def hand_back(call: Call[Nothing, None]) -> Answer[None]:
    """The override counts no more."""
    try:
        await _desk(call).hand_back(
            int(call.parts["override"]), own=_own(call), actor=call.actor, now=call.site.now()
        )
    except OwnShiftError as error:
        raise lacking(call.visitor, Access.EDIT) from error
    return Answer(value=None)


_Any = Call[Nothing, Wanted] | Call[Nothing, None]


def _desk(call: _Any) -> RotaDesk:
    desk = call.site.house.rota
    if desk is None:
        raise Refused(Kind.REFUSED, cause="nobody is on call here: config.toml has no schedule")
    return desk


def _own(call: _Any) -> str | None:
    """Return the person whose shifts alone may change hands, None: anybody's; "" is nobody."""
    if call.visitor.may(Access.EDIT):
        return None
    names: Mapping[str, str] = _desk(call).names
    return next((one for one in names if folded(one) == folded(call.actor)), "")


def _override(call: Call[Nothing, Wanted]) -> Override:
    said, now = call.body, call.site.now()
    return Override(
        id=0,
        schedule=said.schedule,
        person=said.person,
        starts_at=said.starts_at or now,
        ends_at=said.ends_at,
        actor=call.actor,
        created_at=now,
    )


def _changes(found: Sequence[Change]) -> list[Changed]:
    return [Changed(before=each.before, after=each.after) for each in found]
