"""The season of a group: how many mentions each hour of the week brings, and how unevenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from math import ceil, sqrt
from typing import TypeVar
from zoneinfo import ZoneInfo

from veille.domain.calendar import Region, weekday
from veille.domain.history import HISTORY, HOUR, hour_number, hour_start

HOURS = HISTORY // HOUR
CAPPED = 8
"""One value in eight is capped: of eight weeks, one may have been a crisis; judgement."""
CAPPED_SPREAD = 1.26
"""1 / 0.79: what is left of the variance of a normal variable whose farthest eighth is put down to
the next value: 0.875 * 0.569 + 0.125 * 1.534^2."""
LEVEL_HOURS = 24
"""The level is that of the last day: less would take the hours of the day for it."""
LEVEL_PRIOR = 10.0
"""Mentions, times the dispersion, that say the level is usual: at 10 a day they weigh half and
more."""
ENOUGH = 20.0
"""Mentions expected in the stretch over which the dispersion is measured, a day at most: in less,
what is capped is most of what there is."""
SURE = 2.0
"""Standard errors above 0 from which a correlation of neighbouring hours is believed: 1 in 40."""
WEEKS_PRIOR, DAYS_PRIOR = 2, 3
"""An hour of the week is half believed after two weeks, one of the day after three days (alerting,
A.4: below, the start is cold)."""
NOTHING_SEEN = 0.5
"""Mentions added to the total: Jeffreys' prior for a Poisson rate, so that no rate is 0."""

_DAY, _WEEK = 24, 168
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """Rates in mentions an hour, by hour of the week (0: Monday 00:00 in the zone).

    `dispersion` is the ratio of variance to mean of an hour, at least 1; `lasting` the part of it
    that neighbouring hours share, at most dispersion - 1, and `memory` their correlation in that
    part. `days` counts the days on which each hour of the day was seen, `hours` all hours.
    """

    rates: tuple[float, ...]
    dispersion: float
    days: tuple[int, ...]
    hours: int
    lasting: float = 0.0
    memory: float = 0.0
    region: Region = Region.NONE


@lru_cache(maxsize=4 * HOURS)
def hour_of_week(hour: int, zone: ZoneInfo, region: Region = Region.NONE) -> int:
    """Return 0 to 167 for an hour number; one of a public holiday in the region is a Sunday's.

    When clocks go back an hour of the week comes twice.
    """
    local = hour_start(hour).astimezone(zone)
    return weekday(local.date(), region) * _DAY + local.hour


def learn(
    counts: Mapping[int, int],
    hours: Sequence[int],
    zone: ZoneInfo,
    region: Region = Region.NONE,
) -> Season:
    """Return the season of these hours, in order, given the counts of those that were not empty.

    After the choice of docs: alerting, A.4. The mean of an hour of the week is over the same hour
    and its two neighbours of every week, its top eighth capped (winsorised); w weeks weigh
    w / (w + 2), and the rest goes to the mean of the hour of the day, of which d days weigh
    d / (d + 3) and the rest goes to the mean of all hours. All of it is put to the level of the
    last day. The dispersion is that of Noufaily 2013, sum (x - mean)^2 / sum mean over all hours,
    each at the level of the day before it, the farthest eighth capped and the capping made up for.
    """
    cells: list[list[int]] = [[] for _ in range(_WEEK)]
    at = [hour_of_week(hour, zone, region) for hour in hours]
    for hour, b in zip(hours, at, strict=True):
        cells[b].append(counts.get(hour, 0))
    days = tuple(sum(len(cells[b]) for b in range(h, _WEEK, _DAY)) for h in range(_DAY))
    rates = _rates(cells, days)
    values = [counts.get(hour, 0) for hour in hours]
    means, level = _levelled(values, [rates[b] for b in at])
    dispersion, lasting, memory = _spread(hours, values, means)
    return Season(
        rates=tuple(rate * level for rate in rates),
        dispersion=dispersion,
        days=days,
        hours=len(hours),
        lasting=lasting,
        memory=memory,
        region=region,
    )


def _rates(cells: Sequence[list[int]], days: Sequence[int]) -> list[float]:
    """Return the mean of each hour of the week, leaning on that of the day and of all hours."""
    of_day = [_capped([x for b in range(h, _WEEK, _DAY) for x in cells[b]]) for h in range(_DAY)]
    seen = sum(mean * n for mean, n in zip(of_day, days, strict=True))
    overall = (seen + NOTHING_SEEN) / max(1, sum(days))
    rates = []
    for b, cell in enumerate(cells):
        mean = _capped([*cells[b - 1], *cell, *cells[(b + 1) % _WEEK]])
        day = _shrunk(of_day[b % _DAY], days[b % _DAY], DAYS_PRIOR, overall)
        rates.append(_shrunk(mean, len(cell), WEEKS_PRIOR, day))
    return rates


