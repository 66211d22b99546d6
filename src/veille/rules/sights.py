"""What a windowed rule sees of one group, now and before, and when that may change by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

from veille.domain.history import hour_number
from veille.rules import sliding, waking
from veille.rules.build import Build, against_steps, is_cold, may_be_high
from veille.rules.judges import Rising, Sight, Verdict, judge
from veille.rules.model import Rule, RuleKind
from veille.rules.params import Velocity
from veille.rules.past import Past
from veille.rules.season import Season, dispersion_over, expected, hour_of_week
from veille.rules.sliding import Entry, Group, Sliding
from veille.rules.spike import Look, Spike, against_previous, against_season
from veille.rules.spike import Verdict as SpikeVerdict
from veille.rules.tail import residual

POINTS = 12
"""Points of a baseline that a reading carries: the windows of a `previous` one by default."""


class Sights:
    """The eyes of one rule. `reach` is how far back what was observed is complete."""

    def __init__(
        self, rule: Rule, past: Past, counted: Sliding, *, zone: ZoneInfo, reach: timedelta
    ) -> None:
        self._rule = rule
        self._past = past
        self._sliding = counted
        self._zone = zone
        self._reach = reach

    def of(self, group: Group, now: datetime) -> Sight:
        """Return what the rule's kind may ask of a group."""
        return Sight(
            count=len(group.distinct),
            authors=authors(self._rule, group.authors),
            facts=tuple(group.facts),
            steps=lambda count: self._steps(group, now, count),
            before=lambda: self._before(group, now),
            spike=lambda spike: self._spike(spike, group, now),
            rise=lambda build: self._rise(build, group, now),
        )

    def changes_at(self, group: Group, verdict: Verdict, now: datetime) -> datetime | None:
        """Return until when time alone leaves this verdict as it is, if nothing comes or leaves.

        The group must reach the floors. `now`: it may change at any moment. None: it stays.
        """
        rule = self._rule
        if isinstance(rule.params, Velocity):
            step = rule.counted / rule.params.steps
            edges = [rule.counted - step * i for i in range(rule.params.steps)]
            return waking.crossing(group.marks, edges, now)
        if rule.previous:
            return None if verdict.baseline is None else self._before_changes_at(group, now)
        if not rule.is_seasonal:
            return None
        if isinstance(rule.params, Build):
            return self._rise_changes_at(rule.params, group, verdict, now)
        hour = waking.next_hour(now, (timedelta(0), rule.window, rule.span))
        return self._same_until(group, verdict, now, hour)

    def _before_changes_at(self, group: Group, now: datetime) -> datetime | None:
        rule, past = self._rule, self._past
        if past.has_silence_since(now - rule.span):
            return now  # how much of a window was heard changes as it slides
        edges = [rule.window * i for i in range(1, rule.previous + 2)]
        known = [(at, 0, "") for at in (past.since, self._sliding.dropped_at) if at is not None]
        found = (waking.crossing(marks, edges, now) for marks in (sorted(known), group.past))
        return min((at for at in found if at is not None), default=None)

    def _same_until(self, group: Group, verdict: Verdict, now: datetime, end: datetime) -> datetime:
        """Return when a season's verdict turns, before `end`, up to which its mean only grows or
        only shrinks; a sentence that says what is usual changes all the time.
        """
        usual = None if verdict.baseline is None else verdict.baseline.expected
        if usual is None:
            return end
        if verdict.is_active or self._is_held(verdict):
            return now
        return waking.turn(lambda at: judge(self._rule, self.of(group, at)).is_active, now, end)

    def _is_held(self, verdict: Verdict) -> bool:
        least = self._rule.clear_below
        return least is not None and verdict.value >= least

    def _rise_changes_at(
        self, build: Build, group: Group, verdict: Verdict, now: datetime
    ) -> datetime | None:
        """Return until when the sum surely stays below the limit.

        One whose newest step is empty does not grow, so that it cannot get there.
        """
        rule = self._rule
        if verdict.is_active or rule.clear_below is not None:
            return now
        if not group.marks or group.marks[-1][0] <= now - rule.window:
            return None
        season = self._season(group, now)
        hour = waking.next_hour(now, (rule.window * n for n in range(build.steps + 1)))
        if against_steps(build, (), season, self._look(now)) is None:
            return hour
        return waking.surely(
            lambda end: not may_be_high(build, self._highest(build, group, season, (now, end))),
            now,
            hour,
        )

    def _highest(
        self, build: Build, group: Group, season: Season, during: tuple[datetime, datetime]
    ) -> list[float]:
        """Return the highest residual of each step while it slides from one instant to another."""
        window, (now, end) = self._rule.window, during
        dispersion, found = dispersion_over(season, window), []
        for back in (window * n for n in reversed(range(build.steps))):
            most = self._sliding.between(group.marks, now - back - window, end - back)
            means = [expected(season, at - back, window, self._zone) for at in during]
            found.append(residual(_distinct(most), min(means), dispersion))
        return found

    def _look(self, now: datetime) -> Look:
        return Look(now=now, window=self._rule.window, zone=self._zone)

    def _season(self, group: Group, now: datetime) -> Season:
        source = sliding.source_of(self._rule, group.values)
        return self._past.season(group.fingerprint, now, source)

    def _steps(self, group: Group, now: datetime, count: int) -> list[int]:
        start, step = now - self._rule.counted, self._rule.counted / count
        ends = [*(start + step * i for i in range(count)), now]
        return [_distinct(self._sliding.between(group.marks, a, b)) for a, b in pairwise(ends)]

    def _spike(self, spike: Spike, group: Group, now: datetime) -> SpikeVerdict:
        value, floor = len(group.distinct), self._rule.threshold
        if not self._rule.is_seasonal:
            before = [count for count, _ in self._before(group, now)]
            return _resting_on(before, against_previous(spike, value, before, floor=floor))
        season = self._season(group, now)
        found = against_season(spike, value, season, self._look(now), floor=floor)
        return _resting_on(self._past.same_hour(group.fingerprint, now), found)

    def _rise(self, build: Build, group: Group, now: datetime) -> Rising:
        """Return the rise over the latest steps that were heard without a gap."""
        season = self._season(group, now)
        counts = self._steps(group, now, build.steps)[-self._heard(build.steps, now) :]
        found = against_steps(build, counts, season, self._look(now))
        start = now - self._rule.window * (0 if found is None else found.steps)
        came = self._sliding.between(group.marks, start, now)
        return Rising(
            found=found,
            authors=authors(self._rule, Counter(entry.author for entry in came)),
            days=season.days[hour_of_week(hour_number(now), self._zone) % 24],
            is_cold=is_cold(season),
        )

    def _heard(self, steps: int, now: datetime) -> int:
        """Return how many of the latest windows were heard; the one that ends now always was."""
        ends = (now - self._rule.window * i for i in range(1, steps))
        return 1 + sum(1 for _ in takewhile(lambda end: self._is_whole(end, now) is True, ends))

    def _is_whole(self, end: datetime, now: datetime) -> bool | None:
        """Whether the window that ended then was heard; None when nothing older is known either.

        What is forgotten again, by the bound or by age, is not known.
        """
        start, since = end - self._rule.window, self._past.since
        complete = max(now - self._reach, self._sliding.dropped_at or now - self._reach)
        if since is None or end < since or start < complete:  # end belongs to the window
            return None
        return self._past.has_heard(start, end)

    def _before(self, group: Group, now: datetime) -> list[tuple[int, int]]:
        """Return what counted in each previous window that was heard, and its numerator.

        The latest comes first.
        """
        window, found = self._rule.window, []
        for end in (now - window * i for i in range(1, 1 + self._rule.previous)):
            is_whole = self._is_whole(end, now)
            if is_whole is None:
                break
            if is_whole:
                entries = self._sliding.between(group.past, end - window, end)
                hits = len({fact for entry in entries for fact in entry.facts})
                found.append((_distinct(entries), hits))
        return found


def authors(rule: Rule, wrote: Counter[str | None]) -> int:
    """Return how many wrote; what nobody signed, as the press does, is one author for rules that
    only count, and for the others each is its own.
    """
    unsigned = wrote.get(None, 0)
    is_plain = rule.kind in {RuleKind.MENTION, RuleKind.COUNT}
    return len(wrote) + (unsigned - 1 if unsigned and not is_plain else 0)


def _resting_on(counts: Sequence[int], verdict: SpikeVerdict) -> SpikeVerdict:
    """Return the verdict with the newest of what it was compared with."""
    if verdict.baseline is None:
        return verdict
    baseline = replace(verdict.baseline, counts=tuple(counts[:POINTS]))
    return replace(verdict, baseline=baseline)


def _distinct(entries: Sequence[Entry]) -> int:
    return len({entry.counted_as for entry in entries})
