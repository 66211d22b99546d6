"""What a rule found: readings of a condition, alerts, and their transitions."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from veille.domain.evidence import Doubt


class Severity(StrEnum):
    """How bad: info, warning, critical."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 2 for critical."""
        return ("info", "warning", "critical").index(self.value)


class AlertState(StrEnum):
    """Where an alert is in its life."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class BaselineKind(StrEnum):
    """What a spike is measured against."""

    SEASONAL = "seasonal"
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a spike rule compared the count with; numbers are rounded to 4 decimals.

    `expected` is the mean count per window, None while history is too short to tell. `spread` is
    the standard deviation of the previous windows, or the ratio of variance to mean of the season.
    `points` is what they rest on: previous windows, or days on which this hour was seen.
    `counts` are some of those points, the latest first: of previous windows, or of this hour in the
    weeks before. `surprise` is -ln of the chance of such a count. `is_floored`: the standard
    deviation was below its floor, which stands in `spread`. `is_cold`: the history is short.
    `reason` says why nothing can fire (`min_points 3 < 8`).
    """

    kind: BaselineKind
    points: int
    counts: tuple[int, ...] = ()
    expected: float | None = None
    spread: float | None = None
    surprise: float | None = None
    is_floored: bool = False
    is_cold: bool = False
    reason: str | None = None


class Comparison(StrEnum):
    """How a measured value is held against its threshold."""

    AT_LEAST = ">="
    ABOVE = ">"
    AT_MOST = "<="
    BELOW = "<"


_HOLDS: Mapping[Comparison, Callable[[float, float], bool]] = {
    Comparison.AT_LEAST: operator.ge,
    Comparison.ABOVE: operator.gt,
    Comparison.AT_MOST: operator.le,
    Comparison.BELOW: operator.lt,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing a rule asks, as measured: `name` is `count`, `authors`, `surprise`, …

    `value` None: it could not be measured, and does not hold.
    """

    name: str
    value: float | None
    threshold: float
    comparison: Comparison = Comparison.AT_LEAST

    @property
    def holds(self) -> bool:
        """Whether the value passes, from the numbers kept here alone."""
        return self.value is not None and _HOLDS[self.comparison](self.value, self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one rule says of one group at one instant.

    `value` is what was counted, `threshold` the smallest count that fires; with a baseline of
    previous windows it is the bound to exceed. `mention_count` is how many mentions that were: more
    than `value` where some say the same. `evidence` holds mention keys, oldest first.
    `labels` are the rule's labels and the group's, `group` the group's alone. `group_wait` None: as
    its severity waits. `baseline` is None unless a spike rule's floors are reached.
    `conditions` are all that the rule asks, in its order: it is active when all of them hold.
    An alert that fires goes on while `value` is at least `clear_below`, whatever else is asked.
    `shadow`: nobody is told, nothing is flagged.
    """

    rule: str
    rule_version: str
    severity: Severity
    group: Mapping[str, str]
    labels: Mapping[str, str]
    is_active: bool
    value: int
    threshold: int | float
    author_count: int
    evidence: tuple[str, ...]
    window: timedelta | None
    mention_count: int = 0
    hold: timedelta = timedelta(0)
    keep_firing: timedelta = timedelta(0)
    group_wait: timedelta | None = None
    flag: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    baseline: Baseline | None = None
    conditions: tuple[Condition, ...] = ()
    clear_below: int | None = None
    shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The state of one rule for one group, as stored. `fingerprint` is its identity.

    `started_at` is when the condition began to hold, `fired_at` when it fired, `cleared_at` since
    when the condition no longer holds (None while it does). `threshold` and `baseline` stay as they
    were at `started_at`: later ones hold the alert's own mentions. `conditions` are those of the
    instant at which it began to hold. `against` is what spoke against it when it began or fired.
    `mention_count` is 0, and `conditions` are empty, in those that were stored before they were
    known. `shadow`: it is logged, and no incident opens.
    """

    fingerprint: str
    rule: str
    rule_version: str
    severity: Severity
    group: Mapping[str, str]
    labels: Mapping[str, str]
    state: AlertState
    started_at: datetime
    fired_at: datetime | None = None
    cleared_at: datetime | None = None
    resolved_at: datetime | None = None
    value: int = 0
    threshold: int | float = 1
    author_count: int = 0
    mention_count: int = 0
    evidence: tuple[str, ...] = ()
    window: timedelta | None = None
    hold: timedelta = timedelta(0)
    keep_firing: timedelta = timedelta(0)
    group_wait: timedelta | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    baseline: Baseline | None = None
    conditions: tuple[Condition, ...] = ()
    against: tuple[Doubt, ...] = ()
    shadow: bool = False

    @property
    def message_count(self) -> int:
        """How many messages its rule counts, each that several say once."""
        return messages_of(self.value, self.mention_count, self.conditions)

    @property
    def is_counting(self) -> bool:
        """Whether its numbers are of now: its condition holds."""
        return self.cleared_at is None and self.state is not AlertState.RESOLVED


OF_RULE = "rule:"
"""What the name of a condition begins with that is another rule: one may be called `spike`."""
SILENT = frozenset({"silent_s", "silence_surprise", "down_s"})
"""Conditions of a source or group that is not heard, or cannot be."""


_NO_MESSAGES = frozenset({"reach", "distinct"})


def messages_of(counted: int, mentions: int, conditions: Sequence[Condition]) -> int:
    """Return how many messages `counted` is; `mentions`, where it is followers or places."""
    return mentions if any(each.name in _NO_MESSAGES for each in conditions) else counted


def is_silence(alert: Alert) -> bool:
    """Whether a firing alert says that something is not heard: its own accounts are no source."""
    is_firing = alert.state is AlertState.FIRING and not alert.shadow
    return is_firing and any(condition.name in SILENT for condition in alert.conditions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change of an alert's state: a durable row that dispatch must consume.

    `seq` is 0 until the store numbers it. `alert` is the alert as it stands after the change.
    `reason` says why when it is not the condition itself (`rule_removed`, `rule_changed`).
    """

    at: datetime
    alert: Alert
    reason: str | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A mention that a rule with `flag: true` puts into the queue."""

    key: str
    rule: str
    severity: Severity
    at: datetime
