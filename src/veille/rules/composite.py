"""Composite rules: what other rules find, taken together in the same look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from graphlib import TopologicalSorter
from zoneinfo import ZoneInfo

from veille.domain.alert import OF_RULE, Comparison, Condition, Reading
from veille.domain.record import Observation
from veille.rules.model import Rule
from veille.rules.params import Composite
from veille.rules.reading import Seen
from veille.rules.sliding import Values
from veille.rules.stateful import Stateful
from veille.rules.view import View

ANY = "any"


class CompositeWatcher(Stateful):
    """One composite rule. A rule holds for a group while a reading of it does that fits the group.

    A reading fits where the labels that both are grouped by are the same.
    """

    def __init__(self, rule: Rule, zone: ZoneInfo, asked: Composite) -> None:
        super().__init__(rule, zone)
        self._asked = asked
        self._seen: Mapping[str, Sequence[Reading]] = {}

    @property
    def members(self) -> tuple[str, ...]:
        """The rules it looks at."""
        return (*self._asked.all_of, *self._asked.any_of, *self._asked.none_of)

    def observe(self, observation: Observation, _view: View | None) -> None:
        """Mentions are for the rules it looks at."""
        if self.past.since is None:
            self.past.listen(observation.received_at)

    def see(self, readings: Mapping[str, Sequence[Reading]]) -> None:
        """Take what other rules say in this look, by rule."""
        self._seen = readings

    def readings(self, _now: datetime) -> list[Reading]:
        """Return one reading per group of which a rule it asks for says something."""
        return [self._reading(values) for values in self._groups()]

    def _groups(self) -> list[Values]:
        names, found = self.rule.group_by, set()
        for rule in (*self._asked.all_of, *self._asked.any_of):
            for reading in self._seen.get(rule, ()):
                if all(name in reading.group for name in names):
                    found.add(tuple(reading.group[name] for name in names))
        return sorted(found)

    def _reading(self, values: Values) -> Reading:
        group = dict(zip(self.rule.group_by, values, strict=True))
        holding = {rule: self._holding(rule, group) for rule in self.members}
        conditions = [_holds(rule, holding[rule]) for rule in self._asked.all_of]
        if self._asked.any_of:
            count = sum(bool(holding[rule]) for rule in self._asked.any_of)
            conditions.append(Condition(name=ANY, value=count, threshold=1))
        conditions += [
            replace(_holds(rule, holding[rule]), comparison=Comparison.BELOW)
            for rule in self._asked.none_of
        ]
        asked = (*self._asked.all_of, *self._asked.any_of)
        evidence = _joined(reading.evidence for rule in asked for reading in holding[rule])
        authors = [reading.author_count for rule in asked for reading in holding[rule]]
        return self.read(
            values,
            tuple(conditions),
            value=sum(bool(holding[rule]) for rule in asked),
            threshold=len(self._asked.all_of) + bool(self._asked.any_of),
            seen=Seen(authors=max(authors, default=0), mentions=len(evidence), evidence=evidence),
            words={"rules": ", ".join(rule for rule in asked if holding[rule])},
        )

    def _holding(self, rule: str, group: Mapping[str, str]) -> list[Reading]:
        return [
            reading
            for reading in self._seen.get(rule, ())
            if reading.is_active
            and all(reading.group[name] == group[name] for name in group if name in reading.group)
        ]


def in_order(composites: Sequence[CompositeWatcher]) -> list[CompositeWatcher]:
    """Return them so that each comes after those it looks at; circles are refused when read."""
    known = {watcher.rule.id: watcher for watcher in composites}
    asked = {name: [m for m in watcher.members if m in known] for name, watcher in known.items()}
    return [known[name] for name in TopologicalSorter(asked).static_order()]


def _holds(rule: str, holding: Sequence[Reading]) -> Condition:
    return Condition(name=f"{OF_RULE}{rule}", value=int(bool(holding)), threshold=1)


def _joined(evidence: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(key for keys in evidence for key in keys))
