"""`[[inhibit]]`, `[[calendar]]` and the budget of a shift: what may be muted, as settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Literal

import msgspec

from veille.domain.alert import Severity
from veille.domain.calendar import (
    Region,
    holiday,
    instant,
    open_span,
    parse_days,
    parse_hours,
    parse_time,
)
from veille.domain.durations import parse_duration
from veille.domain.errors import InputError
from veille.domain.silence import matches

Values = str | tuple[str, ...]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAY = timedelta(days=1)


def _match(written: Mapping[str, Values]) -> dict[str, tuple[str, ...]]:
    return {name: (v,) if isinstance(v, str) else v for name, v in written.items()}


class InhibitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """While an alert that matches `source` fires, those that match `target` are not told.

    Both must have the same value of each label in `equal`; one that both lack is equal.
    """

    source: dict[str, Values]
    target: dict[str, Values]
    equal: tuple[str, ...] = ("watch", "topic")

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on what would mute everything or itself."""
        for name in ("source", "target"):
            if not getattr(self, name):
                raise ValueError(f'{name}: it is empty: write labels, as {{severity = "critical"}}')
            unknown = {*_match(getattr(self, name)).get("severity", ())} - {*Severity}
            if unknown:
                said, known = min(unknown), ", ".join(Severity)
                raise ValueError(f'{name}.severity: "{said}" does not exist; known: {known}')

    def hides(self, target: Mapping[str, str], source: Mapping[str, str]) -> bool:
        """Whether an alert with labels `source` hides another with labels `target`."""
        return (
            all(target.get(name, "") == source.get(name, "") for name in self.equal)
            and matches(_match(self.source), source)
            and matches(_match(self.target), target)
            and not matches(_match(self.source), target)  # or two would hide each other
        )


INHIBIT = (
    InhibitSettings(
        source={"severity": "critical"},
        target={"severity": ("warning", "info")},
        equal=("watch", "topic"),
    ),
    InhibitSettings(source={"severity": "critical"}, target={"severity": "info"}, equal=("watch",)),
)
"""What is shipped: the crisis mutes its children, and what is only worth knowing meanwhile."""


class CalendarSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times at which routes that name it are quiet, for these severities.

    A week's times are `hours` on `days` (spans are of the day they begin on); `dates` (a day, or
    `first/last`) and public holidays are whole days besides. Holidays are no Sundays in `days`.
    """

    id: str
    days: tuple[Day, ...] | None = None
    hours: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    holidays: Region | None = None
    severities: tuple[Severity, ...] = (Severity.INFO, Severity.WARNING)

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        if not self.severities:
            raise ValueError("severities: it is empty: write which ones are quiet then")
        if not self.has_week and not self.dates and self.holidays is None:
            raise ValueError("hours: the calendar is empty: write hours, days, dates or holidays")
        try:
            list(map(parse_hours, self.hours))
            list(map(_dates, self.dates))
        except InputError as error:
            raise ValueError(f"hours, dates: {error}") from error

    @property
    def has_week(self) -> bool:
        """Whether it says anything of a week."""
        return bool(self.hours) or self.days is not None

    def until(self, at: datetime, zone: tzinfo) -> datetime | None:
        """Return when the quiet time that holds `at` ends; None outside of all."""
        local = at.astimezone(zone).date()
        last_days = [last for first, last in map(_dates, self.dates) if first <= local <= last]
        if self.holidays is not None and holiday(local, self.holidays) is not None:
            last_days.append(local)
        ends = [instant(day + DAY, time(), zone) for day in last_days]
        if self.has_week:
            days = None if self.days is None else parse_days(self.days)
            for hours in self.hours or (None,):
                read = None if hours is None else parse_hours(hours)
                span = open_span(at, hours=read, days=days, zone=zone)
                ends += [] if span is None else [span[1]]
        return max(ends, default=None)

    def turns_at(self, at: datetime, zone: tzinfo) -> datetime:
        """Return before or when it next begins or ends after `at`: a midnight at the latest."""
        local = at.astimezone(zone).date()
        around = [local + DAY * n for n in (-1, 0, 1)]
        found = [instant(day, time(), zone) for day in (*around, local + DAY * 2)]
        for hours in map(parse_hours, self.hours):
            found += [edge for day in around for edge in hours.span(day, zone)]
        return min(edge for edge in found if edge > at)


class BudgetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many notifications a shift may bring; shifts of `per` begin at `starts` each day."""

    per: str = "8h"
    notifications: int = 12
    starts: str = "06:00"

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        try:
            lasts = self.lasts
            parse_time(self.starts)
        except InputError as error:
            raise ValueError(f"per, starts: {error}") from error
        if not timedelta(hours=1) <= lasts <= DAY or DAY % lasts:
            raise ValueError(f'per: "{self.per}": write 1h to 24h that divide a day (8h)')
        if self.notifications < 1:
            raise ValueError("notifications: write 1 or more, or leave budget out")

    @property
    def lasts(self) -> timedelta:
        """How long a shift is, by local clocks."""
        return parse_duration(self.per)

    def shift(self, at: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
        """Return when the shift that holds `at` begins and ends, in UTC."""
        local = at.astimezone(zone).replace(tzinfo=None)
        first = datetime.combine(local.date() - DAY, parse_time(self.starts))
        begins = first + (local - first) // self.lasts * self.lasts
        ends = begins + self.lasts
        return instant(begins.date(), begins.time(), zone), instant(ends.date(), ends.time(), zone)


def _dates(text: str) -> tuple[date, date]:
    """Return the first and last day of `2026-12-24` or `2026-12-24/2027-01-02`."""
    first, _, last = text.partition("/")
    try:
        found = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError as error:
        raise InputError(
            f'"{text}" is no day: write 2026-12-24, or 2026-12-24/2027-01-02'
        ) from error
    if found[1] < found[0]:
        raise InputError(f'"{text}" ends before it begins: write the first day first')
    return found
