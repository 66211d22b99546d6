"""Spike rules: is this count unlike the ones before it?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from veille.domain.alert import Baseline, BaselineKind
from veille.domain.history import HOUR, hour_number
from veille.rules.season import Season, dispersion_over, expected, hour_of_week
from veille.rules.tail import smallest, surprise

MIN_SIGMA = 0.5
"""Floor of a standard deviation: counts are whole numbers, so that less says only that few windows
were seen. It lies below the 0.7071 of scenario S3 (docs: product), which must hold to the digit."""
COLD = timedelta(weeks=2)
"""Shorter histories are said to be short (docs: alerting, A.4)."""
MIN_DAYS = 3
"""An hour seen on fewer days says nothing: the floors alone decide, and the alert says so."""
LONGEST_PAST = timedelta(days=30)
"""Longest span of previous windows: a restart reads the store back that far."""

_DAY, _DIGITS = 24, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """What makes a spike. `k`, `points`, `min_points` are of `previous`, `limit` of `seasonal`."""

    baseline: BaselineKind = BaselineKind.SEASONAL
    k: float = 3.0
    points: int = 12
    min_points: int = 8
    limit: float = 9.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a count fires, from which threshold on, and what it was compared with, if it was."""

    is_active: bool
    threshold: int | float
    baseline: Baseline | None = None


def against_previous(spike: Spike, value: int, before: Sequence[int], *, floor: int) -> Verdict:
    """Judge a count by those of the previous windows, of which `before` holds the ones heard.

    It is a spike above mean + k * sigma, sigma the population standard deviation, MIN_SIGMA at
    least (docs: product, S3). With fewer than `min_points` windows nothing is.
    """
    points = len(before)
    if points < spike.min_points:
        short = Baseline(
            kind=BaselineKind.PREVIOUS,
            points=points,
            is_cold=True,
            reason=f"min_points {points} < {spike.min_points}",
        )
        return Verdict(is_active=False, threshold=floor, baseline=short)
    mean = sum(before) / points
    sigma = math.sqrt(sum((count - mean) ** 2 for count in before) / points)
    spread = max(sigma, MIN_SIGMA)
    bound = round(mean + spike.k * spread, _DIGITS)
    baseline = Baseline(
        kind=BaselineKind.PREVIOUS,
        points=points,
        expected=round(mean, _DIGITS),
        spread=round(spread, _DIGITS),
        is_floored=sigma < MIN_SIGMA,
    )
    return Verdict(is_active=value > bound, threshold=bound, baseline=baseline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The window that is judged: it ends at `now`, in a time zone."""

    now: datetime
    window: timedelta
    zone: ZoneInfo


def against_season(spike: Spike, value: int, season: Season, look: Look, *, floor: int) -> Verdict:
    """Judge a count by the season; without one, the floors alone decide and the baseline says so.

    It is a spike when the surprise, -ln P(X >= value), reaches the rule's limit. The threshold is
    the smallest count of which that is true, the floors included.
    """
    points = season.days[hour_of_week(hour_number(look.now), look.zone) % _DAY]
    is_cold = season.hours * HOUR < COLD
    if points < MIN_DAYS:
        short = Baseline(kind=BaselineKind.SEASONAL, points=points, is_cold=True)
        return Verdict(is_active=True, threshold=floor, baseline=short)
    mean = expected(season, look.now, look.window, look.zone)
    dispersion = dispersion_over(season, look.window)
    found = surprise(value, mean, dispersion)
    threshold = smallest(spike.limit, mean, dispersion)
    baseline = Baseline(
        kind=BaselineKind.SEASONAL,
        points=points,
        expected=round(mean, _DIGITS),
        spread=round(dispersion, _DIGITS),
        surprise=round(found, _DIGITS),
        is_cold=is_cold,
    )
    return Verdict(is_active=value >= threshold, threshold=max(floor, threshold), baseline=baseline)
