"""What the analyzers found in one mention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class SentimentLabel(StrEnum):
    """The author's feeling towards what the text is about."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class UrgencyLabel(StrEnum):
    """Whether a person on call should act within minutes."""

    URGENT = "urgent"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentiment:
    """`score` in [-1, 1] is p(positive) - p(negative); `probabilities` sum to 1 by label."""

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
class Analysis:
    """All findings on one text. `crisis` in [0, 1]; `analyzers` maps each name to its version."""

    lang: str
    sentiment: Sentiment
    crisis: float
    urgency: Urgency
    entities: tuple[Entity, ...] = ()
    analyzers: Mapping[str, str] = field(default_factory=dict)
