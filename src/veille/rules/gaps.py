"""How long a silence is no longer usual: the tail of the gaps between what arrived before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median

MIN_GAPS = 20
"""Fewer say nothing of a tail: its highest tenth would be less than two values."""
KEPT_GAPS = 200
"""Of each group, the newest: the highest tenth is then twenty values, a kilobyte in the store."""
YEAR_S = 365.0 * 86400
_UPPER = 0.9
_MARGIN = 1.5
"""However even the gaps were: a little more than the longest is no silence yet; judgement, within
twice the longest as scenario S10 asks (docs: product)."""
_EVEN = 3.0
"""A source that never waited three times its usual gap keeps time by a machine; judgement."""


def longest_usual_s(gaps: Sequence[float]) -> float | None:
    """Return the seconds without anything that come about once a year at this pace.

    None while there are fewer than MIN_GAPS gaps. The mean of what exceeds the nine-tenths quantile
    u gives an exponential tail sigma, of which the level exceeded once in m gaps is
    u + sigma * ln(m * share above u): S. Coles, An Introduction to Statistical Modeling of Extreme
    Values, 2001, equation 4.13 (shape 0), with m the gaps of a year. At least 1.5 times the
    longest gap seen.
    """
    if len(gaps) < MIN_GAPS:
        return None
    ordered = sorted(gaps)
    upper = ordered[math.ceil(_UPPER * len(ordered)) - 1]
    above = [gap - upper for gap in ordered if gap > upper]
    floor = _MARGIN * ordered[-1]
    once = YEAR_S / fmean(ordered) * len(above) / len(ordered)
    if not above or once <= 1:
        return floor
    return max(floor, upper + fmean(above) * math.log(once))


def is_even(gaps: Sequence[float]) -> bool:
    """Whether these gaps are so much alike that no night or week-end is to be waited for."""
    return len(gaps) >= MIN_GAPS and max(gaps) <= _EVEN * median(gaps)