def _levelled(values: Sequence[int], means: Sequence[float]) -> tuple[list[float], float]:
    """Return the means at the level of the day before each hour, and the level after the last."""
    if not values:
        return [], 1.0
    errors = [(x - mean) ** 2 / mean for x, mean in zip(values, means, strict=True)]
    prior = LEVEL_PRIOR * max(1.0, sum(errors) / len(errors))
    seen, usual = [0, *accumulate(values)], [0.0, *accumulate(means)]
    levels = []
    for end in range(len(values) + 1):
        start = max(0, end - LEVEL_HOURS)
        levels.append((seen[end] - seen[start] + prior) / (usual[end] - usual[start] + prior))
    return [mean * level for mean, level in zip(means, levels, strict=False)], levels[-1]


def _spread(
    hours: Sequence[int], values: Sequence[int], means: Sequence[float]
) -> tuple[float, float, float]:
    """Return the dispersion, its lasting part and the memory of that part.

    Where little comes, hours are taken together: in single ones a clump of three is farther than
    an eighth, and would be capped away. The lasting part is what the errors of neighbouring hours
    have in common, c1, led back to the same hour by what is left of it after two, c1^2 / c2, as in
    an autoregression of order 1.
    """
    total = sum(means)
    if not total:
        return 1.0, 0.0, 0.0
    size = min(_DAY, ceil(ENOUGH * len(means) / total))
    if size > 1:
        values, means = _sums(values, size), _sums(means, size)
    errors = [(x - mean) / sqrt(mean) for x, mean in zip(values, means, strict=True)]
    cap = sorted(map(abs, errors))[-1 - len(errors) // CAPPED]
    weighted = [
        max(-cap, min(cap, error)) * sqrt(mean) for error, mean in zip(errors, means, strict=True)
    ]

    def shared(lag: int) -> float:
        pairs = zip(weighted, weighted[lag:], hours, hours[lag:], strict=False)
        return CAPPED_SPREAD * sum(a * b for a, b, h, g in pairs if g == h + lag) / total

    dispersion = max(1.0, shared(0))
    common, later = shared(1), shared(2)
    if size > 1 or common <= SURE * dispersion / sqrt(len(hours)):
        return dispersion, 0.0, 0.0
    lasting = min(dispersion - 1, common * max(1.0, common / later) if later > 0 else common)
    return dispersion, lasting, min(1.0, common / lasting) if lasting else 0.0


def _sums(values: Sequence[_Number], size: int) -> list[_Number]:
    return [sum(values[n : n + size]) for n in range(0, len(values), size)]


def learnable(since: datetime, now: datetime, window: timedelta) -> range:
    """Return the hours that are over before the window began and that were heard whole."""
    end = hour_number(now - window)
    begun = hour_number(since)
    first = begun if hour_start(begun) == since else begun + 1
    return range(max(first, end - HOURS), max(first, end))


def expected(season: Season, now: datetime, window: timedelta, zone: ZoneInfo) -> float:
    """Return the mean count of the window that ends at `now`: each hour's rate by its share."""
    start = now - window
    total = 0.0
    for hour in range(hour_number(start), hour_number(now) + 1):
        begins = hour_start(hour)
        share = (min(now, begins + HOUR) - max(start, begins)) / HOUR
        total += share * season.rates[hour_of_week(hour, zone, season.region)]
    return total


def dispersion_over(season: Season, window: timedelta) -> float:
    """Return the ratio of variance to mean of the counts of a window, at least 1.

    What lasts moves all minutes of an hour alike: in a part of an hour it weighs as much less, over
    several hours it adds up as the sum of an autoregression does. The rest is each moment's own.
    """
    length = window / HOUR
    weight = length
    if length > 1:
        left = (1 - k / length for k in range(1, ceil(length)))
        weight = 1 + 2 * sum(part * season.memory**k for k, part in enumerate(left, start=1))
    return season.dispersion + season.lasting * (weight - 1)


def _capped(values: list[int]) -> float:
    """Return the mean with the top eighth put down to the next value."""
    if not values:
        return 0.0
    ordered = sorted(values)
    cap = ordered[-1 - len(ordered) // CAPPED]
    return sum(min(value, cap) for value in ordered) / len(ordered)


def _shrunk(mean: float, weight: int, prior: int, towards: float) -> float:
    return (weight * mean + prior * towards) / (weight + prior)
