"""Backtest of detectors on a series of counts: alarms beside known events, ours beside others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from veille.domain.calendar import Region
from veille.domain.history import hour_number
from veille.pipeline.counts import MINUTE, Counts
from veille.rules.build import Build, rise
from veille.rules.rivals import rivals
from veille.rules.season import (
    Season,
    dispersion_over,
    expected,
    hour_of_week,
    learn,
    learnable,
)
from veille.rules.spike import MIN_DAYS, Spike
from veille.rules.tail import residual, surprise

WEEK = timedelta(weeks=1)
DAY_MINUTES = 24 * 60
BEARABLE = 3.0
"""Other alarms a week to which the thresholds of other detectors are tuned; issue 5."""
TUNING = tuple(0.25 * 1.1**n for n in range(80))
"""Multiples of a detector's nominal threshold that are tried, from a quarter to 460 times."""
_DAY, _DIGITS = 24, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that is known to have happened from `start` to `end`."""

    id: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a series is looked at: `looks` times while a window passes, each minute at most.

    `hold` is how long calm must last before an alarm ends.
    """

    window: timedelta = timedelta(minutes=5)
    hold: timedelta = timedelta(hours=1)
    looks: int = 5
    spike: Spike = field(default_factory=Spike)
    build: Build = field(default_factory=Build)
    zone: ZoneInfo
    region: Region = Region.METROPOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One look after `end` minutes. `is_unsure`: some of the window was capped."""

    end: int
    score: float
    count: int
    expected: float
    is_unsure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """From the first look that was high to the last, with the numbers of the highest."""

    start: datetime
    end: datetime
    score: float
    count: int
    expected: float

    @property
    def times(self) -> float:
        """How many times more came than usual, at the highest look."""
        return round(self.count / max(self.expected, 1 / DAY_MINUTES), 2)


def ours(counts: Counts, setup: Setup) -> Mapping[str, Iterator[Sight]]:
    """Return the looks of the shipped detectors, those of hours seen on three days or more."""
    length = setup.window // MINUTE
    return {
        "spike": _spikes(counts, setup, length),
        "build": _builds(counts, setup, length),
    }


def _seasons(counts: Counts, setup: Setup, span: timedelta) -> Callable[[int], Season | None]:
    """Return what gives the season of a look, None while its hour was seen on too few days."""
    known = counts.hours()

    @cache
    def of(hours: range) -> Season:
        return learn(known, [h for h in hours if h in known], setup.zone, setup.region)

    def at(end: int) -> Season | None:
        now = counts.at(end)
        season = of(learnable(counts.start, now, span))
        hour = hour_of_week(hour_number(now), setup.zone, setup.region)
        return season if season.days[hour % _DAY] >= MIN_DAYS else None

    return at


def _ends(counts: Counts, setup: Setup, first: int) -> Iterator[int]:
    """Yield when a window is looked at: not when too little of it was heard."""
    length = setup.window // MINUTE
    for end in range(first, len(counts) + 1, max(1, length // setup.looks)):
        if counts.is_heard(end, length):
            yield end


def _spikes(counts: Counts, setup: Setup, length: int) -> Iterator[Sight]:
    season_at = _seasons(counts, setup, setup.window)
    for end in _ends(counts, setup, length):
        season = season_at(end)
        if season is None:
            continue
        count = counts.of(end, length)
        mean = expected(season, counts.at(end), setup.window, setup.zone)
        score = surprise(count, mean, dispersion_over(season, setup.window))
        yield _sight(counts, end, length, (score, mean))


def _builds(counts: Counts, setup: Setup, length: int) -> Iterator[Sight]:
    steps, build = setup.build.steps, setup.build
    season_at = _seasons(counts, setup, setup.window * steps)
    known: dict[int, tuple[int, float, float]] = {}
    learnt: Season | None = None
    for end in _ends(counts, setup, length * steps):
        season = season_at(end)
        if season is None:
            continue
        if season is not learnt:
            learnt, known = season, {}
        found = []
        for at in range(end - length * (steps - 1), end + 1, length):
            if at not in known:
                known[at] = _step(counts, at, season, setup)
            if counts.is_heard(at, length):  # what was not heard is no calm step either
                found.append(known[at])
        risen = rise(build, *map(list, zip(*found, strict=True)))
        yield Sight(
            end=end,
            score=risen.total,
            count=risen.count,
            expected=risen.expected,
            is_unsure=counts.capped[end] > counts.capped[end - length],
        )


def _step(counts: Counts, end: int, season: Season, setup: Setup) -> tuple[int, float, float]:
    count = counts.of(end, setup.window // MINUTE)
    mean = expected(season, counts.at(end), setup.window, setup.zone)
    return count, mean, residual(count, mean, dispersion_over(season, setup.window))


def others(counts: Counts, setup: Setup) -> Mapping[str, tuple[float, Iterator[Sight]]]:
    """Return the nominal threshold and the looks of other systems' detectors, by name."""
    length = setup.window // MINUTE
    known = rivals(DAY_MINUTES // length)

    def looks(name: str) -> Iterator[Sight]:
        rival = known[name]
        for end in _ends(counts, setup, length * (rival.points + 1)):
            before = [counts.of(end - length * n, length) for n in range(1, rival.points + 1)]
            yield _sight(counts, end, length, rival.score(counts.of(end, length), before))

    return {name: (rival.nominal, looks(name)) for name, rival in known.items()}


def _sight(counts: Counts, end: int, length: int, found: tuple[float, float]) -> Sight:
    return Sight(
        end=end,
        score=found[0],
        count=counts.of(end, length),
        expected=found[1],
        is_unsure=counts.capped[end] > counts.capped[end - length],
    )


def alarms(
    counts: Counts, sights: Sequence[Sight], threshold: float, hold: timedelta
) -> list[Alarm]:
    """Return the alarms at a threshold, in order.

    An alarm ends when it was calm for `hold` of what was heard: minutes that were not, and those
    that are not high only since counts were capped, are no calm.
    """
    found: list[Alarm] = []
    calm, last = hold, 0
    for sight in sights:
        if sight.score < threshold:
            calm += timedelta(0) if sight.is_unsure else (sight.end - last) * MINUTE
            last = sight.end
            continue
        at = counts.at(sight.end)
        if calm >= hold or not found:
            found.append(_alarm(sight, at, at))
        else:
            found[-1] = _joined(found[-1], sight, at)
        calm, last = timedelta(0), sight.end
    return found


def _alarm(sight: Sight, start: datetime, end: datetime) -> Alarm:
    return Alarm(
        start=start,
        end=end,
        score=round(sight.score, _DIGITS),
        count=sight.count,
        expected=round(sight.expected, _DIGITS),
    )


def _joined(alarm: Alarm, sight: Sight, at: datetime) -> Alarm:
    if sight.score > alarm.score:
        return _alarm(sight, alarm.start, at)
    return Alarm(
        start=alarm.start,
        end=at,
        score=alarm.score,
        count=alarm.count,
        expected=alarm.expected,
    )


def touches(alarm: Alarm, event: Event) -> bool:
    """Whether the alarm was on at some time of the event."""
    return alarm.start <= event.end and alarm.end >= event.start


def besides(found: Sequence[Alarm], events: Sequence[Event]) -> list[Alarm]:
    """Return the alarms that no known event explains."""
    return [alarm for alarm in found if not any(touches(alarm, event) for event in events)]


def delay(event: Event, found: Sequence[Alarm]) -> timedelta | None:
    """Return from the start of an event to its first alarm, 0 when one was on; None if none was."""
    starts = [alarm.start for alarm in found if touches(alarm, event)]
    return max(timedelta(0), min(starts) - event.start) if starts else None
