"""The `[reports]` table of config.toml: when the weekly summary goes out, and to whom."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time

import msgspec

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHEN = re.compile(rf"({'|'.join(DAYS)}) ([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyTime:
    """A day of the week (0 Monday) and an hour, as the institution's clocks show it."""

    day: int
    at: time


class ReportsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`weekly` is a day and an hour; "" or "off": no summary is sent.

    `to` names receivers; without it, every e-mail receiver.
    """

    weekly: str = "mon 08:00"
    to: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) for a time that never comes."""
        if self.weekly not in {"", "off"} and _WHEN.fullmatch(self.weekly) is None:
            raise ValueError(f'weekly "{self.weekly}" is no time: write "mon 08:00", or "off"')

    @property
    def when(self) -> WeeklyTime | None:
        """When it is due each week, None when it is off."""
        found = _WHEN.fullmatch(self.weekly)
        if found is None:
            return None
        return WeeklyTime(day=DAYS.index(found[1]), at=time(int(found[2]), int(found[3])))
