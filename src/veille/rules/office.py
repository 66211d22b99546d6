"""When a delay counted in hours of work is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from veille.domain.calendar import SUNDAY, Hours, Region
from veille.domain.hours import Opening, due


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
    # an office that is open on Sundays is open on holidays
    region = Region.NONE if SUNDAY in office.days else office.region
    opening = Opening(spans=(office.hours,), days=office.days, zone=zone, region=region)
    return due(asked_at, within, opening)
