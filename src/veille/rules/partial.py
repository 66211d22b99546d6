"""The partial `analysis:` of a rule test, filled with neutral findings."""

from __future__ import annotations

import re

from veille.domain.analysis import (
    FEELINGS,
    Analysis,
    Cluster,
    Entity,
    Hostility,
    HostilityLabel,
    Intent,
    IntentLabel,
    Place,
    Sentiment,
    SentimentLabel,
    Target,
    Topic,
    Urgency,
    UrgencyLabel,
)
from veille.domain.card import Card, Hazard, Need, Slot
from veille.rules.fields import Reader
from veille.rules.yaml_nodes import Fields, Findings, Node, Scalar

ENTITY_LABELS = ("PER", "LOC", "ORG", "MISC")
_NUMBER = re.compile(r"-?\d{1,3}(?:\.\d{1,12})?", re.ASCII)
_EVEN = 0.5
_SIGNS = {
    SentimentLabel.NEGATIVE: -1.0,
    SentimentLabel.NEUTRAL: 0.0,
    SentimentLabel.POSITIVE: 1.0,
    SentimentLabel.UNDECIDED: 0.0,
}
_KEYS = (
    "lang", "sentiment", "crisis", "urgency", "hostility", "toxicity", "intent", "topics",
    "entities", "places", "cluster", "card",
)  # fmt: skip
_MOST = 1_000_000


def partial_analysis(node: Node, findings: Findings) -> Analysis:
    """Return the analysis a test wrote; what it left out is French, neutral, calm, alone.

    A label alone stands for a certain one (score 1, -1 or 0), a score alone gives the likelier
    label: urgent from 0.5 on, negative below 0, positive above.
    """
    reader = Reader(node, findings, _KEYS)
    crisis = _inner(reader, "crisis", ("score",))
    toxicity = _inner(reader, "toxicity", ("score",))
    return Analysis(
        lang=reader.text("lang", "fr"),
        sentiment=_sentiment(_inner(reader, "sentiment", ("label", "score", "probabilities"))),
        crisis=_or(_number(crisis, "score", 0.0), 0.0),
        urgency=_urgency(_inner(reader, "urgency", ("label", "score"))),
        hostility=_hostility(_inner(reader, "hostility", ("label", "score", "target"))),
        toxicity=_or(_number(toxicity, "score", 0.0), 0.0),
        intent=_intent(_inner(reader, "intent", ("label", "score"))),
        topics=tuple(Topic(id=name, score=1.0) for name in _texts(reader, "topics")),
        places=tuple(_place(code) for code in _texts(reader, "places")),
        cluster=_cluster(reader),
        card=_card(reader),
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
    inner = _inner(reader, "probabilities", FEELINGS)
    given: dict[str, float] = {label: _or(_number(inner, label, 0.0), 0.0) for label in FEELINGS}
    score = _number(reader, "score", -1.0)
    if score is None and inner.fields:
        score = round(given[SentimentLabel.POSITIVE] - given[SentimentLabel.NEGATIVE], 4)
    if reader.has("label"):
        label = SentimentLabel(reader.choice("label", tuple(SentimentLabel)))
    elif inner.fields:
        label = max(FEELINGS, key=lambda name: given[name])
    else:
        label = _likely(_or(score, 0.0))
    if not inner.fields:
        given = {name: float(name is label) for name in FEELINGS}
    return Sentiment(label=label, score=_or(score, _SIGNS[label]), probabilities=given)


def _likely(score: float) -> SentimentLabel:
    if score == 0:
        return SentimentLabel.NEUTRAL
    return SentimentLabel.POSITIVE if score > 0 else SentimentLabel.NEGATIVE


def _hostility(reader: Reader) -> Hostility:
    score = _number(reader, "score", 0.0)
    label = HostilityLabel(reader.choice("label", tuple(HostilityLabel), HostilityLabel.NONE))
    is_calm = label in {HostilityLabel.NONE, HostilityLabel.UNDECIDED}
    target = Target(reader.choice("target", tuple(Target))) if reader.has("target") else None
    return Hostility(label=label, score=_or(score, float(not is_calm)), target=target)


def _intent(reader: Reader) -> Intent:
    score = _number(reader, "score", 0.0)
    label = IntentLabel(reader.choice("label", tuple(IntentLabel), IntentLabel.INFORMATION))
    return Intent(label=label, score=_or(score, float(label is not IntentLabel.UNDECIDED)))


def _texts(reader: Reader, name: str) -> list[str]:
    nodes = reader.items(name)
    found = [node.text for node in nodes if isinstance(node, Scalar) and node.text]
    if len(found) < len(nodes):
        reader.wrong(name, "expected a list of words")
    return found


def _place(code: str) -> Place:
    return Place(name=code, insee=code, score=1.0, start=0, end=len(code))


def _cluster(reader: Reader) -> Cluster | None:
    if not reader.has("cluster"):
        return None
    inner = _inner(reader, "cluster", ("id", "size", "wordings", "authors", "is_claim"))
    if not inner.text("id"):
        inner.wrong("id", "missing: name it, so that mentions of one cluster have the same")
    return Cluster(
        id=inner.text("id"),
        size=inner.integer("size", 1, 1, _MOST),
        wordings=inner.integer("wordings", 1, 1, _MOST),
        authors=inner.integer("authors", 1, 0, _MOST),
        is_claim=inner.truth("is_claim", default=False),
    )


def _card(reader: Reader) -> Card | None:
    if not reader.has("card"):
        return None
    inner = _inner(reader, "card", ("hazard", "need"))
    hazard = Hazard(inner.choice("hazard", tuple(Hazard))) if inner.has("hazard") else None
    need = Need(inner.choice("need", tuple(Need))) if inner.has("need") else None
    return Card(
        hazard=None if hazard is None else Slot(value=hazard, spans=()),
        places=(),
        people=None,
        vulnerable=(),
        need=None if need is None else Slot(value=need, spans=()),
        time=None,
        has_media=False,
    )


def _entity(node: Node, findings: Findings) -> Entity:
    reader = Reader(node, findings, ("label", "text"))
    text = reader.text("text")
    if not text:
        reader.wrong("text", "missing: the name that was found")
    label = reader.choice("label", ENTITY_LABELS)
    return Entity(label=label, text=text, start=0, end=len(text))


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
