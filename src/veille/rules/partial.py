"""The partial `analysis:` of a rule test, filled with neutral findings."""

from __future__ import annotations

import re

from veille.domain.analysis import (
    Analysis,
    Entity,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.rules.fields import Reader
from veille.rules.yaml_nodes import Fields, Findings, Node, Scalar

ENTITY_LABELS = ("PER", "LOC", "ORG", "MISC")
_NUMBER = re.compile(r"-?\d{1,3}(?:\.\d{1,12})?", re.ASCII)
_EVEN = 0.5
_SIGNS = {
    SentimentLabel.NEGATIVE: -1.0,
    SentimentLabel.NEUTRAL: 0.0,
    SentimentLabel.POSITIVE: 1.0,
}


def partial_analysis(node: Node, findings: Findings) -> Analysis:
    """Return the analysis a test wrote; what it left out is French, neutral, calm.

    A label alone stands for a certain one (score 1, -1 or 0), a score alone gives the likelier
    label: urgent from 0.5 on, negative below 0, positive above.
    """
    reader = Reader(node, findings, ("lang", "sentiment", "crisis", "urgency", "entities"))
    crisis = _inner(reader, "crisis", ("score",))
    return Analysis(
        lang=reader.text("lang", "fr"),
        sentiment=_sentiment(_inner(reader, "sentiment", ("label", "score", "probabilities"))),
        crisis=_or(_number(crisis, "score", 0.0), 0.0),
        urgency=_urgency(_inner(reader, "urgency", ("label", "score"))),
        entities=tuple(_entity(item, findings) for item in reader.items("entities")),
    )


def _inner(reader: Reader, name: str, known: tuple[str, ...]) -> Reader:
    node = reader.fields.get(name, Fields(reader.node.line, reader.node.column, {}, {}))
    return Reader(node, reader.findings, known)


def _number(reader: Reader, name: str, low: float) -> float | None:
    node = reader.fields.get(name)
    if node is None:
        return None
    if isinstance(node, Scalar) and _NUMBER.fullmatch(node.text):
        value = float(node.text)
        if low <= value <= 1.0:
            return value
    reader.wrong(name, f"expected a number in [{low:g}, 1]")
    return None


def _urgency(reader: Reader) -> Urgency:
    score = _number(reader, "score", 0.0)
    if reader.has("label"):
        label = UrgencyLabel(reader.choice("label", tuple(UrgencyLabel)))
        return Urgency(label=label, score=_or(score, float(label is UrgencyLabel.URGENT)))
    likely = UrgencyLabel.URGENT if _or(score, 0.0) >= _EVEN else UrgencyLabel.NORMAL
    return Urgency(label=likely, score=_or(score, 0.0))


def _sentiment(reader: Reader) -> Sentiment:
    inner = _inner(reader, "probabilities", tuple(SentimentLabel))
    given: dict[str, float] = {
        label: _or(_number(inner, label, 0.0), 0.0) for label in SentimentLabel
    }
    score = _number(reader, "score", -1.0)
    if score is None and inner.fields:
        score = round(given[SentimentLabel.POSITIVE] - given[SentimentLabel.NEGATIVE], 4)
    if reader.has("label"):
        label = SentimentLabel(reader.choice("label", tuple(SentimentLabel)))
    elif inner.fields:
        label = max(SentimentLabel, key=lambda name: given[name])
    else:
        label = _likely(_or(score, 0.0))
    if not inner.fields:
        given = {name: float(name is label) for name in SentimentLabel}
    return Sentiment(label=label, score=_or(score, _SIGNS[label]), probabilities=given)


def _likely(score: float) -> SentimentLabel:
    if score == 0:
        return SentimentLabel.NEUTRAL
    return SentimentLabel.POSITIVE if score > 0 else SentimentLabel.NEGATIVE


def _entity(node: Node, findings: Findings) -> Entity:
    reader = Reader(node, findings, ("label", "text"))
    text = reader.text("text")
    if not text:
        reader.wrong("text", "missing: the name that was found")
    label = reader.choice("label", ENTITY_LABELS)
    return Entity(label=label, text=text, start=0, end=len(text))


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
