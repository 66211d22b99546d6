"""Business time: when somebody is there to answer, and how much of it lies between two moments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from veille.domain.calendar import Hours, Region, is_holiday

YEARS = timedelta(days=3660)
"""Ten years: business time is not counted further back, nor looked for further ahead."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Spans of hours on some days of the week (0: Monday), by the clocks of `zone`.

    Public holidays of `region` and the days `closed` have none. A span past midnight is of the day
    on which it begins. No two spans overlap (alerts/clock_settings.py refuses it).
    """

    spans: tuple[Hours, ...]
    days: frozenset[int]
    zone: tzinfo
    region: Region = Region.METROPOLE
    closed: frozenset[date] = frozenset()


ALWAYS = Opening(
    spans=(Hours(starts=time(), ends=time()),),
    days=frozenset(range(7)),
    zone=UTC,
    region=Region.NONE,
)
"""Day and night."""


def due(start: datetime, lasting: timedelta, hours: Opening) -> datetime:
    """Return when `lasting` of business time has passed since `start`, in UTC.

    What starts outside of hours starts at the next opening; what is over at a closing time is due
    then, not at the opening after. Where ten years have too few hours, it is due after these.
    """
    start = start.astimezone(UTC)  # local times add up as clocks show them, not as time passes
    left, day = lasting, _first_day(start, hours)
    last = start + YEARS if start.year < date.max.year - 11 else start
    while day <= last.date():
        for starts, ends in _spans(hours, day):
            begins = max(starts, start)
            if begins >= ends:
                continue
            if left <= ends - begins:
                return begins + left
            left -= ends - begins
        day += _DAY
    return last


def elapsed(start: datetime, end: datetime, hours: Opening) -> timedelta:
    """Return the business time between two moments, 0 when `end` is not after `start`.

    It is the inverse of `due`: `elapsed(start, due(start, x)) == x`.
    """
    if end <= start:
        return timedelta(0)
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    start = max(start, end - YEARS) if end.year > date.min.year + 11 else start
    total, day = timedelta(0), _first_day(start, hours)
    while day <= end.astimezone(hours.zone).date():
        for starts, ends in _spans(hours, day):
            total += max(timedelta(0), min(ends, end) - max(starts, start))
        day += _DAY
    return total


def is_open(at: datetime, hours: Opening) -> bool:
    """Whether somebody is there at that moment; not any more at a closing time."""
    first = _first_day(at, hours)
    return any(
        starts <= at < ends for day in (first, first + _DAY) for starts, ends in _spans(hours, day)
    )


def _first_day(at: datetime, hours: Opening) -> date:
    """Return the day before, by local clocks: its spans may last past midnight."""
    return at.astimezone(hours.zone).date() - _DAY


@lru_cache(maxsize=16384)
def _spans(hours: Opening, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """Return the spans that begin on a day, in order, each hour once.

    In the night that loses an hour one may reach into the next.
    """
    found: list[tuple[datetime, datetime]] = []
    before = max((ends for _, ends in _shown(hours, day - _DAY)), default=None)
    for starts, ends in _shown(hours, day):
        begins = starts if before is None else max(starts, before)
        if begins < ends:  # a span that clocks skip whole holds no time
            found.append((begins, ends))
            before = ends
    return tuple(found)


def _shown(hours: Opening, day: date) -> list[tuple[datetime, datetime]]:
    """Return the spans that begin on a day as clocks show them."""
    if day.weekday() not in hours.days or day in hours.closed or is_holiday(day, hours.region):
        return []
    return sorted(span.span(day, hours.zone) for span in hours.spans)
