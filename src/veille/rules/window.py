"""The watcher of every kind that counts in a sliding window, and what was counted before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

from veille.domain.alert import Reading
from veille.domain.history import HISTORY
from veille.domain.record import Observation
from veille.rules import reading, sliding
from veille.rules.judges import Verdict, judge
from veille.rules.matchers import Needs
from veille.rules.model import TRENDS, CountBy, Rule, RuleKind
from veille.rules.params import Distinct, Ratio, Reach
from veille.rules.past import Past
from veille.rules.sights import Sights, authors
from veille.rules.sliding import Entry, Fact, Group, Sliding, Values, places
from veille.rules.view import View, distinct_values, group_values

_RESTLESS = TRENDS | {RuleKind.RATIO}
"""Kinds of which time alone can make an alert: the others only lose what leaves the window."""


class Window:
    """The window of one rule. `reach` is how far back what was observed is complete."""

    def __init__(self, rule: Rule, zone: ZoneInfo, *, reach: timedelta = HISTORY) -> None:
        self.rule = rule
        self.past = Past(rule, zone)
        self._span = rule.span
        self._is_restless = rule.kind in _RESTLESS
        self._sliding = Sliding(rule, limit=sliding.ENTRY_LIMIT)
        self._sights = Sights(rule, self.past, self._sliding, zone=zone, reach=reach)
        self._looked_at: datetime | None = None
        self._is_telling = False
        self._moving: list[tuple[Group, Verdict]] = []  # restless, and at the floors
        self._risen: dict[Values, Group] = {}  # what reaches the floors, as far as was looked

    @property
    def keys(self) -> Collection[str]:
        """The mentions it holds."""
        return self._sliding.keys

    @property
    def needs(self) -> Needs:
        """What a mention that it does not hold must have to concern it."""
        return self.rule.where.needs

    def observe(self, observation: Observation, view: View | None) -> None:
        """Take in a mention, an edit or a deletion."""
        if self.past.since is None:
            self.past.listen(observation.received_at)
        groups = () if view is None else self._groups_of(observation, view)
        if not groups and observation.key not in self._sliding:
            return
        since = observation.received_at - self._span
        old = self._sliding.pop(observation.key)
        if old is not None and old.mark[0] > since:
            self._tell(old, -1, since)  # an older one was said in its time, whatever became of it
        if view is None or not groups:
            return
        entry = self._entry(observation, view, groups)
        self._tell(entry, 1, since)
        self._sliding.put(entry)

    def slide(self, now: datetime) -> None:
        """Count what has come, and let go of what is too old."""
        self._sliding.slide(now)

    def readings(self, now: datetime) -> list[Reading]:
        """Return one reading per group with a mention in the window, in the order of its values."""
        self._look(now)
        groups = self._sliding.groups()
        found = [self._reading(values, group, now) for values, group in groups]
        self._is_telling = any(map(reading.tells, found))
        return found

    def tellings(self, now: datetime) -> list[Reading]:
        """Return of `readings` those that begin or hold an alert, looking at no other group twice.

        Below the floors no rule of any kind is active, and what does not change stays as it is.
        """
        self._look(now)
        self._look_at_changed()
        found = []
        for values in sorted(self._risen):
            known = self._telling(values, self._risen[values], now)
            if known is not None:
                found.append(known)
            elif not self._is_restless:
                del self._risen[values]  # until it changes
        self._is_telling = bool(found)
        return found

    @property
    def wakes_at(self) -> datetime | None:
        """When time alone may change what was told at the last look.

        Of what tells nothing, what leaves the window can change only a kind that is restless, and
        only where it reached the floors.
        """
        now, moving = self._looked_at, self._moving
        if now is None:
            return None
        is_moving = self._is_telling or bool(moving)
        found = [self._sliding.due_at if is_moving else self._sliding.coming_at]
        found += [self._sights.changes_at(group, verdict, now) for group, verdict in moving]
        return min((at for at in found if at is not None), default=None)

    def _look(self, now: datetime) -> None:
        self.slide(now)
        self._looked_at = now
        self._moving.clear()

    def _reading(self, values: Values, group: Group, now: datetime) -> Reading:
        known = group.reading
        if known is not None and not self._is_restless:
            return known
        return self._read_as(values, group, self._judge(group, now), now)

    def _telling(self, values: Values, group: Group, now: datetime) -> Reading | None:
        known = group.reading
        if known is None or self._is_restless:
            verdict = self._judge(group, now)
            if not verdict.is_active and self.rule.clear_below is None:
                return None
            known = self._read_as(values, group, verdict, now)
        return known if reading.tells(known) else None

    def _judge(self, group: Group, now: datetime) -> Verdict:
        verdict = judge(self.rule, self._sights.of(group, now))
        if self._is_restless and self._is_risen(group):
            self._moving.append((group, verdict))
        return verdict

    def _read_as(self, values: Values, group: Group, verdict: Verdict, now: datetime) -> Reading:
        known = group.reading
        if known is None or not reading.says(known, verdict):
            known = group.reading = self._read(values, group, verdict, now)
        return known

    def _is_risen(self, group: Group) -> bool:
        """Whether it reaches the floors of the rule, which of a build are not those of its rise."""
        is_many = len(group.distinct) >= self.rule.min_count
        return is_many and authors(self.rule, group.authors) >= self.rule.min_authors

    def _look_at_changed(self) -> None:
        rule = self.rule
        for values in self._sliding.changed:
            group = self._sliding.group(values)
            self._risen.pop(values, None)
            if group is None or not group.marks:
                continue
            if self._is_risen(group) or rule.clear_below is not None:
                self._risen[values] = group
        self._sliding.changed.clear()
        for values in [values for values, group in self._risen.items() if not group.marks]:
            del self._risen[values]

    def _groups_of(self, observation: Observation, view: View) -> tuple[Values, ...]:
        rule = self.rule
        if rule.exclude_own and observation.own:
            return ()
        if observation.received_at - observation.created_at > rule.late_by:
            return ()
        if not rule.where.matches(view):
            return ()
        return tuple(dict.fromkeys(product(*(group_values(view, n) for n in rule.group_by))))

    def _entry(self, observation: Observation, view: View, groups: tuple[Values, ...]) -> Entry:
        counted_as = self._counted_as(observation)
        return Entry(
            mark=(observation.received_at, observation.seq, observation.key),
            author=observation.author,
            counted_as=counted_as,
            groups=groups,
            leaves_at=self._leaves_at(observation),
            facts=self._facts(view, counted_as),
        )

    def _facts(self, view: View, counted_as: str) -> tuple[Fact, ...]:
        match self.rule.params:
            case Distinct(of=of):
                return tuple((value, 0) for value in distinct_values(view, of))
            case Ratio(of=of):
                return ((counted_as, 0),) if of.matches(view) else ()
            case Reach():
                said = view.observation
                return ((said.author or "", said.followers or 0),)
            case _:
                return ()

    def _counted_as(self, observation: Observation) -> str:
        cluster = None if observation.analysis is None else observation.analysis.cluster
        if cluster is None or self.rule.count_by is CountBy.MENTIONS:
            return observation.key
        return cluster.id

    def _leaves_at(self, observation: Observation) -> datetime:
        """Return since when an entry counts, as far as leaving the window goes.

        In a trend a late one counts no longer than had it come in time: what is caught up with
        would else add to what comes meanwhile. A longer `late_by` asks for just that.
        """
        if not self.rule.is_trend or self.rule.late_by > self.rule.window:
            return observation.received_at
        return min(observation.received_at, observation.created_at)

    def _tell(self, entry: Entry, by: int, since: datetime) -> None:
        """The hour of its arrival counts the entry, unless another has said the same in it.

        Only what came after `since` is asked: how long the rule remembers more depends on when it
        looked, and a restart would not know the same.
        """
        for place in places(entry):
            if not self._sliding.has_said(place, since):
                self.past.add(self._sliding.mark_of(place[0]), place[1], by)

    def _read(self, values: Values, group: Group, verdict: Verdict, now: datetime) -> Reading:
        marks, wrote = group.marks, group.authors
        if verdict.window is not None:
            came = self._sliding.between(marks, now - verdict.window, now)
            marks, wrote = [e.mark for e in came], Counter(e.author for e in came)
        seen = reading.Seen(
            authors=authors(self.rule, wrote),
            mentions=len(marks),
            evidence=[mark[2] for mark in marks[-reading.EVIDENCE_LIMIT :]],
        )
        labels = dict(zip(self.rule.group_by, values, strict=True))
        return reading.read(self.rule, labels, verdict, seen)
