"""French public holidays, the days of a week and the hours of a day, as settings write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import cache

from veille.domain.errors import InputError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SUNDAY = 6
_HOURS = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})", re.ASCII)
_TIME = re.compile(r"([0-9]{2}):([0-9]{2})", re.ASCII)
_LAST_HOUR, _LAST_MINUTE = 24, 59


class Region(StrEnum):
    """Where public holidays are the same (Code du travail, L3133-1, L3134-13 and L3422-2)."""

    METROPOLE = "metropole"
    ALSACE_MOSELLE = "alsace-moselle"
    GUADELOUPE = "guadeloupe"
    MARTINIQUE = "martinique"
    GUYANE = "guyane"
    REUNION = "reunion"
    MAYOTTE = "mayotte"
    SAINT_PIERRE_ET_MIQUELON = "saint-pierre-et-miquelon"
    SAINT_BARTHELEMY = "saint-barthelemy"
    SAINT_MARTIN = "saint-martin"
    WALLIS_ET_FUTUNA = "wallis-et-futuna"
    POLYNESIE = "polynesie"
    NOUVELLE_CALEDONIE = "nouvelle-caledonie"
    NONE = "none"


# as the package `holidays` names them
_SUBDIVISIONS: dict[Region, str | None] = {
    Region.METROPOLE: None,
    Region.ALSACE_MOSELLE: "6AE",
    Region.GUADELOUPE: "971",
    Region.MARTINIQUE: "972",
    Region.GUYANE: "973",
    Region.REUNION: "974",
    Region.MAYOTTE: "976",
    Region.SAINT_PIERRE_ET_MIQUELON: "PM",
    Region.SAINT_BARTHELEMY: "BL",
    Region.SAINT_MARTIN: "MF",
    Region.WALLIS_ET_FUTUNA: "WF",
    Region.POLYNESIE: "PF",
    Region.NOUVELLE_CALEDONIE: "NC",
}
# INSEE, code officiel géographique: what the code of a commune or département begins with
_BY_CODE: dict[str, Region] = {
    **dict.fromkeys(("57", "67", "68"), Region.ALSACE_MOSELLE),
    "971": Region.GUADELOUPE,
    "972": Region.MARTINIQUE,
    "973": Region.GUYANE,
    "974": Region.REUNION,
    "975": Region.SAINT_PIERRE_ET_MIQUELON,
    "976": Region.MAYOTTE,
    "977": Region.SAINT_BARTHELEMY,
    "978": Region.SAINT_MARTIN,
    "986": Region.WALLIS_ET_FUTUNA,
    "987": Region.POLYNESIE,
    "988": Region.NOUVELLE_CALEDONIE,
}


def region_of(codes: Iterable[str]) -> Region:
    """Return the region of the first INSEE code (commune or département) that is not metropole."""
    found = (_BY_CODE.get(code[:3]) or _BY_CODE.get(code[:2]) for code in codes)
    return next((region for region in found if region is not None), Region.METROPOLE)


def holiday(day: date, region: Region) -> str | None:
    """Return the French name of the public holiday that `day` is there; None on other days.

    Good Friday in Alsace and Moselle counts everywhere there: the law asks for a Protestant church
    in the commune.
    """
    return None if region is Region.NONE else _of_year(day.year, region).get(day)


def is_holiday(day: date, region: Region) -> bool:
    """Whether `day` is a public holiday there."""
    return holiday(day, region) is not None


def weekday(day: date, region: Region) -> int:
    """Return 0 for a Monday to 6 for a Sunday; a public holiday counts as a Sunday."""
    return SUNDAY if is_holiday(day, region) else day.weekday()


@cache
def _of_year(year: int, region: Region) -> dict[date, str]:
    from holidays import country_holidays  # slow: not before a holiday is asked for

    subdivision = _SUBDIVISIONS[region]
    found = country_holidays("FR", subdiv=subdivision, years=year, expand=False, language="fr")
    return {day: str(name) for day, name in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """From one time of day to another by local clocks; past midnight when it ends before it begins.

    Equal ends are the whole day.
    """

    starts: time
    ends: time

    def span(self, day: date, zone: tzinfo) -> tuple[datetime, datetime]:
        """Return when the hours that begin on `day` begin and end, in UTC.

        A time that clocks skip in spring is read as before they turned; one that comes twice in
        autumn is the first.
        """
        last = day if self.ends > self.starts else day + timedelta(days=1)
        return instant(day, self.starts, zone), instant(last, self.ends, zone)


def instant(day: date, clock: time, zone: tzinfo) -> datetime:
    """Return the UTC instant at which local clocks show `clock` on `day`."""
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


def open_span(
    at: datetime,
    *,
    hours: Hours | None,
    days: Iterable[int] | None,
    zone: tzinfo,
    region: Region = Region.NONE,
) -> tuple[datetime, datetime] | None:
    """Return the span of these hours and days that holds `at`, in UTC; None outside of all.

    The days are those on which a span begins; `hours` None: the whole day. `days` None: all.
    """
    whole = hours or Hours(starts=time(), ends=time())
    allowed = None if days is None else set(days)
    local = at.astimezone(zone).date()
    for day in (local, local - timedelta(days=1)):
        if allowed is None or weekday(day, region) in allowed:
            starts, ends = whole.span(day, zone)
            if starts <= at < ends:
                return starts, ends
    return None


def parse_hours(text: str) -> Hours:
    """Return the hours written as `08:00-18:00` or `22:00-07:00`; InputError otherwise."""
    found = _HOURS.fullmatch(text)
    if found is None:
        raise InputError(f'"{text}" is no span of hours: write 08:00-18:00, or 22:00-07:00')
    first, last = text.split("-")
    ends = time() if last == "24:00" else parse_time(last)
    return Hours(starts=parse_time(first), ends=ends)


def parse_time(text: str) -> time:
    """Return the time of day written as `08:00`; InputError otherwise."""
    found = _TIME.fullmatch(text)
    if found is None or int(found[1]) >= _LAST_HOUR or int(found[2]) > _LAST_MINUTE:
        raise InputError(f'"{text}" is no time of day: write 08:00')
    return time(int(found[1]), int(found[2]))


def parse_days(names: Iterable[str]) -> frozenset[int]:
    """Return the days of a week, 0 for Monday, written as `mon` to `sun`; InputError otherwise."""
    given = tuple(names)
    for name in given:
        if name not in DAYS:
            raise InputError(f'"{name}" is no day: write {", ".join(DAYS)}')
    return frozenset(map(DAYS.index, given))
