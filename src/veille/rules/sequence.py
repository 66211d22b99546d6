"""Sequence rules: first this, then that, in order and within a time."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo

from veille.domain.alert import Condition, Reading
from veille.domain.record import Observation
from veille.rules.matchers import Needs, needs_of_any
from veille.rules.model import Rule
from veille.rules.params import Steps
from veille.rules.reading import Seen, tells
from veille.rules.sliding import Entry, Group, Sliding, Values
from veille.rules.stateful import Stateful
from veille.rules.view import View

MAX_ENTRIES = 20_000
"""Mentions that make a step, kept for one rule: a group is gone through when it changes."""


class SequenceWatcher(Stateful):
    """One sequence rule. Each mention makes one step at most, the first it can."""

    def __init__(self, rule: Rule, zone: ZoneInfo, asked: Steps) -> None:
        super().__init__(rule, zone)
        self._steps = asked.steps
        self._sliding = Sliding(rule, limit=MAX_ENTRIES)
        self._is_telling = False

    @property
    def keys(self) -> Collection[str]:
        """The mentions it holds."""
        return self._sliding.keys

    @property
    def needs(self) -> Needs:
        """What a mention that it does not hold must have to concern it."""
        return super().needs or needs_of_any([step.where for step in self._steps])

    def observe(self, observation: Observation, view: View | None) -> None:
        """Take in a mention, an edit or a deletion."""
        if self.past.since is None:
            self.past.listen(observation.received_at)
        self._sliding.pop(observation.key)
        if view is None or not self.counts(observation, view):
            return
        makes = [i for i, step in enumerate(self._steps) if step.where.matches(view)]
        groups = self.groups(view)
        if not makes or not groups:
            return
        self._sliding.put(
            Entry(
                mark=(observation.received_at, observation.seq, observation.key),
                author=observation.author,
                counted_as=observation.key,
                groups=groups,
                leaves_at=observation.received_at,
                facts=tuple(("step", i) for i in makes),
            )
        )

    @property
    def wakes_at(self) -> datetime | None:
        """When one more counts; of a sequence that was told, when one of it does no longer."""
        return self._sliding.due_at if self._is_telling else self._sliding.coming_at

    def slide(self, now: datetime) -> None:
        """Count what has come, and let go of what is too old."""
        self._sliding.slide(now)

    def readings(self, now: datetime) -> list[Reading]:
        """Return one reading per group with a mention in the window, in the order of its values."""
        self.slide(now)
        found = []
        for values, group in self._sliding.groups():
            if group.reading is None:
                group.reading = self._reading(values, group)
            found.append(group.reading)
        self._is_telling = any(map(tells, found))
        return found

    def _reading(self, values: Values, group: Group) -> Reading:
        made = self._made(group)
        used = [entry for step in made for entry in step]
        done = sum(
            len(step) >= asked.min_count for step, asked in zip(made, self._steps, strict=True)
        )
        authors = len({entry.author for entry in used})
        conditions = tuple(
            Condition(name=f"step_{number}", value=len(step), threshold=asked.min_count)
            for number, (step, asked) in enumerate(zip(made, self._steps, strict=True), start=1)
        )
        return self.read(
            values,
            conditions,
            value=done,
            threshold=len(self._steps),
            seen=Seen(
                authors=authors, mentions=len(used), evidence=[entry.mark[2] for entry in used]
            ),
        )

    def _made(self, group: Group) -> list[list[Entry]]:
        """Return the mentions of each step: the earliest that can make it, in order of arrival.

        The last step takes all that come, so that what comes afterwards is evidence too. Taking the
        earliest leaves the most to later steps: if any choice makes the sequence, this one does.
        """
        made: list[list[Entry]] = [[] for _ in self._steps]
        at, last = 0, len(self._steps) - 1
        for entry in self._sliding.entries(group.marks):
            if ("step", at) in entry.facts:
                made[at].append(entry)
                if at < last and len(made[at]) >= self._steps[at].min_count:
                    at += 1
        return made
