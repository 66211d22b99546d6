"""What slides: the matching mentions of one rule, counted by group as they come and go."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator, KeysView, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import TypeVar

from veille.domain.alert import Reading
from veille.domain.history import hour_number
from veille.domain.ids import fingerprint
from veille.rules.model import Rule

ENTRY_LIMIT = 100_000
"""Matching mentions kept for one rule, about 65 MB; beyond it the oldest stop counting."""

MARKS = 1000
"""Fingerprints kept so as not to be made again: more groups are authors or terms, who change."""

Mark = tuple[datetime, int, str]
"""When a mention arrived, its number, its key."""
Values = tuple[str, ...]
"""What a group has in each field of `group_by`."""
Fact = tuple[str, int]
"""What a kind counts of a mention besides the mention itself, see `rules/judges.py`."""
K = TypeVar("K")
_NONE, _NEVER = timedelta(0), datetime.max.replace(tzinfo=UTC)


class Stage(Enum):
    """Where a mention stands: its time is still to come, it counts, or it is over."""

    COMING = auto()
    COUNTED = auto()
    PAST = auto()


@dataclass(slots=True)
class Entry:
    """One matching mention. It stops counting at `leaves_at` and what the rule counts for."""

    mark: Mark
    author: str | None
    counted_as: str  # what says the same counts as one
    groups: tuple[Values, ...]
    leaves_at: datetime
    facts: tuple[Fact, ...] = ()
    stage: Stage = Stage.COMING


@dataclass(slots=True)
class Group:
    """`marks` are in the window, `past` left it and are still remembered; both in order."""

    fingerprint: str
    values: Values = ()
    marks: list[Mark] = field(default_factory=list)
    past: list[Mark] = field(default_factory=list)
    authors: Counter[str | None] = field(default_factory=Counter)
    distinct: Counter[str] = field(default_factory=Counter)
    facts: Counter[Fact] = field(default_factory=Counter)
    reading: Reading | None = None


class Sliding:
    """The entries of one rule. Heaps may hold marks of replaced entries; they are skipped."""

    def __init__(
        self, rule: Rule, *, limit: int = ENTRY_LIMIT, labels: Sequence[str] | None = None
    ) -> None:
        self._rule = rule
        self._labels = rule.group_by if labels is None else labels
        self._counted, self._kept = rule.counted, rule.kept  # asked at every look
        self._limit = limit
        self._entries: dict[str, Entry] = {}
        self._coming: list[Mark] = []
        self._leaving: list[Mark] = []
        self._fading: list[Mark] = []
        self._groups: dict[Values, Group] = {}
        self._order: list[Values] = []
        self._said: dict[tuple[Values, int, str], list[Mark]] = {}
        self.changed: set[Values] = set()
        """Groups of which another mention counts than when this set was last emptied."""
        self._marks: dict[Values, str] = {}
        self._is_remembering = rule.is_remembering
        self._due_at = _NEVER
        self.dropped_at: datetime | None = None
        """When the newest entry arrived that was let go of before its time."""

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    @property
    def keys(self) -> KeysView[str]:
        """The mentions that are kept; the view goes on showing what becomes of them."""
        return self._entries.keys()

    @property
    def coming_at(self) -> datetime | None:
        """When the next entry begins to count; None when none is to come."""
        return self._coming[0][0] if self._coming else None

    @property
    def due_at(self) -> datetime | None:
        """When the next entry begins or ends to count, or is forgotten; None when nothing will."""
        return None if self._due_at == _NEVER else self._due_at

    def put(self, entry: Entry) -> None:
        """The entry counts from its arrival on; its key must be free."""
        self._entries[entry.mark[2]] = entry
        for place in places(entry):
            insort(self._said.setdefault(place, []), entry.mark)
        heapq.heappush(self._coming, entry.mark)
        self._due_at = min(self._due_at, entry.mark[0])
        while len(self._entries) > self._limit:
            self._drop_oldest()

    def pop(self, key: str) -> Entry | None:
        """Return the entry of this key, which is forgotten; None without one."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        for place in places(entry):
            marks = self._said[place]
            del marks[bisect_left(marks, entry.mark)]
            if not marks:
                del self._said[place]
        if entry.stage is Stage.COUNTED:
            self._uncount(entry)
        for values in entry.groups if entry.stage is not Stage.COMING else ():
            group = self._groups[values]
            if entry.stage is Stage.PAST:
                del group.past[bisect_left(group.past, entry.mark)]
            if not group.marks and not group.past:
                del self._groups[values]
                self.changed.discard(values)
                del self._order[bisect_left(self._order, values)]
        return entry

    def slide(self, now: datetime) -> None:
        """Count what has come, and let go of what is too old."""
        if now < self._due_at:
            return
        for mark in _until(self._coming, now):
            if self._is_at(mark, Stage.COMING):
                entry = self._entries[mark[2]]
                self._count(entry)
                heapq.heappush(self._leaving, (entry.leaves_at, mark[1], mark[2]))
        for mark in _until(self._leaving, now - self._counted):
            if self._is_at(mark, Stage.COUNTED):
                self._leave(self._entries[mark[2]])
        for mark in _until(self._fading, now - self._kept):
            if self._is_at(mark, Stage.PAST):
                self.pop(mark[2])
        heaps = (self._coming, _NONE), (self._leaving, self._counted), (self._fading, self._kept)
        self._due_at = min((heap[0][0] + after for heap, after in heaps if heap), default=_NEVER)

    def groups(self) -> Iterator[tuple[Values, Group]]:
        """Yield each group with a mention in the window, in the order of their values."""
        for values in self._order:
            group = self._groups[values]
            if group.marks:
                yield values, group

    def group(self, values: Values) -> Group | None:
        """Return a group, None when nothing of it is kept."""
        return self._groups.get(values)

    def entries(self, marks: Iterable[Mark]) -> list[Entry]:
        """Return the entries of these marks, which must be kept."""
        return [self._entries[mark[2]] for mark in marks]

    def mark_of(self, values: Values) -> str:
        """Return the fingerprint of a group."""
        group = self._groups.get(values)
        if group is not None:
            return group.fingerprint
        mark = self._marks.get(values)
        if mark is None:
            if len(self._marks) >= MARKS:
                self._marks.clear()
            mark = fingerprint(self._rule.id, dict(zip(self._labels, values, strict=True)))
            self._marks[values] = mark
        return mark

    def has_said(self, place: tuple[Values, int, str], since: datetime) -> bool:
        """Whether an entry that arrived after `since` says the same in this group and hour."""
        marks = self._said.get(place)
        return bool(marks) and marks is not None and marks[-1][0] > since

    def between(self, marks: Sequence[Mark], start: datetime, end: datetime) -> list[Entry]:
        """Return the entries of these ordered marks that arrived in (start, end]."""
        first = bisect_right(marks, start, key=_arrival)
        last = bisect_right(marks, end, key=_arrival)
        return [self._entries[mark[2]] for mark in marks[first:last]]

    def _is_at(self, mark: Mark, stage: Stage) -> bool:
        entry = self._entries.get(mark[2])
        return entry is not None and entry.mark[1] == mark[1] and entry.stage is stage

    def _count(self, entry: Entry) -> None:
        entry.stage = Stage.COUNTED
        for values in entry.groups:
            group = self._groups.get(values)
            if group is None:
                group = self._groups[values] = Group(self.mark_of(values), values)
                insort(self._order, values)
            insort(group.marks, entry.mark)
            group.authors[entry.author] += 1
            group.distinct[entry.counted_as] += 1
            for fact in entry.facts:
                group.facts[fact] += 1
            group.reading = None
            self.changed.add(values)

    def _uncount(self, entry: Entry) -> None:
        for values in entry.groups:
            group = self._groups[values]
            del group.marks[bisect_left(group.marks, entry.mark)]
            _take(group.authors, entry.author)
            _take(group.distinct, entry.counted_as)
            for fact in entry.facts:
                _take(group.facts, fact)
            group.reading = None
            self.changed.add(values)

    def _leave(self, entry: Entry) -> None:
        if not self._is_remembering:
            self.pop(entry.mark[2])
            return
        self._uncount(entry)
        entry.stage = Stage.PAST
        heapq.heappush(self._fading, entry.mark)
        for values in entry.groups:
            insort(self._groups[values].past, entry.mark)

    def _drop_oldest(self) -> None:
        heaps = [heap for heap in (self._fading, self._leaving, self._coming) if heap]
        mark = heapq.heappop(min(heaps, key=lambda heap: heap[0]))
        entry = self._entries.get(mark[2])
        if entry is not None and entry.mark[1] == mark[1]:
            self.dropped_at = max(self.dropped_at or entry.mark[0], entry.mark[0])
            self.pop(mark[2])


def source_of(rule: Rule, values: Values) -> str | None:
    """Return the source of a group, None when it is of several."""
    return values[rule.group_by.index("source")] if "source" in rule.group_by else None


def places(entry: Entry) -> Iterator[tuple[Values, int, str]]:
    """Yield each group of an entry, with the hour it arrived and what it counts as."""
    hour = hour_number(entry.mark[0])
    return ((values, hour, entry.counted_as) for values in entry.groups)


def _take(counts: Counter[K], name: K) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]


def _until(heap: list[Mark], end: datetime) -> list[Mark]:
    found = []
    while heap and heap[0][0] <= end:
        found.append(heapq.heappop(heap))
    return found


def _arrival(mark: Mark) -> datetime:
    return mark[0]
