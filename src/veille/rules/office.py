"""When a delay counted in hours of work is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from veille.domain.calendar import Hours, Region, weekday

LONGEST = 60
"""Days that are looked through for hours of work: more than any holiday of an office."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """When somebody answers: hours of a day, days of the week (0: Monday), holidays of a region."""

    hours: Hours
    days: frozenset[int]
    region: Region = Region.METROPOLE


def due_at(asked_at: datetime, within: timedelta, office: Office | None, zone: tzinfo) -> datetime:
    """Return when `within` has passed since then; only hours of work count where there are some.

    Public holidays count as Sundays. UTC.
    """
    if office is None:
        return asked_at + within
    left, day = within, asked_at.astimezone(zone).date() - timedelta(days=1)
    for _ in range(LONGEST + within.days * 7):
        starts, ends = office.hours.span(day, zone)
        begins = max(starts, asked_at)
        if weekday(day, office.region) in office.days and begins < ends:
            if left <= ends - begins:
                return begins + left
            left -= ends - begins
        day += timedelta(days=1)
    return asked_at + timedelta(days=LONGEST) + left
