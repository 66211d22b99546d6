"""What a rule is once read: frozen, checked, with its matcher compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from veille.domain.alert import Severity
from veille.domain.ids import content_hash
from veille.rules.annotations import Template
from veille.rules.matchers import Where

GROUP_FIELDS = (
    "watch", "source", "kind", "lang", "author", "role", "sentiment.label", "urgency.label",
)  # fmt: skip
"""What `group_by` may name."""


class RuleKind(StrEnum):
    """How a rule looks: at each mention alone, or at how many there are."""

    MENTION = "mention"
    COUNT = "count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `version` changes with anything its author wrote in it, comments and layout apart.

    `window`, `hold` (`for:`), `keep_firing` and `late_by` are durations; `min_count` and
    `min_authors` are at least 1.
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
        """The smallest count that can fire: each author counts at least once."""
        return max(self.min_count, self.min_authors)


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
