"""The engine: sliding windows in memory, counted as mentions come and go, never scanned again."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product

from veille.domain.alert import Reading
from veille.domain.ids import fingerprint
from veille.domain.record import Observation
from veille.rules.annotations import spoken
from veille.rules.model import Rule, RuleSet
from veille.rules.view import View, group_values

EVIDENCE_LIMIT = 1000
"""Newest keys in a reading: no less than the mentions one evaluation step takes in, so that each
of them reaches the lifecycle, which flags it."""
ENTRY_LIMIT = 100_000
"""Matching mentions kept for one rule, about 40 MB; beyond it the oldest stop counting."""

_Mark = tuple[datetime, int, str]
_Values = tuple[str, ...]


class Engine:
    """What the rules say of the mentions observed so far.

    Windows slide over arrival: a mention counts while `now - window < received_at <= now`. When the
    clock steps back, what was counted stays until its window has passed by the new time.
    """

    def __init__(self, ruleset: RuleSet) -> None:
        self._windows = [_Window(rule) for rule in ruleset.rules]

    @property
    def max_window(self) -> timedelta:
        """The longest window of any rule; zero without rules."""
        return max((window.rule.window for window in self._windows), default=timedelta(0))

    @property
    def horizon(self) -> timedelta:
        """How far back observations must be read again after a restart.

        An engine that observes, in the order of `seq`, every observation received since
        `now - horizon` gives the readings of one that never stopped.
        """
        return self.max_window

    def observe(self, observation: Observation) -> None:
        """Take in a mention, an edit (same key: it replaces) or a deletion (no analysis).

        Repeating the last observation of a key changes nothing.
        """
        view = None if observation.analysis is None else View(observation, observation.analysis)
        for window in self._windows:
            window.observe(observation, view)

    def readings(self, now: datetime) -> list[Reading]:
        """Return one reading per rule and group with a mention in its window.

        The order is that of the rules, then of the groups' values. A group without mentions has no
        reading.
        """
        return [reading for window in self._windows for reading in window.readings(now)]

    def take_matches(self) -> dict[tuple[str, datetime], int]:
        """Return how many mentions began to count since the last call, by alert and hour.

        The key is the alert's fingerprint and the full hour of arrival; an edit counts again.
        """
        found: dict[tuple[str, datetime], int] = {}
        for window in self._windows:
            for (values, hour), count in window.matched.items():
                group = dict(zip(window.rule.group_by, values, strict=True))
                found[fingerprint(window.rule.id, group), hour] = count
            window.matched.clear()
        return found


@dataclass(slots=True)
class _Entry:
    mark: _Mark
    author: str | None
    groups: tuple[_Values, ...]
    is_counted: bool = False


@dataclass(slots=True)
class _Group:
    marks: list[_Mark] = field(default_factory=list)
    authors: Counter[str | None] = field(default_factory=Counter)
    reading: Reading | None = None


class _Window:
    """The window of one rule. Heaps may hold marks of replaced entries; they are skipped."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._entries: dict[str, _Entry] = {}
        self._coming: list[_Mark] = []
        self._leaving: list[_Mark] = []
        self._groups: dict[_Values, _Group] = {}
        self._order: list[_Values] = []
        self.matched: Counter[tuple[_Values, datetime]] = Counter()

    def observe(self, observation: Observation, view: View | None) -> None:
        key = observation.key
        self._forget(key)
        if view is None or not self._counts(observation, view):
            return
        fields = (group_values(view, name) for name in self.rule.group_by)
        groups = tuple(dict.fromkeys(product(*fields)))
        if not groups:
            return
        mark = (observation.received_at, observation.seq, key)
        self._entries[key] = _Entry(mark, observation.author, groups)
        heapq.heappush(self._coming, mark)
        while len(self._entries) > ENTRY_LIMIT:
            self._drop_oldest()

    def readings(self, now: datetime) -> list[Reading]:
        self._slide(now)
        found = []
        for values in self._order:
            group = self._groups[values]
            if group.reading is None:
                group.reading = _read(self.rule, values, group)
            found.append(group.reading)
        return found

    def _counts(self, observation: Observation, view: View) -> bool:
        rule = self.rule
        if rule.exclude_own and observation.own:
            return False
        if observation.received_at - observation.created_at > rule.late_by:
            return False
        return rule.where.matches(view)

    def _slide(self, now: datetime) -> None:
        while self._coming and self._coming[0][0] <= now:
            mark = heapq.heappop(self._coming)
            entry = self._entries.get(mark[2])
            if entry is not None and entry.mark == mark and not entry.is_counted:
                self._count(entry)
                heapq.heappush(self._leaving, mark)
        start = now - self.rule.window
        while self._leaving and self._leaving[0][0] <= start:
            self._forget_mark(heapq.heappop(self._leaving))

    def _count(self, entry: _Entry) -> None:
        entry.is_counted = True
        hour = entry.mark[0].replace(minute=0, second=0, microsecond=0)
        for values in entry.groups:
            self.matched[values, hour] += 1
            group = self._groups.get(values)
            if group is None:
                group = self._groups[values] = _Group()
                insort(self._order, values)
            insort(group.marks, entry.mark)
            group.authors[entry.author] += 1
            group.reading = None

    def _forget_mark(self, mark: _Mark) -> None:
        entry = self._entries.get(mark[2])
        if entry is not None and entry.mark == mark:
            self._forget(mark[2])

    def _forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is None or not entry.is_counted:
            return
        for values in entry.groups:
            group = self._groups[values]
            del group.marks[bisect_left(group.marks, entry.mark)]
            group.authors[entry.author] -= 1
            if not group.authors[entry.author]:
                del group.authors[entry.author]
            group.reading = None
            if not group.marks:
                del self._groups[values]
                del self._order[bisect_left(self._order, values)]

    def _drop_oldest(self) -> None:
        heaps = [heap for heap in (self._leaving, self._coming) if heap]
        self._forget_mark(heapq.heappop(min(heaps, key=lambda heap: heap[0])))


def _read(rule: Rule, values: _Values, group: _Group) -> Reading:
    value, authors = len(group.marks), len(group.authors)
    labels = dict(zip(rule.group_by, values, strict=True))
    return Reading(
        rule=rule.id,
        rule_version=rule.version,
        severity=rule.severity,
        group=labels,
        labels={**rule.labels, **labels},
        is_active=value >= rule.min_count and authors >= rule.min_authors,
        value=value,
        threshold=rule.threshold,
        author_count=authors,
        evidence=tuple(mark[2] for mark in group.marks[-EVIDENCE_LIMIT:]),
        window=rule.window,
        hold=rule.hold,
        keep_firing=rule.keep_firing,
        group_wait=rule.group_wait,
        flag=rule.flag,
        annotations=_annotate(rule, labels, value, authors),
    )


def _annotate(rule: Rule, group: Mapping[str, str], value: int, authors: int) -> dict[str, str]:
    known = {
        "count": str(value),
        "authors": str(authors),
        "threshold": str(rule.threshold),
        "window": spoken(rule.window),
        "group": ", ".join(text for text in group.values() if text),
        **group,
    }
    return {name: template.render(known) for name, template in rule.annotations.items()}
