"""`[[person]]`, `[[schedule]]` and `[[escalation]]` of config.toml: who is on call, who is next."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from veille.domain.calendar import Region, parse_days, parse_hours, parse_time
from veille.domain.durations import parse_duration
from veille.domain.errors import InputError

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Repeats = Annotated[int, msgspec.Meta(ge=0, le=5)]  # docs: alerting, A.1, as Grafana OnCall
ID_LENGTH = 64  # store/users.py: a person is a user
SHORTEST_REFRESH = timedelta(minutes=1)
LONGEST_AFTER = timedelta(days=7)
_SLACK = re.compile(r"[UW][A-Z0-9]{2,20}", re.ASCII)
_ROTATION = re.compile(r"([1-9][0-9]{0,2})([dw])", re.ASCII)
T = TypeVar("T")


class PersonSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who can be on call: a user's name as `id`, and the receivers that reach them."""

    id: str
    name: str = ""
    receivers: tuple[str, ...] = ()
    slack: str | None = None
    quiet: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        _check_name(self.id)
        if self.slack is not None and _SLACK.fullmatch(self.slack) is None:
            raise ValueError(f'slack "{self.slack}" is no member id: write U0123456789')
        if self.quiet is not None:
            _read("quiet", self.quiet, parse_hours)


class LayerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People who take turns; `days` and `hours` restrict when the layer counts."""

    people: tuple[str, ...]
    start: date
    handoff: str = "08:00"
    rotation: str = "1w"
    days: tuple[Day, ...] | None = None
    hours: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        if not self.people:
            raise ValueError("people is empty: write who takes turns")
        _read("handoff", self.handoff, parse_time)
        _read("rotation", self.rotation, parse_rotation)
        _check_when(self.days, self.hours)


class OverrideSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody takes over; times without an offset are by the clocks of the schedule."""

    person: str
    starts_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        if (self.starts_at.tzinfo is None) != (self.ends_at.tzinfo is None):
            raise ValueError("starts_at, ends_at: write the offset in both, or in neither")
        if self.starts_at >= self.ends_at:
            raise ValueError("ends_at: it is not after starts_at")


class ScheduleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is on call when: layers, calendars over them, overrides over those.

    `gaps`: times without anybody are meant, as in office hours.
    """

    id: str
    layers: tuple[LayerSettings, ...] = ()
    overrides: tuple[OverrideSettings, ...] = ()
    calendar: str | None = None
    override_calendar: str | None = None
    refresh: str = "15m"
    allow_private: bool = False
    timezone: str | None = None
    holidays: Region | None = None
    gaps: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        if not (self.layers or self.calendar):
            raise ValueError("nobody is on it: write [[schedule.layers]] or calendar")
        if self.timezone is not None:
            try:
                ZoneInfo(self.timezone)
            except (KeyError, ValueError, OSError) as error:
                raise ValueError(f'timezone: "{self.timezone}" is no time zone') from error
        if _read("refresh", self.refresh, parse_duration) < SHORTEST_REFRESH:
            raise ValueError(f'refresh: "{self.refresh}": at least 1m, to spare the server')


class StepSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told `after` the incident was told, unless somebody took it; `final`: once, last."""

    after: str = "0s"
    schedules: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    days: tuple[Day, ...] | None = None
    hours: str | None = None
    final: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        if not (self.schedules or self.people or self.receivers):
            raise ValueError("the step tells nobody: write schedules, people or receivers")
        if _read("after", self.after, parse_duration) > LONGEST_AFTER:
            raise ValueError(f'after: "{self.after}" is out of range: write 0s to 7d')
        _check_when(self.days, self.hours)

    @property
    def delay(self) -> timedelta:
        """Since the round began: of the first one, since the incident was told."""
        return parse_duration(self.after)


class EscalationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy: its steps in order, gone through `repeat` times more, `repeat_after` apart."""

    id: str
    steps: tuple[StepSettings, ...]
    repeat: Repeats = 0
    repeat_after: str = "15m"

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        if not self.steps:
            raise ValueError("the policy has no step: write [[escalation.steps]]")
        pause = _read("repeat_after", self.repeat_after, parse_duration)
        if not timedelta(seconds=1) <= pause <= LONGEST_AFTER:
            raise ValueError(f'repeat_after: "{self.repeat_after}" is out of range: write 1s to 7d')
        delays = [step.delay for step in self.steps]
        for index, (one, other) in enumerate(pairwise(delays), start=1):
            if other <= one:
                raise ValueError(f"steps[{index}].after: it is not later than the step before it")
        if any(step.final for step in self.steps[:-1]):
            raise ValueError("steps: only the last one may be final")

    @property
    def pause(self) -> timedelta:
        """From the last repeated step of a round to the next round."""
        return parse_duration(self.repeat_after)


def parse_rotation(text: str) -> int:
    """Return the days of a turn written as `1w` or `3d`; InputError otherwise."""
    found = _ROTATION.fullmatch(text)
    if found is None:
        raise InputError(f'"{text}" is no turn: write a whole number and d or w (1w)')
    return int(found[1]) * (7 if found[2] == "w" else 1)


def _read(key: str, written: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(written)
    except InputError as error:
        raise ValueError(f"{key}: {error}") from error  # msgspec adds the path to no other


def _check_when(days: tuple[Day, ...] | None, hours: str | None) -> None:
    if days is not None:
        if not days:
            raise ValueError("days is empty: leave it out for all days")
        parse_days(days)
    if hours is not None:
        _read("hours", hours, parse_hours)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > ID_LENGTH or not name.isprintable():
        raise ValueError(f'id "{name}" is no user\'s name: write 1 to {ID_LENGTH} characters')
