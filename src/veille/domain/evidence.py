"""What an alert rests on: examples with the places that matched, and what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A place in a text that met a condition on `field`: code points, `end` excluded."""

    field: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One mention that a rule matched, by its key: never its text.

    `labels` are what the analysis or the source said where a condition is not about words, by
    field: scores, labels, topics, codes of communes.
    """

    key: str
    spans: tuple[Span, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


class DoubtKind(StrEnum):
    """What may speak against an alert; the list is closed."""

    SINGLE = "single"  # one message only
    ONE_AUTHOR = "one_author"  # `value` of `total` messages are of one author
    ONE_SOURCE = "one_source"  # all `total` messages come from one source
    QUIET_SOURCES = "quiet_sources"  # `value` other sources were heard meanwhile and say nothing
    COPIES = "copies"  # `value` of `total` messages only repeat another one
    NOT_NEGATIVE = "not_negative"  # `value` of `total` messages are neutral or positive
    UNCERTAIN = "uncertain"  # `value` in [0, 1]: the surest label among them is no surer
    SHORT_HISTORY = "short_history"  # what is usual rests on `value` points


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One thing that speaks against an alert, with its number; `total` 0: there is none."""

    kind: DoubtKind
    value: float
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One condition of `where` as one mention answered it.

    `wanted` is as the rule writes it, `found` what the mention has, None when that is unknown or a
    text. `parts` are the conditions under `any` or `not`, one list for each alternative.
    """

    field: str
    wanted: str
    found: str | None
    holds: bool
    parts: tuple[tuple[Asked, ...], ...] = ()
