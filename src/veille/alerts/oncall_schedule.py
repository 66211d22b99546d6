"""Who is on call at an instant: layers that take turns, calendars over them, overrides on top."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

from veille.alerts.oncall_settings import LayerSettings, ScheduleSettings, parse_rotation
from veille.domain.calendar import (
    Hours,
    Region,
    instant,
    open_span,
    parse_days,
    parse_hours,
    parse_time,
)
from veille.domain.oncall import Override, Shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """People who take turns of `turn_days`, the first from `start` on, at `handoff`."""

    people: tuple[str, ...]
    start: date
    handoff: time
    turn_days: int
    days: frozenset[int] | None = None
    hours: Hours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All that says who is on call, what counts more later: a later layer wins over an earlier.

    `calendar` and `takeovers` are imported; `fixed` stand in the file; `overrides` in the store,
    those that were ended left out.
    """

    id: str
    zone: tzinfo
    region: Region = Region.NONE
    layers: tuple[Layer, ...] = ()
    calendar: tuple[Shift, ...] = ()
    takeovers: tuple[Shift, ...] = ()
    fixed: tuple[Shift, ...] = ()
    overrides: tuple[Override, ...] = ()


def schedule(settings: ScheduleSettings, *, zone: tzinfo, region: Region) -> Schedule:
    """Return what config.toml says of a schedule, without calendars and stored overrides."""
    return Schedule(
        id=settings.id,
        zone=zone,
        region=region,
        layers=tuple(_layer(layer) for layer in settings.layers),
        fixed=tuple(
            Shift(
                starts_at=_aware(one.starts_at, zone),
                ends_at=_aware(one.ends_at, zone),
                people=(one.person,),
            )
            for one in settings.overrides
        ),
    )


def on_call(plan: Schedule, at: datetime) -> tuple[str, ...]:
    """Return the ids of who is on call at `at`; several where calendar events overlap.

    Overrides in the store count most, then those in the file (of both the last one), then the
    override calendar, then the calendar, then the last layer that counts at this hour.
    """
    for override in sorted(plan.overrides, key=lambda o: o.id, reverse=True):
        if override.starts_at <= at < override.ends_at:
            return (override.person,)
    for shift in reversed(plan.fixed):
        if shift.starts_at <= at < shift.ends_at:
            return shift.people
    for shifts in (plan.takeovers, plan.calendar):
        people = [p for s in shifts if s.starts_at <= at < s.ends_at for p in s.people]
        if people:
            return tuple(dict.fromkeys(people))
    for layer in reversed(plan.layers):
        person = _turn(layer, at, plan)
        if person is not None:
            return (person,)
    return ()


def shifts(plan: Schedule, starts_at: datetime, ends_at: datetime) -> list[Shift]:
    """Return who is on call from `starts_at` to `ends_at`, without holes: a gap has no people."""
    cuts = {cut for cut in _cuts(plan, starts_at, ends_at) if starts_at < cut < ends_at}
    found: list[Shift] = []
    for one, other in pairwise(sorted({starts_at, ends_at, *cuts})):
        people = on_call(plan, one)
        go_on = bool(found) and found[-1].people == people
        since = found.pop().starts_at if go_on else one
        found.append(Shift(starts_at=since, ends_at=other, people=people))
    return found


def gaps(found: Sequence[Shift]) -> list[Shift]:
    """Return when nobody is on call."""
    return [shift for shift in found if not shift.people]


def overlaps(found: Sequence[Shift]) -> list[Shift]:
    """Return when more than one person is."""
    return [shift for shift in found if len(shift.people) > 1]


def _layer(settings: LayerSettings) -> Layer:
    return Layer(
        people=settings.people,
        start=settings.start,
        handoff=parse_time(settings.handoff),
        turn_days=parse_rotation(settings.rotation),
        days=None if settings.days is None else parse_days(settings.days),
        hours=None if settings.hours is None else parse_hours(settings.hours),
    )


def _aware(at: datetime, zone: tzinfo) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _turn(layer: Layer, at: datetime, plan: Schedule) -> str | None:
    """Return who has the turn; None before the first one, and outside of days and hours."""
    if (layer.days is not None or layer.hours is not None) and not open_span(
        at, hours=layer.hours, days=layer.days, zone=plan.zone, region=plan.region
    ):
        return None
    day = at.astimezone(plan.zone).date()
    passed = (day - layer.start).days
    if at < instant(day, layer.handoff, plan.zone):
        passed -= 1
    if passed < 0:
        return None
    return layer.people[passed // layer.turn_days % len(layer.people)]


def _cuts(plan: Schedule, starts_at: datetime, ends_at: datetime) -> Iterator[datetime]:
    """Yield every instant at which somebody else may be on call."""
    for shift in (*plan.fixed, *plan.takeovers, *plan.calendar):
        yield from (shift.starts_at, shift.ends_at)
    for override in plan.overrides:
        yield from (override.starts_at, override.ends_at)
    first = starts_at.astimezone(plan.zone).date() - timedelta(days=1)
    last = ends_at.astimezone(plan.zone).date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    for layer in plan.layers:
        for day in days:
            yield instant(day, layer.handoff, plan.zone)
            if layer.days is not None or layer.hours is not None:
                yield from (layer.hours or _WHOLE).span(day, plan.zone)


_WHOLE = Hours(starts=time(), ends=time())
