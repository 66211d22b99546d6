"""Build rules: a slow rise, each step of it too small to be a spike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from veille.domain.history import HOUR, hour_number
from veille.rules.season import Season, dispersion_over, expected, hour_of_week
from veille.rules.spike import COLD, MIN_DAYS, Look
from veille.rules.tail import residual

_DAY = 24
_ROUNDING = 0.001
"""More than the rounding of a sum, and of what it is made of, can bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What makes a slow rise.

    `k` is the slack a step is allowed, in standard deviations; `limit` what the sum of the rest has
    to reach; `steps` how many windows in a row are looked at, this one included.
    """

    k: float = 0.7
    limit: float = 6.0
    steps: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """How far counts have been rising at the last step.

    `total` is the sum of residuals above `k`, rounded to 4 decimals: it has built up since `steps`
    steps, in which `count` came and `expected` were usual. `is_high`: it has reached the limit.
    """

    total: float
    steps: int
    count: int
    expected: float
    is_high: bool


def rise(
    build: Build, counts: Sequence[int], means: Sequence[float], residuals: Sequence[float]
) -> Rise:
    """Return the state of an upper CUSUM after the last of these steps, the oldest first.

    S = max(0, S + z - k) (Page, Continuous inspection schemes, Biometrika 41, 1954) over residuals
    z of the seasonal expectation, which beat windowed detectors in Fricker, Hegler and Dunfee,
    Comparing syndromic surveillance detection methods, Statistics in Medicine 27, 2008. z is the
    normal quantile of the negative binomial's chance (`tail.residual`), so that small counts, which
    are skewed, do not pass for rare ones (Dunn and Smyth, Randomized quantile residuals, JCGS 5,
    1996). Once high, the sum stays at the limit while steps exceed k; the first that does not
    resets it to 0, so that a burst does not echo.
    """
    total, begun, is_high = 0.0, 0, False
    for index, found in enumerate(residuals):
        excess = found - build.k
        if total + excess <= 0 or (is_high and excess <= 0):
            total, begun, is_high = 0.0, index + 1, False
            continue
        total = min(build.limit, total + excess)
        is_high = total >= build.limit
    return Rise(
        total=round(total, 4),
        steps=len(counts) - begun,
        count=sum(counts[begun:]),
        expected=round(sum(means[begun:]), 4),
        is_high=is_high,
    )


def may_be_high(build: Build, residuals: Sequence[float]) -> bool:
    """Whether the sum of residuals that are nowhere above these can be high after the last.

    Without its resets the sum is never lower, and grows with each of them.
    """
    total = 0.0
    for found in residuals:
        total = min(build.limit, max(0.0, total + found - build.k))
    return total >= build.limit - _ROUNDING


def against_steps(build: Build, counts: Sequence[int], season: Season, look: Look) -> Rise | None:
    """Return the rise over consecutive windows, the last of which is the one that is judged.

    None while the season is too short to tell: the hour was seen on fewer than three days.
    """
    if season.days[hour_of_week(hour_number(look.now), look.zone) % _DAY] < MIN_DAYS:
        return None
    ends = [look.now - look.window * n for n in reversed(range(len(counts)))]
    means = [expected(season, end, look.window, look.zone) for end in ends]
    dispersion = dispersion_over(season, look.window)
    pairs = zip(counts, means, strict=True)
    return rise(build, counts, means, [residual(x, mean, dispersion) for x, mean in pairs])


def is_cold(season: Season) -> bool:
    """Whether the season rests on less than two weeks, which is to be said."""
    return season.hours * HOUR < COLD
