"""The sliding window of one rule, and what was counted before it."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import product
from typing import TypeVar
from zoneinfo import ZoneInfo

from veille.domain.alert import Reading
from veille.domain.history import HISTORY, hour_number
from veille.domain.ids import fingerprint
from veille.domain.record import Observation
from veille.rules.annotations import EXPECTED, spoken, written
from veille.rules.model import CountBy, Rule
from veille.rules.past import Past
from veille.rules.spike import Look, Verdict, against_previous, against_season
from veille.rules.view import View, group_values

EVIDENCE_LIMIT = 1000
"""Newest keys in a reading: no less than the mentions one evaluation step takes in, so that each
of them reaches the lifecycle, which flags it."""
ENTRY_LIMIT = 100_000
"""Matching mentions kept for one rule, about 65 MB; beyond it the oldest stop counting."""

_Mark = tuple[datetime, int, str]
_Values = tuple[str, ...]
K = TypeVar("K")


class _Stage(Enum):
    COMING = auto()
    COUNTED = auto()
    PAST = auto()


@dataclass(slots=True)
class _Entry:
    mark: _Mark
    author: str | None
    counted_as: str  # what says the same counts as one
    groups: tuple[_Values, ...]
    created_at: datetime
    stage: _Stage = _Stage.COMING


@dataclass(slots=True)
class _Group:
    """`marks` are in the window, `past` left it and are still remembered; both in order."""

    fingerprint: str
    marks: list[_Mark] = field(default_factory=list)
    past: list[_Mark] = field(default_factory=list)
    authors: Counter[str | None] = field(default_factory=Counter)
    distinct: Counter[str] = field(default_factory=Counter)
    reading: Reading | None = None


class Window:
    """The window of one rule. Heaps may hold marks of replaced entries; they are skipped.

    `reach` is how far back what was observed is complete.
    """

    def __init__(self, rule: Rule, zone: ZoneInfo, *, reach: timedelta = HISTORY) -> None:
        self.rule = rule
        self._reach = reach
        self._dropped_at: datetime | None = None
        self.past = Past(rule, zone)
        self.is_restless = False
        """Whether time alone could make a spike of what was counted at the last look."""
        self._zone = zone
        self._entries: dict[str, _Entry] = {}
        self._coming: list[_Mark] = []
        self._leaving: list[_Mark] = []
        self._fading: list[_Mark] = []
        self._groups: dict[_Values, _Group] = {}
        self._order: list[_Values] = []
        self._said: dict[tuple[_Values, int, str], list[_Mark]] = {}

    def observe(self, observation: Observation, view: View | None) -> None:
        """Take in a mention, an edit or a deletion."""
        self.past.listen(observation.received_at)
        key = observation.key
        old = self._entries.get(key)
        mark = (observation.received_at, observation.seq, key)
        self._forget(key)
        since = observation.received_at - self.rule.span
        if old is not None and old.mark[0] > since:
            self._tell(old, -1, since)  # an older one was said in its time, whatever became of it
        groups = () if view is None else self._groups_of(observation, view)
        if not groups:
            return
        counted_as = self._counted_as(observation)
        entry = _Entry(mark, observation.author, counted_as, groups, observation.created_at)
        self._tell(entry, 1, since)
        self._entries[key] = entry
        for said in self._places(entry):
            insort(self._said.setdefault(said, []), mark)
        heapq.heappush(self._coming, mark)
        while len(self._entries) > ENTRY_LIMIT:
            self._drop_oldest()

    def slide(self, now: datetime) -> None:
        """Count what has come, and let go of what is too old."""
        for mark in _until(self._coming, now):
            if self._is_at(mark, _Stage.COMING):
                self._count(self._entries[mark[2]])
                heapq.heappush(self._leaving, self._leaves(self._entries[mark[2]]))
        for mark in _until(self._leaving, now - self.rule.window):
            if self._is_at(mark, _Stage.COUNTED):
                self._leave(self._entries[mark[2]])
        for mark in _until(self._fading, now - self.rule.kept):
            if self._is_at(mark, _Stage.PAST):
                self._forget(mark[2])

    def readings(self, now: datetime) -> list[Reading]:
        """Return one reading per group with a mention in the window, in the order of its values."""
        self.slide(now)
        self.is_restless = False
        found = []
        for values in self._order:
            group = self._groups[values]
            if not group.marks:
                continue
            verdict = self._judge(group, now)
            if group.reading is None or not _says(group.reading, verdict):
                group.reading = _read(self.rule, values, group, verdict)
            found.append(group.reading)
        return found

    def _judge(self, group: _Group, now: datetime) -> Verdict:
        rule, value = self.rule, len(group.distinct)
        is_enough = value >= rule.min_count and _authors(rule, group) >= rule.min_authors
        if rule.spike is None or not is_enough:
            return Verdict(is_active=is_enough, threshold=rule.threshold)
        self.is_restless = True
        if not rule.is_seasonal:
            before = self._before(group.past, now)
            return against_previous(rule.spike, value, before, floor=rule.threshold)
        season = self.past.season(group.fingerprint, now)
        look = Look(now=now, window=rule.window, zone=self._zone)
        return against_season(rule.spike, value, season, look, floor=rule.threshold)

    def _before(self, past: Sequence[_Mark], now: datetime) -> list[int]:
        """Return the counts of the previous windows that were heard, the latest first.

        Those of which something is forgotten again, by the bound or by age, are not among them.
        """
        rule, since = self.rule, self.past.since
        points = 0 if rule.spike is None or since is None else rule.spike.points
        ends = [now - rule.window * i for i in range(1, points + 1)]
        complete = max(now - self._reach, self._dropped_at or now - self._reach)
        found = []
        for end in ends:
            start = end - rule.window
            if since is None or end < since or start < complete:  # end belongs to the window
                break
            if self.past.has_heard(start, end):
                first = bisect_right(past, start, key=_arrival)
                found.append(self._distinct(past[first : bisect_right(past, end, key=_arrival)]))
        return found

    def _distinct(self, marks: Sequence[_Mark]) -> int:
        return len({self._entries[key].counted_as for _, _, key in marks})

    def _groups_of(self, observation: Observation, view: View) -> tuple[_Values, ...]:
        rule = self.rule
        if rule.exclude_own and observation.own:
            return ()
        if observation.received_at - observation.created_at > rule.late_by:
            return ()
        if not rule.where.matches(view):
            return ()
        return tuple(dict.fromkeys(product(*(group_values(view, n) for n in rule.group_by))))

    def _counted_as(self, observation: Observation) -> str:
        cluster = None if observation.analysis is None else observation.analysis.cluster
        if cluster is None or self.rule.count_by is CountBy.MENTIONS:
            return observation.key
        return cluster.id

    def _tell(self, entry: _Entry, by: int, since: datetime) -> None:
        """The hour of its arrival counts the entry, unless another has said the same in it.

        Only what came after `since` is asked: how long the rule remembers more depends on when it
        looked, and a restart would not know the same.
        """
        for said in self._places(entry):
            marks = self._said.get(said)
            if not marks or marks[-1][0] <= since:
                self.past.add(self._named(said[0]), said[1], by)

    @staticmethod
    def _places(entry: _Entry) -> Iterator[tuple[_Values, int, str]]:
        hour = hour_number(entry.mark[0])
        return ((values, hour, entry.counted_as) for values in entry.groups)

    def _named(self, values: _Values) -> str:
        group = self._groups.get(values)
        return _fingerprint(self.rule, values) if group is None else group.fingerprint

    def _is_at(self, mark: _Mark, stage: _Stage) -> bool:
        entry = self._entries.get(mark[2])
        return entry is not None and entry.mark[1] == mark[1] and entry.stage is stage

    def _leaves(self, entry: _Entry) -> _Mark:
        """Return the mark by which an entry leaves the window.

        In a spike's a late one counts no longer than had it come in time: what is caught up with
        would else add to what comes meanwhile. A longer `late_by` asks for just that.
        """
        at, seq, key = entry.mark
        if self.rule.spike is None or self.rule.late_by > self.rule.window:
            return entry.mark
        return min(at, entry.created_at), seq, key

    def _count(self, entry: _Entry) -> None:
        entry.stage = _Stage.COUNTED
        for values in entry.groups:
            group = self._groups.get(values)
            if group is None:
                group = self._groups[values] = _Group(_fingerprint(self.rule, values))
                insort(self._order, values)
            insort(group.marks, entry.mark)
            group.authors[entry.author] += 1
            group.distinct[entry.counted_as] += 1
            group.reading = None

    def _leave(self, entry: _Entry) -> None:
        if self.rule.spike is None:
            self._forget(entry.mark[2])
            return
        self._uncount(entry)
        entry.stage = _Stage.PAST
        heapq.heappush(self._fading, entry.mark)
        for values in entry.groups:
            insort(self._groups[values].past, entry.mark)

    def _uncount(self, entry: _Entry) -> None:
        for values in entry.groups:
            group = self._groups[values]
            del group.marks[bisect_left(group.marks, entry.mark)]
            _take(group.authors, entry.author)
            _take(group.distinct, entry.counted_as)
            group.reading = None

    def _forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        for said in self._places(entry):
            marks = self._said[said]
            del marks[bisect_left(marks, entry.mark)]
            if not marks:
                del self._said[said]
        if entry.stage is _Stage.COMING:
            return
        if entry.stage is _Stage.COUNTED:
            self._uncount(entry)
        for values in entry.groups:
            group = self._groups[values]
            if entry.stage is _Stage.PAST:
                del group.past[bisect_left(group.past, entry.mark)]
            if not group.marks and not group.past:
                del self._groups[values]
                del self._order[bisect_left(self._order, values)]

    def _drop_oldest(self) -> None:
        heaps = [heap for heap in (self._fading, self._leaving, self._coming) if heap]
        mark = heapq.heappop(min(heaps, key=lambda heap: heap[0]))
        entry = self._entries.get(mark[2])
        if entry is not None and entry.mark[1] == mark[1]:
            self._dropped_at = max(self._dropped_at or entry.mark[0], entry.mark[0])
            self._forget(mark[2])


def _take(counts: Counter[K], name: K) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]


def _until(heap: list[_Mark], end: datetime) -> list[_Mark]:
    found = []
    while heap and heap[0][0] <= end:
        found.append(heapq.heappop(heap))
    return found


def _arrival(mark: _Mark) -> datetime:
    return mark[0]


def _fingerprint(rule: Rule, values: _Values) -> str:
    return fingerprint(rule.id, dict(zip(rule.group_by, values, strict=True)))


def _authors(rule: Rule, group: _Group) -> int:
    """Return how many wrote; in a spike what nobody signed, as the press does, counts each."""
    unsigned = group.authors.get(None, 0)
    return len(group.authors) + (unsigned - 1 if rule.spike is not None and unsigned else 0)


def _says(reading: Reading, verdict: Verdict) -> bool:
    return (
        reading.is_active == verdict.is_active
        and reading.threshold == verdict.threshold
        and reading.baseline == verdict.baseline
    )


def _read(rule: Rule, values: _Values, group: _Group, verdict: Verdict) -> Reading:
    labels = dict(zip(rule.group_by, values, strict=True))
    reading = Reading(
        rule=rule.id,
        rule_version=rule.version,
        severity=rule.severity,
        group=labels,
        labels={**rule.labels, **labels},
        is_active=verdict.is_active,
        value=len(group.distinct),
        threshold=verdict.threshold,
        author_count=_authors(rule, group),
        mention_count=len(group.marks),
        evidence=tuple(mark[2] for mark in group.marks[-EVIDENCE_LIMIT:]),
        window=rule.window,
        hold=rule.hold,
        keep_firing=rule.keep_firing,
        group_wait=rule.group_wait,
        flag=rule.flag,
        baseline=verdict.baseline,
    )
    return replace(reading, annotations=_annotate(rule, reading))


def _annotate(rule: Rule, reading: Reading) -> Mapping[str, str]:
    baseline, group = reading.baseline, reading.group
    known = {
        "count": str(reading.value),
        "authors": str(reading.author_count),
        "threshold": written(reading.threshold),
        "window": spoken(rule.window),
        "group": ", ".join(text for text in group.values() if text),
        EXPECTED: written(None if baseline is None else baseline.expected),
        **group,
    }
    return {name: template.render(known) for name, template in rule.annotations.items()}
