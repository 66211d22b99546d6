"""When time alone may change what a window shows: as late as is certain, never too late."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from operator import itemgetter

from veille.domain.history import hour_number, hour_start
from veille.rules.sliding import Mark

_NEAR = timedelta(seconds=1)
"""So closely an instant is looked for: a tenth of the time between two looks."""
_SHARE = 4
"""What is not certain for so long is tried for a fourth of it, down to the time of one look."""
_LEAST = timedelta(seconds=10)


def crossing(marks: Sequence[Mark], edges: Iterable[timedelta], now: datetime) -> datetime | None:
    """Return when the first of these, in order, comes to lie an `edge` before the time it is then.

    None when all of them have.
    """
    found = []
    for edge in edges:
        first = bisect_right(marks, now - edge, key=itemgetter(0))
        if first < len(marks):
            found.append(marks[first][0] + edge)
    return min(found, default=None)


def next_hour(now: datetime, backs: Iterable[timedelta]) -> datetime:
    """Return when the first of the instants that lie so far back passes into another hour."""
    return min(hour_start(hour_number(now - back) + 1) + back for back in backs)


def turn(holds: Callable[[datetime], bool], now: datetime, end: datetime) -> datetime:
    """Return up to a second before what does not hold at `now` begins to; `end` if not before.

    From `now` on it may turn once, until `end`, when all may be different.
    """
    low, high = now, end - timedelta.resolution
    if high <= low or not holds(high):
        return end
    while high - low > _NEAR:
        middle = low + (high - low) / 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return low


def surely(is_calm_until: Callable[[datetime], bool], now: datetime, end: datetime) -> datetime:
    """Return until when it surely stays calm, `end` at most; `now` when nothing is sure."""
    spell = end - now
    while spell > _LEAST:
        if is_calm_until(now + spell):
            return now + spell
        spell /= _SHARE
    return now
