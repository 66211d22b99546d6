"""How surprising a count is: the upper tail of the negative binomial, in log space."""

from __future__ import annotations

import math

_POISSON = 1e-6
"""An excess of variance below this is none: the Poisson distribution is the limit."""
_SMALL = 1e-16
"""Terms below this share of the sum are lost in a double anyway."""
_TERMS = 200_000
"""Above any count an engine keeps for a rule, so that the sum always ends."""


def surprise(count: int, mean: float, dispersion: float) -> float:
    """Return -ln P(X >= count) for a negative binomial X of this mean and variance/mean ratio.

    `mean` is above 0, `dispersion` at least 1. The variance is mean * dispersion, as in Noufaily et
    al., An improved algorithm for outbreak detection, Statistics in Medicine 32(7), 2013: size
    r = mean / (dispersion - 1), failure probability q = 1 - 1 / dispersion. At dispersion 1 it is
    Poisson. The tail is the first probability times a series of ratios (k + r) / (k + 1) * q.
    """
    if count <= 0:
        return 0.0
    is_poisson = dispersion - 1 < _POISSON
    size = 0.0 if is_poisson else mean / (dispersion - 1)
    q = 0.0 if is_poisson else 1 - 1 / dispersion
    total = term = 1.0
    for k in range(count, count + _TERMS):
        ratio = mean / (k + 1) if is_poisson else (k + size) / (k + 1) * q
        term *= ratio
        total += term
        if ratio < 1 and term < _SMALL * total * (1 - ratio):
            break
    first = _log_poisson(count, mean) if is_poisson else _log_binomial(count, size, q)
    return max(0.0, -(first + math.log(total)))


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


def _log_poisson(count: int, mean: float) -> float:
    return count * math.log(mean) - mean - math.lgamma(count + 1)


def _log_binomial(count: int, size: float, q: float) -> float:
    ways = math.lgamma(count + size) - math.lgamma(size) - math.lgamma(count + 1)
    return ways + size * math.log1p(-q) + count * math.log(q)
