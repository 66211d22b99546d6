"""Hourly counts of what a rule matched: the past that spikes and « d'habitude » compare with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)
HISTORY = timedelta(weeks=8)
"""How far back hourly counts reach: Choice of docs: alerting, A.4."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def hour_number(at: datetime) -> int:
    """Return how many full hours have passed since 1970 in UTC: no day is longer than another."""
    return (at - _EPOCH) // HOUR


def hour_start(number: int) -> datetime:
    """Return the instant at which this hour begins."""
    return _EPOCH + number * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What one version of a rule has counted.

    `since` is when the first mention it could have counted arrived, None before. `counts` holds,
    by alert fingerprint and hour number, only hours with a count. `silences` are the times from and
    until which nothing was heard because veille stood still, in order: they are not calm.
    """

    since: datetime | None = None
    counts: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    silences: tuple[tuple[datetime, datetime], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What is to be added to stored histories.

    `counts` is keyed by rule version, alert fingerprint and hour number; an edit or a deletion
    counts below zero. `since` holds the beginnings of versions that listened for the first time.
    `memory` is what stands from now on, by feed of a rule and mark; None: it is forgotten.
    """

    counts: Mapping[tuple[str, str, int], int] = field(default_factory=dict)
    since: Mapping[str, datetime] = field(default_factory=dict)
    memory: Mapping[tuple[str, str], str | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to add."""
        return bool(self.counts or self.since or self.memory)
