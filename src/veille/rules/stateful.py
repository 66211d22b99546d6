"""What watchers have in common that are more than a window: a memory, circumstances, an alarm."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from datetime import datetime
from itertools import product
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from veille.domain.alert import Condition, Reading
from veille.domain.circumstances import CALM
from veille.domain.record import Observation
from veille.rules import reading
from veille.rules.judges import Verdict
from veille.rules.matchers import Needs
from veille.rules.memory import Memory
from veille.rules.model import Rule
from veille.rules.past import Past
from veille.rules.sliding import Values
from veille.rules.view import View, group_values


class Stateful:
    """One rule at work that the store, the clock or another rule can change without a mention.

    `memory` is what the store must keep of it, None when observations tell all. `asks` are mentions
    of which it must be told whether they were answered.
    """

    is_steady: ClassVar[bool] = False
    """Whether what is read stays as it is until `wakes_at`, or until something is observed."""

    def __init__(self, rule: Rule, zone: ZoneInfo) -> None:
        self.memory: Memory[Any] | None = None  # Any: each kind keeps a type of its own
        self.rule = rule
        self.past = Past(rule, zone)
        self.around = CALM

    @property
    def asks(self) -> Collection[str]:
        """Mentions of which the store may know that they were answered."""
        return ()

    @property
    def keys(self) -> Container[str]:
        """The mentions it holds."""
        return ()

    @property
    def needs(self) -> Needs:
        """What a mention that it does not hold must have to concern it."""
        return self.rule.where.needs

    def readings(self, _now: datetime) -> list[Reading]:
        """Return what it says of each group, active or not, in the order of their values."""
        return []

    def tellings(self, now: datetime) -> list[Reading]:
        """Return of `readings` those that begin or hold an alert."""
        return [found for found in self.readings(now) if reading.tells(found)]

    @property
    def wakes_at(self) -> datetime | None:
        """When time alone may change what was read at the last look, at the earliest."""
        return None

    def restore(self, states: Mapping[str, str]) -> None:
        """Go on from what the store holds of `memory`, by mark."""
        if self.memory is not None:
            self.memory.restore(states)

    def take_told(self) -> list[tuple[str, str | None]]:
        """Return what is new in `memory` since the last call, by mark; None: forgotten."""
        return [] if self.memory is None else self.memory.take_told()

    def slide(self, now: datetime) -> None:
        """Let go of what is too old."""

    def counts(self, observation: Observation, view: View) -> bool:
        """Whether the rule is about this mention: not too late, not our own, and as asked."""
        rule = self.rule
        if rule.exclude_own and observation.own:
            return False
        if observation.received_at - observation.created_at > rule.late_by:
            return False
        return rule.where.matches(view)

    def groups(self, view: View) -> tuple[Values, ...]:
        """Return the groups of a mention, each once."""
        names = self.rule.group_by
        return tuple(dict.fromkeys(product(*(group_values(view, name) for name in names))))

    def read(
        self,
        values: Values,
        conditions: tuple[Condition, ...],
        *,
        value: int,
        threshold: float,
        seen: reading.Seen = reading.NOTHING,
        words: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Reading:
        """Return the reading of a group; `labels` come on top of the group's, `words` are for
        annotations.
        """
        group = {**dict(zip(self.rule.group_by, values, strict=True)), **(labels or {})}
        verdict = Verdict(value=value, threshold=threshold, conditions=conditions)
        return reading.read(self.rule, group, verdict, seen, words=words or {})
