"""The filters of the queue as a form: one list for each thing that may be asked of an item."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from veille.domain.alert import Severity
from veille.domain.analysis import IntentLabel, SentimentLabel
from veille.domain.incident import QueueState
from veille.domain.queue_filter import NOBODY, OPEN, QueueFilter, parse_filter
from veille.web.words import Words
from veille.wording.format import visible

COMMA = ","
_LISTS = frozenset({"state", "severity", "intent", "tone"})
"""Of these a form may name several in one field: what a view has is kept when it says more."""

_WORDS: Mapping[bool | None, str | None] = {True: "yes", False: "no", None: None}

Option = tuple[str, str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One field of the form: value, label and whether it is chosen, of each option."""

    name: str
    label: str
    options: Sequence[Option]


def wanted(query: Mapping[str, Sequence[str]]) -> QueueFilter:
    """Return the filter of an address, or of this form; InputError for what does not exist."""
    given = dict(query)
    for name in _LISTS & given.keys():
        given[name] = [part for value in given[name] for part in value.split(COMMA)]
    return parse_filter(given)


def choices(
    where: QueueFilter, words: Words, *, people: Sequence[str], sources: Sequence[str]
) -> list[Choice]:
    """Return the fields, with what `where` says chosen; one that says several has them as one."""
    states = frozenset[str]() if where.states == OPEN else where.states
    return [
        _choice("state", states, ((each, words.state(each)) for each in QueueState), words),
        _one("assignee", where.assignee, _people(people, words), words),
        _choice("severity", where.severity, ((s, words.severity(s)) for s in Severity), words),
        _choice("source", where.source, ((s, words.source(s)) for s in sources), words),
        _choice("topic", where.topic, words.topics.items(), words),
        _choice("intent", where.intent, _labels("intent", IntentLabel, words), words),
        _choice("tone", where.sentiment, _labels("sentiment", SentimentLabel, words), words),
        _one("overdue", _WORDS[where.is_overdue], _flags("overdue", ("yes", "no"), words), words),
        _one(
            "snoozed",
            {True: "yes", None: "all", False: None}[where.is_snoozed],
            _flags("snoozed", ("yes", "all"), words),
            words,
        ),
    ]


def _choice(
    name: str, chosen: Collection[str], known: Iterable[tuple[str, str]], words: Words
) -> Choice:
    """Return a field of which several may be chosen: those are one option of their own."""
    options = [(str(value), label) for value, label in known]
    labels = dict(options)
    joined = COMMA.join(sorted(chosen))
    if joined and joined not in labels:
        said = ", ".join(visible(labels.get(value, value)) for value in sorted(chosen))
        options.append((joined, said))
    return _one(name, joined or None, options, words)


def _one(name: str, chosen: str | None, known: Iterable[tuple[str, str]], words: Words) -> Choice:
    options: list[Option] = [("", words.say(f"views.filter.any.{name}"), not chosen)]
    options += [(value, label, value == chosen) for value, label in known]
    return Choice(name=name, label=words.say(f"views.filter.{name}"), options=options)


def _people(people: Sequence[str], words: Words) -> list[tuple[str, str]]:
    return [(NOBODY, words.say("views.nobody")), *((name, name) for name in people)]


def _labels(head: str, labels: Iterable[str], words: Words) -> list[tuple[str, str]]:
    return [(str(label), words.label(head, label)) for label in labels]


def _flags(name: str, values: Sequence[str], words: Words) -> list[tuple[str, str]]:
    return [(value, words.say(f"views.filter.{name}_{value}")) for value in values]
