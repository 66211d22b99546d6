"""How surprising a count is: the upper tail of the negative binomial, in log space."""

from __future__ import annotations

import math
from statistics import NormalDist

_POISSON = 1e-6
"""An excess of variance below this is none: the Poisson distribution is the limit."""
_SMALL = 1e-16
"""Terms below this share of the sum are lost in a double anyway."""
_NEAR = 1e-15
"""So close to 1 a factor of the continued fraction changes nothing that a double holds."""
_TERMS = 200_000
"""Above any count an engine keeps for a rule, so that the sum always ends."""
_FARTHEST = 37.0
"""Standard deviations beyond which a double holds no chance: as far as a residual goes."""
_NORMAL = NormalDist()


def surprise(count: int, mean: float, dispersion: float) -> float:
    """Return -ln P(X >= count) for a negative binomial X of this mean and variance/mean ratio.

    `mean` is above 0, `dispersion` at least 1. The variance is mean * dispersion, as in Noufaily et
    al., An improved algorithm for outbreak detection, Statistics in Medicine 32(7), 2013: size
    r = mean / (dispersion - 1), failure probability q = 1 - 1 / dispersion, and the tail is the
    incomplete beta function I_q(count, r). At dispersion 1 it is Poisson.
    """
    if count <= 0:
        return 0.0
    if dispersion - 1 < _POISSON:
        return _poisson(count, mean)
    size, q = mean / (dispersion - 1), 1 - 1 / dispersion
    if q * (count + size + 2) < count + 1:  # where the fraction converges fast (DLMF 8.17(v))
        return max(0.0, -_log_beta(count, size, q))
    rest = math.exp(min(0.0, _log_beta(size, count, 1 - q)))
    return -math.log1p(-rest) if rest < 1 else math.inf


def _poisson(count: int, mean: float) -> float:
    """The first probability times the sum of the ratios mean / (k + 1) of those that follow."""
    total = term = 1.0
    for k in range(count, count + _TERMS):
        ratio = mean / (k + 1)
        term *= ratio
        total += term
        if ratio < 1 and term < _SMALL * total * (1 - ratio):
            break
    return max(0.0, -(_log_chance(count, mean, 1.0) + math.log(total)))


def _log_beta(a: float, b: float, x: float) -> float:
    """Return ln I_x(a, b), by the continued fraction 8.17.22 of the DLMF, from the front (Lentz).

    It takes some sqrt(max(a, b)) turns, a sum over counts would take some ten thousand.
    """
    front = a * math.log(x) + b * math.log1p(-x)
    front += math.lgamma(a + b) - math.lgamma(a + 1) - math.lgamma(b)
    upper, lower, found = 1.0, 0.0, 1.0
    for turn in range(1, _TERMS):
        half, below = turn // 2, (a + turn - 1) * (a + turn)
        is_odd = turn % 2
        factor = -(a + half) * (a + b + half) if is_odd else half * (b - half)
        lower = 1 / (1 + factor * x / below * lower)
        upper = 1 + factor * x / below / upper
        found *= upper * lower
        if abs(upper * lower - 1) < _NEAR:
            break
    return front - math.log(found)


def _log_chance(count: int, mean: float, dispersion: float) -> float:
    """Return ln P(X = count)."""
    if dispersion - 1 < _POISSON:
        return count * math.log(mean) - mean - math.lgamma(count + 1)
    size, q = mean / (dispersion - 1), 1 - 1 / dispersion
    ways = math.lgamma(count + size) - math.lgamma(size) - math.lgamma(count + 1)
    return ways + size * math.log1p(-q) + count * math.log(q)


def smallest(limit: float, mean: float, dispersion: float) -> int:
    """Return the smallest count of which the surprise is at least `limit`; `limit` above 0."""
    low, high = 0, max(1, math.ceil(mean))
    while surprise(high, mean, dispersion) < limit:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if surprise(middle, mean, dispersion) < limit:
            low = middle
        else:
            high = middle
    return high


def residual(count: int, mean: float, dispersion: float) -> float:
    """Return how far a count lies from its mean, in standard deviations of the normal law.

    It is the normal quantile of the mid chance (P(X >= count) + P(X > count)) / 2, within
    [-37, 37]: 0 for a usual count however skewed X is.
    """
    at_least = math.exp(-surprise(count, mean, dispersion))
    chance = at_least - math.exp(_log_chance(count, mean, dispersion)) / 2
    if chance <= 0:
        return _FARTHEST
    return max(-_FARTHEST, -_NORMAL.inv_cdf(chance)) if chance < 1 else -_FARTHEST
