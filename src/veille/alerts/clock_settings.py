"""The `[clock]` table of config.toml: when people are there, and how soon they answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, timedelta, tzinfo
from itertools import pairwise
from typing import Annotated

import msgspec

from veille.domain.alert import Severity
from veille.domain.analysis import IntentLabel
from veille.domain.calendar import DAYS, Hours, Region, parse_days, parse_hours
from veille.domain.durations import parse_duration
from veille.domain.errors import InputError
from veille.domain.hours import Opening
from veille.domain.promise import Change, Duty, Grave, Promise, Promises

LONGEST = timedelta(hours=2000)
"""Of a bound: a year has 1,607 hours of work (Code général de la fonction publique, L611-2)."""
NONE = "none"
_GRAVE = {Severity.WARNING: "resolution_warning", Severity.CRITICAL: "resolution_critical"}
_DAYS, _HOURS = ("mon", "tue", "wed", "thu", "fri"), ("09:00-17:00",)
_RATIO = re.compile(r"[1-9][0-9]? ?%|100 ?%", re.ASCII)
_SPAN = "/"
_MONDAY = date(2001, 1, 1)  # any Monday: spans are compared in a week without a turn of clocks
_Days = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=7)]
_Spans = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=10)]


class ClockChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[clock.change]]`: other hours or bounds for some sources and intents."""

    sources: tuple[str, ...] = ()
    intents: tuple[IntentLabel, ...] = ()
    days: _Days | None = None
    hours: _Spans | None = None
    first_response: str | None = None
    next_response: str | None = None
    resolution: str | None = None
    resolution_warning: str | None = None
    resolution_critical: str | None = None

    def __post_init__(self) -> None:
        _check(self)
        if not (self.sources or self.intents):
            raise ValueError("a change needs sources or intents: say what it is for")


class ClockSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[clock]`: hours by the institution's clocks, bounds in business time; `none` is no bound."""

    days: _Days = _DAYS
    hours: _Spans = _HOURS
    closed: tuple[str, ...] = ()
    first_response: str = "30m"
    next_response: str = "2h"
    resolution: str = "40h"
    resolution_warning: str = "8h"
    resolution_critical: str = "30m"
    warn: str = "75%"
    notify: bool = True
    unanswerable: tuple[str, ...] = ("rss",)
    robot_within: str = "10s"
    change: tuple[ClockChange, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would count wrongly; msgspec adds the path to the message."""
        _check(self)
        for text in self.closed:
            _closed(text)
        _warning(self.warn)
        _duration("robot_within", self.robot_within)

    def promises(self, *, zone: tzinfo, region: Region, kinds: Mapping[str, str]) -> Promises:
        """Return what is promised, by the clocks of `zone` and with the holidays of `region`.

        `kinds` is the kind of each source by id.
        """
        closed = frozenset(day for text in self.closed for day in _closed(text))
        opening = Opening(
            spans=tuple(map(parse_hours, self.hours)),
            days=parse_days(self.days),
            zone=zone,
            region=region,
            closed=closed,
        )
        ratio, before = _warning(self.warn)
        given = ((duty, _bound(duty, getattr(self, duty))) for duty in Duty)
        promise = Promise(
            opening=opening,
            bounds={duty: bound for duty, bound in given if bound is not None},
            warn_ratio=ratio,
            warn_before=before,
        )
        return Promises(
            promise=promise,
            changes=tuple(_change(change, opening) for change in self.change),
            kinds=kinds,
            mute=frozenset(self.unanswerable),
            grave=_grave(self),
            robot_within=_duration("robot_within", self.robot_within),
        )


def usual(zone: tzinfo) -> Promises:
    """Return what is promised where the settings say nothing, by the clocks of `zone`."""
    return ClockSettings().promises(zone=zone, region=Region.METROPOLE, kinds={})


def named(settings: ClockSettings) -> Iterator[tuple[str, str]]:
    """Yield each source or kind of source that is named, with where."""
    yield from (("clock.unanswerable", name) for name in settings.unanswerable)
    for index, change in enumerate(settings.change):
        yield from ((f"clock.change[{index}].sources", name) for name in change.sources)


def _grave(settings: ClockSettings | ClockChange) -> dict[Severity, Grave | None]:
    """Return what is written by severity, None where nothing is promised."""
    found: dict[Severity, Grave | None] = {}
    for severity, key in _GRAVE.items():
        if (text := getattr(settings, key)) is not None:
            within = _bound(key, text)
            nonstop = severity is Severity.CRITICAL
            found[severity] = None if within is None else Grave(within=within, nonstop=nonstop)
    return found


def _change(change: ClockChange, opening: Opening) -> Change:
    hours = opening
    if change.days is not None:
        hours = _with(hours, days=change.days)
    if change.hours is not None:
        hours = _with(hours, hours=change.hours)
    written = {duty: getattr(change, duty) for duty in Duty}
    return Change(
        sources=frozenset(change.sources),
        intents=frozenset(change.intents),
        opening=None if hours is opening else hours,
        bounds={duty: _bound(duty, text) for duty, text in written.items() if text is not None},
        grave=_grave(change),
    )


def _with(opening: Opening, *, days: _Days | None = None, hours: _Spans | None = None) -> Opening:
    return Opening(
        spans=opening.spans if hours is None else tuple(map(parse_hours, hours)),
        days=opening.days if days is None else parse_days(days),
        zone=opening.zone,
        region=opening.region,
        closed=opening.closed,
    )


def _check(settings: ClockSettings | ClockChange) -> None:
    """ValueError, naming the key, for hours, days and bounds that cannot be."""
    try:
        if settings.days is not None:
            parse_days(settings.days)
        if settings.hours is not None:
            _check_hours([parse_hours(text) for text in settings.hours])
    except InputError as error:
        key = "days" if settings.days and not set(settings.days) <= set(DAYS) else "hours"
        raise ValueError(f"{key}: {error}") from error
    for duty in Duty:
        if (text := getattr(settings, duty)) is not None:
            _bound(duty, text)
    _grave(settings)


def _check_hours(spans: Sequence[Hours]) -> None:
    """Spans of neighbouring days may not overlap either: time would count twice."""
    days = [_MONDAY + timedelta(days=shift) for shift in (0, 1)]
    found = sorted(span.span(day, UTC) for day in days for span in spans)
    for (_, ends), (starts, _) in pairwise(found):
        if starts < ends:
            raise InputError("two spans overlap: write each hour once (09:00-12:00, 14:00-17:00)")


def _bound(duty: str, text: str) -> timedelta | None:
    if text == NONE:
        return None
    if text.endswith("d"):
        raise ValueError(f'{duty}: "{text}": a day of work is not 24 h: write hours (8h)')
    found = _duration(duty, text)
    if not timedelta(0) < found <= LONGEST:
        raise ValueError(f'{duty}: "{text}" is out of range: write 1m to 2000h, or none')
    return found


def _duration(key: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except InputError as error:
        raise ValueError(f"{key}: {error}") from error


def _warning(text: str) -> tuple[float, timedelta | None]:
    if _RATIO.fullmatch(text):
        return int(text.rstrip(" %")) / 100, None
    try:
        return 1.0, parse_duration(text)
    except InputError as error:
        raise ValueError(
            f'warn: "{text}": write 75% of the time, or how long before (15m)'
        ) from error


def _closed(text: str) -> list[date]:
    """Return the days of `2026-12-24` or `2026-08-10/2026-08-14`, ends included."""
    first, _, last = text.partition(_SPAN)
    try:
        start, end = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError as error:
        raise ValueError(
            f'closed: "{text}" is no day: write 2026-12-24, or 2026-08-10/2026-08-14'
        ) from error
    if not timedelta(0) <= end - start <= timedelta(days=366):
        raise ValueError(f'closed: "{text}": from a day to a later one, a year at most')
    return [start + timedelta(days=day) for day in range((end - start).days + 1)]
