"""One mention as matchers ask about it: fields by name, folded words computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from veille.domain.analysis import FEELINGS, Analysis, SentimentLabel
from veille.domain.record import Observation
from veille.domain.text import fold, printable, words

MAX_ROLE = 80


def scored(score: float) -> float:
    """Return the score as rules compare it: rounded to 4 decimals."""
    return round(score, 4)


class View:
    """One analyzed mention; `text` and `words` are UTF-8 bytes for google-re2."""

    def __init__(self, observation: Observation, analysis: Analysis) -> None:
        self.observation = observation
        self.analysis = analysis

    @cached_property
    def text(self) -> bytes:
        """The text as stored (masked), with lone surrogates replaced."""
        return self.observation.text.encode("utf-8", "replace")

    @cached_property
    def words(self) -> bytes:
        """The folded words, with one space before, between and after."""
        return self.words_of(self.observation.text)

    @staticmethod
    def words_of(text: str) -> bytes:
        """Return the folded words of `text`, with one space before, between and after."""
        return f" {' '.join(words(fold(text)))} ".encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class NumberField:
    """A number a mention has, or None when unknown, and the range it lies in."""

    get: Callable[[View], float | None]
    low: float = 0.0
    high: float = 1.0


def _cluster(view: View, name: Literal["size", "authors"]) -> int | None:
    cluster = view.analysis.cluster
    return None if cluster is None else cluster.size if name == "size" else cluster.authors


def _card(view: View, name: Literal["hazard", "need"]) -> tuple[str, ...]:
    card = view.analysis.card
    slot = None if card is None else card.hazard if name == "hazard" else card.need
    return () if slot is None else (slot.value.value,)


def _probability(label: SentimentLabel) -> NumberField:
    return NumberField(lambda v: scored(v.analysis.sentiment.probabilities.get(label, 0.0)))


NUMBER_FIELDS: dict[str, NumberField] = {
    "followers": NumberField(lambda v: v.observation.followers, high=1e11),
    "sentiment.score": NumberField(lambda v: scored(v.analysis.sentiment.score), low=-1.0),
    **{f"sentiment.probabilities.{label}": _probability(label) for label in FEELINGS},
    "crisis.score": NumberField(lambda v: scored(v.analysis.crisis)),
    "urgency.score": NumberField(lambda v: scored(v.analysis.urgency.score)),
    "hostility.score": NumberField(lambda v: scored(v.analysis.hostility.score)),
    "toxicity.score": NumberField(lambda v: scored(v.analysis.toxicity)),
    "intent.score": NumberField(lambda v: scored(v.analysis.intent.score)),
    "cluster.size": NumberField(lambda v: _cluster(v, "size"), high=1e6),
    "cluster.authors": NumberField(lambda v: _cluster(v, "authors"), high=1e6),
}

NAME_FIELDS: dict[str, Callable[[View], tuple[str, ...]]] = {
    "source": lambda v: (v.observation.source,),
    "watch": lambda v: v.observation.watches,
    "kind": lambda v: (v.observation.kind.value,),
    "lang": lambda v: (v.analysis.lang,),
    "role": lambda v: (v.observation.role,) if v.observation.role else (),
    "sentiment.label": lambda v: (v.analysis.sentiment.label.value,),
    "urgency.label": lambda v: (v.analysis.urgency.label.value,),
    "hostility.label": lambda v: (v.analysis.hostility.label.value,),
    "hostility.target": lambda v: (
        (v.analysis.hostility.target.value,) if v.analysis.hostility.target else ()
    ),
    "intent.label": lambda v: (v.analysis.intent.label.value,),
    "topics": lambda v: tuple(topic.id for topic in v.analysis.topics),
    "topic": lambda v: tuple(topic.id for topic in v.analysis.topics[:1]),
    "places": lambda v: tuple(
        dict.fromkeys(place.insee for place in v.analysis.places if place.insee)
    ),
    "card.hazard": lambda v: _card(v, "hazard"),
    "card.need": lambda v: _card(v, "need"),
}


def group_values(view: View, name: str) -> tuple[str, ...]:
    """Return the groups a mention belongs to under one `group_by` field.

    A mention of two watches belongs to two groups; one without author to none, since strangers are
    not one person; one without role to the group "".
    """
    if name == "author":
        author = view.observation.author
        return () if author is None else (author,)
    if name == "role":
        # a free text from outside, which goes into labels and titles
        return (" ".join(printable(view.observation.role or "").split())[:MAX_ROLE],)
    return NAME_FIELDS[name](view) or ("",)
