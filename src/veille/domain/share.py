"""A share with its interval: how sure a few cases make one."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959964
"""The standard normal quantile of 97.5 %."""


def wilson(hits: int, count: int) -> tuple[float, float] | None:
    """Return the 95 % interval of `hits` in `count`, in [0, 1]; None of none.

    E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, Journal of
    the American Statistical Association 22 (1927), p. 209-212.
    """
    if not count:
        return None
    share, squared = hits / count, Z_95 * Z_95
    middle = share + squared / (2 * count)
    spread = Z_95 * sqrt(share * (1 - share) / count + squared / (4 * count * count))
    scale = 1 + squared / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
