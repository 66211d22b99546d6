"""Which queue items are wanted, as a page's address says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from veille.domain.alert import Severity
from veille.domain.analysis import IntentLabel, SentimentLabel
from veille.domain.errors import InputError
from veille.domain.incident import QueueState

OPEN = frozenset(state for state in QueueState if state.is_open)
NOBODY = "-"
"""As an assignee: nobody has it."""
LONGEST = 200
"""Characters of a name, and names of a list: an address holds no more."""
_YES, _NO, _ALL = "yes", "no", "all"
Label = TypeVar("Label", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """All that is said must hold, one of what a list names; an empty list names all.

    `assignee` is a user's name, NOBODY, or None for whoever. `topic` is one of an item's topics,
    `places` are INSEE codes or names as the text writes them. `is_snoozed` and `is_overdue` None:
    both. Nothing said: what is to do.
    """

    states: frozenset[QueueState] = OPEN
    assignee: str | None = None
    severity: frozenset[Severity] = frozenset()
    source: frozenset[str] = frozenset()
    topic: frozenset[str] = frozenset()
    intent: frozenset[IntentLabel] = frozenset()
    sentiment: frozenset[SentimentLabel] = frozenset()
    is_snoozed: bool | None = False
    is_overdue: bool | None = None
    places: frozenset[str] = frozenset()

    @property
    def is_done(self) -> bool:
        """Whether only what is done with is wanted: nothing is pressing there."""
        return not self.states & OPEN

    def query(self) -> str:
        """Return it as the query of an address, the same for equal filters; "" when nothing is."""
        pairs: list[tuple[str, str]] = []
        if self.states != OPEN:
            pairs += _pairs("state", self.states)
        if self.assignee is not None:
            pairs.append(("assignee", self.assignee))
        for name, values in (
            ("severity", self.severity),
            ("source", self.source),
            ("topic", self.topic),
            ("intent", self.intent),
            ("tone", self.sentiment),
            ("place", self.places),
        ):
            pairs += _pairs(name, values)
        if self.is_snoozed is not False:
            pairs.append(("snoozed", _ALL if self.is_snoozed is None else _YES))
        if self.is_overdue is not None:
            pairs.append(("overdue", _YES if self.is_overdue else _NO))
        return urlencode(pairs)


def parse_filter(query: Mapping[str, Sequence[str]]) -> QueueFilter:
    """Return the filter that these parameters of an address say; others are left alone.

    InputError names a value that does not exist. Parameters: state severity source topic intent
    tone place (each as often as wanted), assignee, snoozed (yes no all), overdue (yes no).
    """
    given = {name: _listed(name, values) for name, values in query.items()}
    return QueueFilter(
        states=_labels("state", QueueState, given) or OPEN,
        assignee=next(iter(given.get("assignee", ())), None),
        severity=_labels("severity", Severity, given),
        source=frozenset(given.get("source", ())),
        topic=frozenset(given.get("topic", ())),
        intent=_labels("intent", IntentLabel, given),
        sentiment=_labels("tone", SentimentLabel, given),
        is_snoozed=_choice("snoozed", {_YES: True, _NO: False, _ALL: None}, given, default=False),
        is_overdue=_choice("overdue", {_YES: True, _NO: False}, given, default=None),
        places=frozenset(given.get("place", ())),
    )


def _pairs(name: str, values: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, str(value)) for value in sorted(values)]


def _listed(name: str, values: Sequence[str]) -> list[str]:
    found = [value for value in values if value]
    if len(found) > LONGEST or any(len(value) > LONGEST for value in found):
        raise InputError(f"{name}: too long: {LONGEST} characters and values at most")
    return found


def _labels(name: str, labels: type[Label], given: Mapping[str, Sequence[str]]) -> frozenset[Label]:
    known = {label.value: label for label in labels}
    for value in given.get(name, ()):
        if value not in known:
            raise InputError(f'{name}: "{value[:24]}" does not exist: one of {", ".join(known)}')
    return frozenset(known[value] for value in given.get(name, ()))


def _choice(
    name: str,
    choices: Mapping[str, bool | None],
    given: Mapping[str, Sequence[str]],
    *,
    default: bool | None,
) -> bool | None:
    value = next(iter(given.get(name, ())), None)
    if value is None:
        return default
    if value not in choices:
        raise InputError(f'{name}: "{value[:24]}" does not exist: one of {", ".join(choices)}')
    return choices[value]
