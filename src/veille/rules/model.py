"""What a rule is once read: frozen, checked, with its matcher compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from veille.domain.alert import BaselineKind, Severity
from veille.domain.ids import content_hash
from veille.rules.annotations import Template
from veille.rules.matchers import Where
from veille.rules.spike import Spike

GROUP_FIELDS = (
    "watch", "source", "kind", "lang", "author", "role", "sentiment.label", "urgency.label",
    "topic", "intent.label", "hostility.label",
)  # fmt: skip
"""What `group_by` may name."""
SPIKE_GROUP_FIELDS = tuple(name for name in GROUP_FIELDS if name not in {"author", "role"})
"""What `group_by` of a spike rule may name: no person's habits are kept, and histories are few."""
SLACK = timedelta(minutes=10)
"""A spike rule remembers so much longer than it looks back: an edit that is analyzed late (a minute
counts as prompt) still finds what it replaces."""


class RuleKind(StrEnum):
    """How a rule looks: at each mention alone, at how many there are, or at how unusual that is."""

    MENTION = "mention"
    COUNT = "count"
    SPIKE = "spike"


class CountBy(StrEnum):
    """What counts as one: all that says the same, or each mention."""

    CLUSTERS = "clusters"
    MENTIONS = "mentions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `version` changes with anything its author wrote in it, comments and layout apart.

    `count_by` says what `min_count` counts; authors are counted one by one always.
    `window`, `hold` (`for:`), `keep_firing` and `late_by` are durations; `min_count` and
    `min_authors` are at least 1. `spike` stands for spike rules alone.
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
    spike: Spike | None = None
    hold: timedelta = timedelta(0)
    keep_firing: timedelta = timedelta(0)
    group_wait: timedelta | None = None
    late_by: timedelta = timedelta(hours=6)
    exclude_own: bool = True
    flag: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, Template] = field(default_factory=dict)
    file: str = ""
    line: int = 0

    @property
    def threshold(self) -> int:
        """The smallest count that can fire: of mentions each author has one at least."""
        if self.count_by is CountBy.CLUSTERS:
            return self.min_count
        return max(self.min_count, self.min_authors)

    @property
    def is_seasonal(self) -> bool:
        """Whether the rule compares with hourly counts of weeks."""
        return self.spike is not None and self.spike.baseline is BaselineKind.SEASONAL

    @property
    def span(self) -> timedelta:
        """How far back mentions count for the rule, in this window or a previous one."""
        if self.spike is None or self.is_seasonal:
            return self.window
        return self.window * (self.spike.points + 1)

    @property
    def kept(self) -> timedelta:
        """How long the rule remembers a mention that matched."""
        return self.span + (timedelta(0) if self.spike is None else SLACK)


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
