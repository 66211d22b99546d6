"""One mention as matchers ask about it: fields by name, folded words computed once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Literal
from zoneinfo import ZoneInfo

from veille.domain.analysis import FEELINGS, Analysis, SentimentLabel
from veille.domain.record import Observation
from veille.domain.text import fold, printable, words
from veille.rules.phrases import MAX_PHRASE_LENGTH

MAX_ROLE = 80
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_LINK = re.compile(r"https?://", re.IGNORECASE)


def scored(score: float) -> float:
    """Return the score as rules compare it: rounded to 4 decimals."""
    return round(score, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is known beside a mention: where hours are told, what each watch's territory is."""

    zone: ZoneInfo
    territories: Mapping[str, frozenset[str]] = field(default_factory=dict)


NOWHERE = Around(zone=ZoneInfo("Europe/Paris"))


class View:
    """One analyzed mention; `text` and `words` are UTF-8 bytes for google-re2."""

    def __init__(
        self, observation: Observation, analysis: Analysis, around: Around = NOWHERE
    ) -> None:
        self.observation = observation
        self.analysis = analysis
        self.around = around

    @cached_property
    def written_at(self) -> datetime:
        """When it was written, in the zone."""
        return self.observation.created_at.astimezone(self.around.zone)

    @cached_property
    def text(self) -> bytes:
        """The text as stored (masked), with lone surrogates replaced."""
        return self.observation.text.encode("utf-8", "replace")

    @cached_property
    def words(self) -> bytes:
        """The folded words, with one space before, between and after."""
        return self.words_of(self.observation.text)

    @cached_property
    def tokens(self) -> list[str]:
        """The folded words, in order."""
        return self.words.decode("utf-8").split()

    @cached_property
    def heads(self) -> frozenset[str]:
        """The folded words, hashtags also without their sign: what a phrase may begin with."""
        found = self.tokens
        return frozenset(found).union(word[1:] for word in found if word[0] == "#")

    @cached_property
    def stems(self) -> frozenset[str]:
        """Every beginning of these words that a phrase may ask for."""
        cut = {word[:MAX_PHRASE_LENGTH] for word in self.heads}  # a word may be the whole text
        return frozenset(word[:end] for word in cut for end in range(1, len(word) + 1))

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


def _cluster(name: Literal["size", "authors", "wordings"]) -> NumberField:
    get = attrgetter(name)
    return NumberField(
        lambda v: None if v.analysis.cluster is None else get(v.analysis.cluster), high=1e6
    )


def _metric(name: Literal["likes", "shares", "replies", "views"]) -> NumberField:
    get = attrgetter(name)
    return NumberField(
        lambda v: None if v.observation.metrics is None else get(v.observation.metrics), high=1e12
    )


def _people(view: View) -> int | None:
    card = view.analysis.card
    return None if card is None or card.people is None else card.people.value.number


def _surest(view: View) -> float | None:
    known = (scored(place.score) for place in view.analysis.places if place.insee)
    return max(known, default=None)


def _topic_score(view: View) -> float | None:
    return next((scored(topic.score) for topic in view.analysis.topics), None)


def _is_inside(view: View) -> bool:
    """Whether a commune the text names lies in the territory of a watch it matched."""
    around, codes = view.around, [p.insee for p in view.analysis.places if p.insee]
    if not codes:
        return False
    inside = tuple(c for w in view.observation.watches for c in around.territories.get(w, ()))
    return any(code.startswith(inside) for code in codes)


def _card(view: View, name: Literal["hazard", "need"]) -> tuple[str, ...]:
    card = view.analysis.card
    slot = None if card is None else card.hazard if name == "hazard" else card.need
    return () if slot is None else (slot.value.value,)


def _probability(label: SentimentLabel) -> NumberField:
    return NumberField(lambda v: scored(v.analysis.sentiment.probabilities.get(label, 0.0)))


NUMBER_FIELDS: dict[str, NumberField] = {
    "followers": NumberField(lambda v: v.observation.followers, high=1e11),
    "author.age": NumberField(lambda v: v.observation.author_age, high=1e5),
    "hour": NumberField(lambda v: v.written_at.hour, high=23),
    "links": NumberField(lambda v: len(_LINK.findall(v.observation.text)), high=1e5),
    "media.count": NumberField(lambda v: len(v.observation.media), high=1e5),
    "metrics.likes": _metric("likes"),
    "metrics.shares": _metric("shares"),
    "metrics.replies": _metric("replies"),
    "metrics.views": _metric("views"),
    "sentiment.score": NumberField(lambda v: scored(v.analysis.sentiment.score), low=-1.0),
    **{f"sentiment.probabilities.{label}": _probability(label) for label in FEELINGS},
    "crisis.score": NumberField(lambda v: scored(v.analysis.crisis)),
    "urgency.score": NumberField(lambda v: scored(v.analysis.urgency.score)),
    "hostility.score": NumberField(lambda v: scored(v.analysis.hostility.score)),
    "toxicity.score": NumberField(lambda v: scored(v.analysis.toxicity)),
    "intent.score": NumberField(lambda v: scored(v.analysis.intent.score)),
    "topic.score": NumberField(_topic_score),
    "place.score": NumberField(_surest),
    "cluster.size": _cluster("size"),
    "cluster.authors": _cluster("authors"),
    "cluster.wordings": _cluster("wordings"),
    "card.people": NumberField(_people, high=1e6),
}

TRUTH_FIELDS: dict[str, Callable[[View], bool]] = {
    "own": lambda v: v.observation.own,
    "answer": lambda v: v.observation.reply_to is not None,
    "territory": _is_inside,
    "cluster.is_claim": lambda v: bool(v.analysis.cluster and v.analysis.cluster.is_claim),
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
    "place.name": lambda v: tuple(fold(place.name) for place in v.analysis.places),
    "card.hazard": lambda v: _card(v, "hazard"),
    "card.need": lambda v: _card(v, "need"),
    "card.vulnerable": lambda v: tuple(
        slot.value.value for slot in (v.analysis.card.vulnerable if v.analysis.card else ())
    ),
    "media": lambda v: v.observation.media,
    "masked": lambda v: v.observation.masked,
    "weekday": lambda v: (WEEKDAYS[v.written_at.weekday()],),
}


DISTINCT_FIELDS = ("author", "cluster", *(name for name in NAME_FIELDS if name != "role"))
"""What `of:` of a `distinct` rule may name."""


def distinct_values(view: View, name: str) -> tuple[str, ...]:
    """Return what a mention has in one field that is counted; nothing of what is not known."""
    if name == "author":
        author = view.observation.author
        return () if author is None else (author,)
    if name == "cluster":
        cluster = view.analysis.cluster
        return (view.observation.key if cluster is None else cluster.id,)
    return NAME_FIELDS[name](view)


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
