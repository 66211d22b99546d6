"""The season of a group: how many mentions each hour of the week brings, and how unevenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from veille.domain.history import HISTORY, HOUR, hour_number, hour_start

HOURS = HISTORY // HOUR
CAPPED = 8
"""One value in eight is capped: of eight weeks, one may have been a crisis; judgement."""
CAPPED_SPREAD = 1.25
"""1 / 0.80: what capping its top eighth leaves of the variance of a normal variable."""
WEEKS_PRIOR, DAYS_PRIOR = 2, 3
"""An hour of the week is half believed after two weeks, one of the day after three days (alerting,
A.4: below, the start is cold)."""
NOTHING_SEEN = 0.5
"""Mentions added to the total: Jeffreys' prior for a Poisson rate, so that no rate is 0."""

_DAY, _WEEK = 24, 168


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """Rates in mentions an hour, by hour of the week (0: Monday 00:00 in the zone).

    `dispersion` is the ratio of variance to mean, at least 1. `days` counts the days on which each
    hour of the day was seen, `hours` all hours.
    """

    rates: tuple[float, ...]
    dispersion: float
    days: tuple[int, ...]
    hours: int


@lru_cache(maxsize=4 * HOURS)
def hour_of_week(hour: int, zone: ZoneInfo) -> int:
    """Return 0 to 167 for an hour number. When clocks go back an hour of the week comes twice."""
    local = hour_start(hour).astimezone(zone)
    return local.weekday() * _DAY + local.hour


def learn(counts: Mapping[int, int], hours: Sequence[int], zone: ZoneInfo) -> Season:
    """Return the season of these hours, given the counts of those that were not empty.

    After the choice of docs: alerting, A.4. The mean of an hour of the week is over the same hour
    and its two neighbours of every week, its top eighth capped (winsorised); w weeks weigh
    w / (w + 2), and the rest goes to the mean of the hour of the day, of which d days weigh
    d / (d + 3) and the rest goes to the mean of all hours. The dispersion is that of Noufaily 2013,
    sum (x - mean)^2 / sum mean over all hours, x capped and the capping made up for.
    """
    cells: list[list[int]] = [[] for _ in range(_WEEK)]
    for hour in hours:
        cells[hour_of_week(hour, zone)].append(counts.get(hour, 0))
    days = tuple(sum(len(cells[b]) for b in range(h, _WEEK, _DAY)) for h in range(_DAY))
    of_day = [_capped([x for b in range(h, _WEEK, _DAY) for x in cells[b]])[0] for h in range(_DAY)]
    seen = sum(mean * n for mean, n in zip(of_day, days, strict=True))
    overall = (seen + NOTHING_SEEN) / max(1, len(hours))
    rates, errors = [], 0.0
    for b, cell in enumerate(cells):
        mean, cap = _capped([*cells[b - 1], *cell, *cells[(b + 1) % _WEEK]])
        day = _shrunk(of_day[b % _DAY], days[b % _DAY], DAYS_PRIOR, overall)
        rates.append(_shrunk(mean, len(cell), WEEKS_PRIOR, day))
        errors += sum((min(x, cap) - rates[b]) ** 2 for x in cell)
    expected = sum(rate * len(cell) for rate, cell in zip(rates, cells, strict=True))
    return Season(
        rates=tuple(rates),
        dispersion=max(1.0, CAPPED_SPREAD * errors / expected) if expected else 1.0,
        days=days,
        hours=len(hours),
    )


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
        total += share * season.rates[hour_of_week(hour, zone)]
    return total


def _capped(values: list[int]) -> tuple[float, int]:
    """Return the mean with the top eighth put down to the next value, and that value."""
    if not values:
        return 0.0, 0
    ordered = sorted(values)
    cap = ordered[-1 - len(ordered) // CAPPED]
    return sum(min(value, cap) for value in ordered) / len(ordered), cap


def _shrunk(mean: float, weight: int, prior: int, towards: float) -> float:
    return (weight * mean + prior * towards) / (weight + prior)
