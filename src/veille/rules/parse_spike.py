"""The fields of spike rules, and which of them belong to one of their baselines."""

from __future__ import annotations

from datetime import timedelta

from veille.domain.alert import BaselineKind
from veille.domain.durations import format_duration
from veille.rules.fields import Reader
from veille.rules.spike import LONGEST_PAST, Spike

MIN_POINTS = 2
"""One window before says nothing of how much they differ."""
MAX_K = 100.0
MAX_SURPRISE = 100.0
"""A chance of 1 in 10^43: whoever asks for more asks for silence."""

_OWN = {
    BaselineKind.PREVIOUS: ("k", "points", "min_points"),
    BaselineKind.SEASONAL: ("surprise",),
}


def read_spike(reader: Reader, window: timedelta) -> Spike:
    """Return what makes a spike; what is missing or belongs to the other baseline is noted."""
    baseline = BaselineKind(
        reader.choice("baseline", tuple(BaselineKind), default=BaselineKind.SEASONAL)
    )
    for other in BaselineKind:
        for name in _OWN[other] if other is not baseline else ():
            if reader.has(name):
                reader.wrong(name, f"belongs to baseline: {other}: remove it, or change baseline")
    points, min_points = reader.previous(Spike().points, Spike().min_points, MIN_POINTS)
    if baseline is BaselineKind.PREVIOUS and window * (points + 1) > LONGEST_PAST:
        reader.wrong(
            "points",
            f"{points} windows and this one reach back more than {format_duration(LONGEST_PAST)}: "
            "write fewer points or a shorter window",
        )
    return Spike(
        baseline=baseline,
        k=reader.decimal("k", Spike().k, 0.0, MAX_K),
        points=points,
        min_points=min_points,
        limit=reader.decimal("surprise", Spike().limit, 1.0, MAX_SURPRISE),
    )
