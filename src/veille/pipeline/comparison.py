"""Detectors beside each other on one series of counts: what each found, when, and what else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from veille.pipeline.counted import (
    BEARABLE,
    TUNING,
    WEEK,
    Alarm,
    Event,
    Setup,
    Sight,
    alarms,
    besides,
    delay,
    others,
    ours,
    touches,
)
from veille.pipeline.counts import MINUTE, Counts
from veille.pipeline.scoring import SHIFT

_DIGITS = 2
Told = Callable[[int, float | None], None]


class Origin(StrEnum):
    """Where a threshold comes from."""

    SHIPPED = "shipped"
    NOMINAL = "nominal"
    TUNED = "tuned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What became of an event: `delay_s` is 0 when an alarm was on already, None when none was.

    `since` is the start of that alarm.
    """

    id: str
    delay_s: float | None
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One half of the judged time: its events, its other alarms, and how many a week."""

    start: datetime
    end: datetime
    found: tuple[Found, ...]
    other: tuple[Alarm, ...]
    other_per_week: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One detector at one threshold, over the whole and in each half."""

    detector: str
    threshold: float
    origin: Origin
    found: tuple[Found, ...]
    other: tuple[Alarm, ...]
    other_per_week: float
    halves: tuple[Half, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All detectors on one series. Nothing before `judged_from` could be judged by ours.

    Minutes not heard taught nothing and calmed nothing; capped ones were more than they say.
    Thresholds that are `tuned` were chosen on the first half, for no more than 3 other alarms a
    week in it, and never on the second; those of ours are what the rules ship with.
    """

    start: datetime
    end: datetime
    judged_from: datetime | None
    minutes: int
    unheard_minutes: int
    capped_minutes: int
    window_s: float
    rows: tuple[Row, ...]


def compare(
    counts: Counts,
    events: Sequence[Event],
    setup: Setup,
    told: Told = lambda _done, _total: None,
) -> Comparison:
    """Return what each detector finds in the series; `told` hears how many are done."""
    mine = ours(counts, setup)
    theirs = others(counts, setup)
    total = len(mine) + len(theirs)
    limits = {"spike": setup.spike.limit, "build": setup.build.limit}
    sights = {}
    for done, (name, found) in enumerate(mine.items()):
        told(done, total)
        sights[name] = list(found)
    judged = [found[0].end for found in sights.values() if found]
    first = max(judged) if judged else 0
    view = _View(counts, events, setup.hold, first)
    rows = [view.row(name, found, limits[name], Origin.SHIPPED) for name, found in sights.items()]
    for done, (name, (nominal, looks)) in enumerate(theirs.items(), start=len(mine)):
        told(done, total)
        seen = list(looks)
        rows.append(view.row(name, seen, nominal, Origin.NOMINAL))
        rows.append(view.row(name, seen, view.tuned(seen, nominal), Origin.TUNED))
    return Comparison(
        start=counts.start,
        end=counts.at(len(counts)),
        judged_from=counts.at(first) if judged else None,
        minutes=len(counts),
        unheard_minutes=counts.unheard[-1],
        capped_minutes=counts.capped[-1],
        window_s=setup.window.total_seconds(),
        rows=tuple(rows),
    )


@dataclass(frozen=True, slots=True)
class _View:
    """The series as it is judged: from when ours can tell, so that all have the same time."""

    counts: Counts
    events: Sequence[Event]
    hold: timedelta
    first: int

    def halves(self) -> Iterator[tuple[datetime, datetime]]:
        """Yield the two halves of the judged time."""
        middle = (self.first + len(self.counts)) // 2
        yield self.counts.at(self.first), self.counts.at(middle)
        yield self.counts.at(middle), self.counts.at(len(self.counts))

    def alarms(self, sights: Sequence[Sight], threshold: float) -> list[Alarm]:
        judged = [sight for sight in sights if sight.end >= self.first]
        return alarms(self.counts, judged, threshold, self.hold)

    def row(self, name: str, sights: Sequence[Sight], threshold: float, origin: Origin) -> Row:
        """Return a detector at a threshold."""
        found = self.alarms(sights, threshold)
        halves = tuple(self.half(start, end, found) for start, end in self.halves())
        whole = self.half(halves[0].start, halves[1].end, found)
        return Row(
            detector=name,
            threshold=round(threshold, _DIGITS),
            origin=origin,
            found=whole.found,
            other=whole.other,
            other_per_week=whole.other_per_week,
            halves=halves,
        )

    def half(self, start: datetime, end: datetime, found: Sequence[Alarm]) -> Half:
        """Return what lies in a span: alarms and events belong to where they begin."""
        other = tuple(a for a in besides(found, self.events) if start <= a.start < end)
        weeks = max((end - start) / WEEK, MINUTE / WEEK)
        return Half(
            start=start,
            end=end,
            found=tuple(_found(e, found) for e in self.events if start <= e.start < end),
            other=other,
            other_per_week=round(len(other) / weeks, _DIGITS),
        )

    def tuned(self, sights: Sequence[Sight], nominal: float) -> float:
        """Return the smallest threshold that leaves 3 other alarms a week in the first half.

        They may last for a shift each, events aside: one that is always on finds everything.
        """
        start, end = next(self.halves())
        seen = [sight for sight in sights if sight.end < self.counts.index(end)]
        lasting = [e.end - e.start for e in self.events if start <= e.start < end]
        longest = sum(lasting, BEARABLE * SHIFT * ((end - start) / WEEK))
        for factor in TUNING:
            found = self.alarms(seen, nominal * factor)
            on = sum((alarm.end - alarm.start for alarm in found), timedelta(0))
            alone = self.half(start, end, found)
            if alone.other_per_week <= BEARABLE and on <= longest:
                return nominal * factor
        return nominal * TUNING[-1]


def _found(event: Event, alarms_: Sequence[Alarm]) -> Found:
    after = delay(event, alarms_)
    since = min((a.start for a in alarms_ if touches(a, event)), default=None)
    return Found(id=event.id, delay_s=None if after is None else after.total_seconds(), since=since)
