"""The watcher of every kind that counts in a sliding window, and what was counted before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise, product, takewhile
from zoneinfo import ZoneInfo

from veille.domain.alert import Reading
from veille.domain.history import HISTORY, hour_number
from veille.domain.record import Observation
from veille.rules import reading, sliding
from veille.rules.build import Build, against_steps, is_cold
from veille.rules.judges import Rising, Sight, Verdict, judge
from veille.rules.matchers import Needs
from veille.rules.model import TRENDS, CountBy, Rule, RuleKind
from veille.rules.params import Distinct, Ratio, Reach
from veille.rules.past import Past
from veille.rules.season import hour_of_week
from veille.rules.sliding import Entry, Fact, Group, Sliding, Values, places
from veille.rules.spike import Look, Spike, against_previous, against_season
from veille.rules.spike import Verdict as SpikeVerdict
from veille.rules.view import View, distinct_values, group_values

_RESTLESS = TRENDS | {RuleKind.RATIO}
"""Kinds of which time alone can make an alert: the others only lose what leaves the window."""


POINTS = 12
"""Points of a baseline that a reading carries: the windows of a `previous` one by default."""


class Window:
    """The window of one rule. `reach` is how far back what was observed is complete."""

    def __init__(self, rule: Rule, zone: ZoneInfo, *, reach: timedelta = HISTORY) -> None:
        self.rule = rule
        self.past = Past(rule, zone)
        self.is_restless = False
        """Whether time alone could make an alert of what was counted at the last look."""
        self._zone = zone
        self._span = rule.span
        self._is_restless_kind = rule.kind in _RESTLESS
        self._reach = reach
        self._sliding = Sliding(rule, limit=sliding.ENTRY_LIMIT)
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
        self.slide(now)
        self.is_restless = False
        groups = self._sliding.groups()
        return [self._reading(values, group, now) for values, group in groups]

    def _reading(self, values: Values, group: Group, now: datetime) -> Reading:
        known = group.reading
        if known is not None and not self._is_restless_kind:
            return known
        return self._judged(values, group, judge(self.rule, self._sight(group, now)), now)

    def _judged(self, values: Values, group: Group, verdict: Verdict, now: datetime) -> Reading:
        known = group.reading
        if known is None or not reading.says(known, verdict):
            known = group.reading = self._read(values, group, verdict, now)
        self.is_restless |= self._may_change(verdict, group, now)
        return known

    def tellings(self, now: datetime) -> list[Reading]:
        """Return of `readings` those that begin or hold an alert, looking at no other group twice.

        Below the floors no rule of any kind is active, and what does not change stays as it is.
        """
        self.slide(now)
        self.is_restless = False
        self._look_at_changed()
        if not self._risen:
            return []
        found = []
        for values in sorted(self._risen):
            known = self._telling(values, self._risen[values], now)
            if known is not None:
                found.append(known)
            elif not self._is_restless_kind:
                del self._risen[values]  # until it changes
        return found

    def _telling(self, values: Values, group: Group, now: datetime) -> Reading | None:
        known = group.reading
        if known is None or self._is_restless_kind:
            verdict = judge(self.rule, self._sight(group, now))
            if not verdict.is_active and self.rule.clear_below is None:
                self.is_restless |= self._may_change(verdict, group, now)
                return None
            known = self._judged(values, group, verdict, now)
        return known if reading.tells(known) else None

    def _look_at_changed(self) -> None:
        rule = self.rule
        for values in self._sliding.changed:
            group = self._sliding.group(values)
            self._risen.pop(values, None)
            if group is None or not group.marks:
                continue
            is_many = len(group.distinct) >= rule.min_count
            is_risen = is_many and _authors(rule, group.authors) >= rule.min_authors
            if is_risen or rule.clear_below is not None:
                self._risen[values] = group
        self._sliding.changed.clear()
        for values in [values for values, group in self._risen.items() if not group.marks]:
            del self._risen[values]

    def _may_change(self, verdict: Verdict, group: Group, now: datetime) -> bool:
        """Whether the floors are reached, so that what else is asked may come with time.

        A build whose newest step is empty cannot be high: a sum that does not rise is let go.
        """
        if not self._is_restless_kind or not all(floor.holds for floor in verdict.conditions[:2]):
            return False
        is_build = self.rule.kind is RuleKind.BUILD
        return not is_build or (bool(group.marks) and group.marks[-1][0] > now - self.rule.window)

    def _sight(self, group: Group, now: datetime) -> Sight:
        return Sight(
            count=len(group.distinct),
            authors=_authors(self.rule, group.authors),
            facts=tuple(group.facts),
            steps=lambda count: self._steps(group, now, count),
            before=lambda: self._before(group, now),
            spike=lambda spike: self._spike(spike, group, now),
            rise=lambda build: self._rise(build, group, now),
        )

    def _steps(self, group: Group, now: datetime, count: int) -> list[int]:
        start, step = now - self.rule.counted, self.rule.counted / count
        ends = [*(start + step * i for i in range(count)), now]
        return [_distinct(self._sliding.between(group.marks, a, b)) for a, b in pairwise(ends)]

    def _spike(self, spike: Spike, group: Group, now: datetime) -> SpikeVerdict:
        value, floor = len(group.distinct), self.rule.threshold
        if not self.rule.is_seasonal:
            before = [count for count, _ in self._before(group, now)]
            return _resting_on(before, against_previous(spike, value, before, floor=floor))
        season = self.past.season(
            group.fingerprint, now, sliding.source_of(self.rule, group.values)
        )
        look = Look(now=now, window=self.rule.window, zone=self._zone)
        found = against_season(spike, value, season, look, floor=floor)
        return _resting_on(self.past.same_hour(group.fingerprint, now), found)

    def _rise(self, build: Build, group: Group, now: datetime) -> Rising:
        """Return the rise over the latest steps that were heard without a gap."""
        season = self.past.season(
            group.fingerprint, now, sliding.source_of(self.rule, group.values)
        )
        look = Look(now=now, window=self.rule.window, zone=self._zone)
        counts = self._steps(group, now, build.steps)[-self._heard(build.steps, now) :]
        found = against_steps(build, counts, season, look)
        start = now - self.rule.window * (0 if found is None else found.steps)
        came = self._sliding.between(group.marks, start, now)
        return Rising(
            found=found,
            authors=_authors(self.rule, Counter(entry.author for entry in came)),
            days=season.days[hour_of_week(hour_number(now), self._zone) % 24],
            is_cold=is_cold(season),
        )

    def _heard(self, steps: int, now: datetime) -> int:
        """Return how many of the latest windows were heard; the one that ends now always was."""
        ends = (now - self.rule.window * i for i in range(1, steps))
        return 1 + sum(1 for _ in takewhile(lambda end: self._is_whole(end, now) is True, ends))

    def _is_whole(self, end: datetime, now: datetime) -> bool | None:
        """Whether the window that ended then was heard; None when nothing older is known either.

        What is forgotten again, by the bound or by age, is not known.
        """
        start, since = end - self.rule.window, self.past.since
        complete = max(now - self._reach, self._sliding.dropped_at or now - self._reach)
        if since is None or end < since or start < complete:  # end belongs to the window
            return None
        return self.past.has_heard(start, end)

    def _before(self, group: Group, now: datetime) -> list[tuple[int, int]]:
        """Return what counted in each previous window that was heard, and its numerator.

        The latest comes first.
        """
        window, found = self.rule.window, []
        for end in (now - window * i for i in range(1, 1 + self.rule.previous)):
            is_whole = self._is_whole(end, now)
            if is_whole is None:
                break
            if is_whole:
                entries = self._sliding.between(group.past, end - window, end)
                hits = len({fact for entry in entries for fact in entry.facts})
                found.append((_distinct(entries), hits))
        return found

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
        marks, authors = group.marks, group.authors
        if verdict.window is not None:
            came = self._sliding.between(marks, now - verdict.window, now)
            marks, authors = [e.mark for e in came], Counter(e.author for e in came)
        seen = reading.Seen(
            authors=_authors(self.rule, authors),
            mentions=len(marks),
            evidence=[mark[2] for mark in marks[-reading.EVIDENCE_LIMIT :]],
        )
        labels = dict(zip(self.rule.group_by, values, strict=True))
        return reading.read(self.rule, labels, verdict, seen)


def _resting_on(counts: Sequence[int], verdict: SpikeVerdict) -> SpikeVerdict:
    """Return the verdict with the newest of what it was compared with."""
    if verdict.baseline is None:
        return verdict
    baseline = replace(verdict.baseline, counts=tuple(counts[:POINTS]))
    return replace(verdict, baseline=baseline)


def _distinct(entries: Sequence[Entry]) -> int:
    return len({entry.counted_as for entry in entries})


def _authors(rule: Rule, authors: Counter[str | None]) -> int:
    """Return how many wrote; what nobody signed, as the press does, is one author for rules that
    only count, and for the others each is its own.
    """
    unsigned = authors.get(None, 0)
    is_plain = rule.kind in {RuleKind.MENTION, RuleKind.COUNT}
    return len(authors) + (unsigned - 1 if unsigned and not is_plain else 0)
