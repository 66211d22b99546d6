"""What a rule is once read: frozen, checked, with its matcher compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from veille.domain.alert import BaselineKind, Severity
from veille.domain.ids import content_hash
from veille.rules.annotations import Template
from veille.rules.build import Build
from veille.rules.matchers import Where
from veille.rules.params import (
    Composite,
    Distinct,
    NewTerm,
    Ratio,
    Reach,
    Silence,
    Steps,
    Unanswered,
    Velocity,
)
from veille.rules.spike import Spike

Params = (
    Spike | Build | Ratio | Distinct | Velocity | Reach
    | Silence | Unanswered | NewTerm | Steps | Composite
)  # fmt: skip
"""What the kinds ask beyond the common fields, one class each; mention and count ask nothing."""

GROUP_FIELDS = (
    "watch", "source", "kind", "lang", "author", "role", "sentiment.label", "urgency.label",
    "topic", "intent.label", "hostility.label",
)  # fmt: skip
"""What `group_by` may name."""
UNSIGNED_GROUP_FIELDS = tuple(name for name in GROUP_FIELDS if name not in {"author", "role"})
"""What `group_by` may name in a rule that compares with the past: no person's habits are kept, and
histories are few."""
SLACK = timedelta(minutes=10)
"""A rule that compares remembers so much longer than it looks back: an edit that is analyzed late
(a minute counts as prompt) still finds what it replaces."""


class RuleKind(StrEnum):
    """What a rule looks for. Which fields each has: `rules/parse_kinds.py`."""

    MENTION = "mention"
    COUNT = "count"
    SPIKE = "spike"
    BUILD = "build"
    RATIO = "ratio"
    DISTINCT = "distinct"
    VELOCITY = "velocity"
    REACH = "reach"
    NEW_TERM = "new_term"
    SILENCE = "silence"
    UNANSWERED = "unanswered"
    SEQUENCE = "sequence"
    COMPOSITE = "composite"


TRENDS = frozenset({RuleKind.SPIKE, RuleKind.BUILD, RuleKind.VELOCITY})


class CountBy(StrEnum):
    """What counts as one: all that says the same, or each mention."""

    CLUSTERS = "clusters"
    MENTIONS = "mentions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `version` changes with anything its author wrote in it, comments and layout apart.

    `count_by` says what `min_count` counts; authors are counted one by one always.
    `window`, `hold` (`for:`), `keep_firing` and `late_by` are durations; `min_count` and
    `min_authors` are at least 1. `params` are of the rule's kind, None where it has none. An alert
    that fires goes on until its value is below `clear_below`. `shadow`: nobody is told.
    `feed` changes only with what decides which mentions it is about: what is learnt of them stays
    when the rest is edited. `sources` are the names of sources by id, for `annotations`.
    """

    id: str
    version: str
    kind: RuleKind
    where: Where
    window: timedelta
    group_by: tuple[str, ...]
    severity: Severity
    min_count: int = 1
    min_authors: int = 1
    count_by: CountBy = CountBy.CLUSTERS
    params: Params | None = None
    clear_below: int | None = None
    hold: timedelta = timedelta(0)
    keep_firing: timedelta = timedelta(0)
    group_wait: timedelta | None = None
    late_by: timedelta = timedelta(hours=6)
    exclude_own: bool = True
    flag: bool = False
    shadow: bool = False
    owner: str | None = None
    runbook: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, Template] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    line: int = 0
    feed: str = ""

    @property
    def threshold(self) -> int:
        """The smallest count that can fire: of mentions each author has one at least."""
        if self.count_by is CountBy.CLUSTERS:
            return self.min_count
        return max(self.min_count, self.min_authors)

    @property
    def is_seasonal(self) -> bool:
        """Whether the rule compares with hourly counts of weeks."""
        if isinstance(self.params, Silence):
            return not self.params.own
        if isinstance(self.params, Spike):
            return self.params.baseline is BaselineKind.SEASONAL
        return isinstance(self.params, Build)

    @property
    def is_trend(self) -> bool:
        """Whether it is about how many come compared with before: catching up is none."""
        return self.kind in TRENDS

    @property
    def previous(self) -> int:
        """With how many windows before this one the rule compares."""
        params = self.params
        if isinstance(params, Ratio):
            return 0 if params.rise is None else params.points
        return params.points if isinstance(params, Spike) and not self.is_seasonal else 0

    @property
    def counted(self) -> timedelta:
        """How long a mention counts: the window, of a `build` all its steps."""
        return self.window * (self.params.steps if isinstance(self.params, Build) else 1)

    @property
    def span(self) -> timedelta:
        """How far back mentions matter for the rule, in what counts or in a previous window."""
        return self.counted + self.window * self.previous

    @property
    def is_remembering(self) -> bool:
        """Whether what left the window still matters."""
        return self.is_seasonal or self.previous > 0

    @property
    def kept(self) -> timedelta:
        """How long the rule remembers a mention that matched."""
        return self.span + (SLACK if self.is_remembering else timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The enabled rules in the order of file names and lines; ids are unique.

    `disabled` holds the ids of rules with `enabled: false`.
    """

    rules: tuple[Rule, ...] = ()
    disabled: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Changes when any rule is added, removed, changed or moved."""
        return content_hash(*(f"{rule.id}={rule.version}" for rule in self.rules))[:12]

    @property
    def versions(self) -> dict[str, str]:
        """The version of each enabled rule, by id."""
        return {rule.id: rule.version for rule in self.rules}

    def needed_by(self, name: str) -> RuleSet:
        """Return the rule of that id alone; all of them when it looks at others."""
        mine = tuple(rule for rule in self.rules if rule.id == name)
        is_alone = all(rule.kind is not RuleKind.COMPOSITE for rule in mine)
        return RuleSet(rules=mine) if is_alone else self

    @property
    def feeds(self) -> tuple[str, ...]:
        """What the memories of the enabled rules are kept by."""
        return tuple(rule.feed for rule in self.rules)
