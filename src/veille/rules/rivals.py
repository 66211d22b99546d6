"""Detectors of other systems, as they are described, to stand beside ours on one series."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_LEAST_SIGMA = 1.0
"""Floor of a standard deviation, as EARS has it: counts are whole numbers."""
C2_POINTS, C2_GUARD = 7, 2
"""EARS C2: the seven points before the last two (Hutwagner et al., Journal of Urban Health 80,
2003)."""
EWMA_WEIGHT = 0.3
"""Middle of the 0.2 to 0.4 that Hunter recommends (Journal of Quality Technology 18, 1986)."""

Score = Callable[[int, Sequence[int]], tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A detector that scores a window by those before it, latest first; `points` is how many.

    `score` gives how unusual the count is, and what was expected; `nominal` is the threshold its
    description names.
    """

    points: int
    nominal: float
    score: Score


def _z_score(count: int, before: Sequence[int]) -> tuple[float, float]:
    mean, sigma = _moments(before)
    return (count - mean) / sigma, mean


def _c2(count: int, before: Sequence[int]) -> tuple[float, float]:
    return _z_score(count, before[C2_GUARD : C2_GUARD + C2_POINTS])


def _ewma(count: int, before: Sequence[int]) -> tuple[float, float]:
    """Roberts 1959: a weighted mean of the latest, against sigma * sqrt(w / (2 - w))."""
    mean, sigma = _moments(before)
    smoothed = mean
    for value in (*reversed(before), count):
        smoothed += EWMA_WEIGHT * (value - smoothed)
    return (smoothed - mean) / (sigma * math.sqrt(EWMA_WEIGHT / (2 - EWMA_WEIGHT))), mean


def _ratio(count: int, before: Sequence[int]) -> tuple[float, float]:
    """ElastAlert's `spike`: how many times the window just before."""
    return count / max(before[0], 1), float(before[0])


def _moments(values: Sequence[int]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    return mean, max(_LEAST_SIGMA, math.sqrt(variance))


def rivals(day: int) -> Mapping[str, Rival]:
    """Return the detectors by name, for windows of which `day` make a day."""
    return {
        "z-score": Rival(points=day, nominal=3.0, score=_z_score),
        "ewma": Rival(points=day, nominal=3.0, score=_ewma),
        "ears-c2": Rival(points=C2_POINTS + C2_GUARD, nominal=3.0, score=_c2),
        "elastalert-spike": Rival(points=1, nominal=3.0, score=_ratio),
    }
