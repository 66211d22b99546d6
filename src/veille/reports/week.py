"""ISO weeks in a time zone: Monday 00:00 to Monday 00:00, 167 or 169 hours when clocks change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from veille.domain.errors import InputError

_NAME = re.compile(r"(\d{4})-[Ww](\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """A week by its Monday; `name` as ISO 8601 writes it, `2026-W47`."""

    monday: date
    zone: ZoneInfo

    @classmethod
    def of(cls, at: datetime, zone: ZoneInfo) -> Week:
        """Return the week that `at` lies in."""
        today = at.astimezone(zone).date()
        return cls(monday=today - timedelta(days=today.weekday()), zone=zone)

    @classmethod
    def named(cls, name: str, zone: ZoneInfo) -> Week:
        """Return the week `2026-W47`; InputError for a week that no calendar has."""
        year, number = found.groups() if (found := _NAME.fullmatch(name)) else ("0", "0")
        try:
            monday = date.fromisocalendar(int(year), int(number), 1)
            week = cls(monday=monday, zone=zone)
            _ = (week.previous.starts_at, week.ends_at)  # the calendar ends somewhere
        except (ValueError, OverflowError):
            raise InputError(f'"{name}" is no week: write it as 2026-W47') from None
        return week

    @property
    def name(self) -> str:
        """The week as ISO 8601 writes it."""
        year, number, _ = self.monday.isocalendar()
        return f"{year}-W{number:02}"

    @property
    def number(self) -> int:
        """The week's number in its year, 1 to 53."""
        return self.monday.isocalendar().week

    @property
    def previous(self) -> Week:
        """The week before."""
        return Week(monday=self.monday - timedelta(days=7), zone=self.zone)

    @property
    def starts_at(self) -> datetime:
        """Monday 00:00, in UTC."""
        return self.at(0, time())

    @property
    def ends_at(self) -> datetime:
        """The next Monday 00:00, in UTC: the first instant that is not of this week."""
        return self.at(7, time())

    @property
    def days(self) -> tuple[date, ...]:
        """Its seven days."""
        return tuple(self.monday + timedelta(days=n) for n in range(7))

    def at(self, day: int, hour: time) -> datetime:
        """Return an hour of a day (0 Monday) in UTC; clocks that skip it show it late."""
        local = datetime.combine(self.monday + timedelta(days=day), hour, tzinfo=self.zone)
        return local.astimezone(UTC)
