"""What the analyzers found in one mention. What each label means: docs/labels.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from veille.domain.card import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A text to be read, with what is known around it.

    `at`: when it was written, for « ce soir »; `territory`: INSEE codes of what is watched.
    """

    text: str
    at: datetime | None = None
    territory: frozenset[str] = frozenset()
    has_media: bool = False


class SentimentLabel(StrEnum):
    """The author's feeling towards what the text is about."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"
    UNDECIDED = "undecided"


FEELINGS = (SentimentLabel.NEGATIVE, SentimentLabel.NEUTRAL, SentimentLabel.POSITIVE)
"""What a sentiment may be once decided, in the order of the network's outputs."""


class UrgencyLabel(StrEnum):
    """Whether a person on call should act within minutes."""

    URGENT = "urgent"
    NORMAL = "normal"


class HostilityLabel(StrEnum):
    """Whether the text degrades or threatens; criticism without insult is none of it."""

    NONE = "none"
    UNCIVIL = "uncivil"
    THREAT = "threat"
    UNDECIDED = "undecided"


class Target(StrEnum):
    """Whom or what hostility is against."""

    PERSON = "person"
    OFFICE_HOLDER = "office_holder"
    STAFF = "staff"
    GROUP = "group"
    SERVICE = "service"
    POLICY = "policy"


class IntentLabel(StrEnum):
    """What the author mainly wants to do."""

    DISTRESS = "distress"
    THREAT = "threat"
    INSULT = "insult"
    IRONY = "irony"
    RUMOR = "rumor"
    COMPLAINT = "complaint"
    CRITICISM = "criticism"
    REQUEST = "request"
    QUESTION = "question"
    THANKS = "thanks"
    INFORMATION = "information"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentiment:
    """`score` in [-1, 1] is p(positive) - p(negative); `probabilities` sum to 1 by label.

    `probabilities` has the three feelings; `undecided` has none, it says that none is likely.
    """

    label: SentimentLabel
    score: float
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Urgency:
    """`score` in [0, 1] is calibrated on development data; the label's threshold is the model's."""

    label: UrgencyLabel
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A labelled span (PER, LOC, ORG, MISC); code points, `end` excluded."""

    label: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostility:
    """`score` in [0, 1] is p(uncivil) + p(threat); `target` is None where there is none."""

    label: HostilityLabel = HostilityLabel.UNDECIDED
    score: float = 0.0
    target: Target | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """`score` in [0, 1] is the probability of the likeliest intent, also when undecided."""

    label: IntentLabel = IntentLabel.UNDECIDED
    score: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A subject of `topics.yml` by its id; `score` in [0, 1]."""

    id: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A commune named in a text; code points, `end` excluded.

    `insee` is None when the text leaves several possible; `score` in [0, 1] is the share of the
    likeliest one in all weights, no calibrated probability. It may be high without a code: among
    places of one name size alone settles nothing. `name` is then the likeliest one's.
    """

    name: str
    insee: str | None
    score: float
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Which texts say the same thing, as counted when this one came in.

    `id` is the key of the first member, also after it left. `size` counts members, `wordings`
    those that are no copies of each other, `authors` the known ones. `is_claim`: three authors
    said it within 24 hours, each in other words than the others.
    """

    id: str
    size: int
    wordings: int
    authors: int
    is_claim: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """All findings on one text; `analyzers` maps each name to its version, one it lacks never ran.

    `crisis` and `toxicity` are in [0, 1]. `topics`: the main one first. `card` is for urgent texts
    only. `cluster` depends on the texts that came before; all else on the passage alone.
    """

    lang: str
    sentiment: Sentiment
    crisis: float
    urgency: Urgency
    hostility: Hostility = Hostility()
    toxicity: float = 0.0
    intent: Intent = Intent()
    topics: tuple[Topic, ...] = ()
    entities: tuple[Entity, ...] = ()
    places: tuple[Place, ...] = ()
    card: Card | None = None
    cluster: Cluster | None = None
    analyzers: Mapping[str, str] = field(default_factory=dict)
