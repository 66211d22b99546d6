"""An analysis as every command prints it: exact JSON, or one readable line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from veille.domain.analysis import Analysis
from veille.domain.card import Card, Slot, Span
from veille.domain.explanation import Explanation
from veille.wording.format import visible

Json = dict[str, Any]  # Any: the shape of the JSON printed


def analysis_json(found: Analysis) -> Json:
    """Return an analysis with scores of four decimals."""
    return {
        "lang": found.lang,
        "sentiment": {
            "label": found.sentiment.label,
            "score": _score(found.sentiment.score),
            "probabilities": {k: _score(v) for k, v in found.sentiment.probabilities.items()},
        },
        "crisis": {"score": _score(found.crisis)},
        "urgency": {"label": found.urgency.label, "score": _score(found.urgency.score)},
        "hostility": {
            "label": found.hostility.label,
            "score": _score(found.hostility.score),
            "target": found.hostility.target,
        },
        "toxicity": {"score": _score(found.toxicity)},
        "intent": {"label": found.intent.label, "score": _score(found.intent.score)},
        "topics": [{"id": topic.id, "score": _score(topic.score)} for topic in found.topics],
        "entities": [
            {"label": e.label, "text": e.text, "start": e.start, "end": e.end}
            for e in found.entities
        ],
        "places": [
            {
                "name": place.name,
                "insee": place.insee,
                "score": _score(place.score),
                "start": place.start,
                "end": place.end,
            }
            for place in found.places
        ],
        "cluster": found.cluster,
        "card": None if found.card is None else card_json(found.card),
        "analyzers": dict(found.analyzers),
    }


def card_json(card: Card) -> Json:
    """Return what each slot says; `evidence` has the words it was read from, by slot."""
    slots: Mapping[str, Sequence[Slot[Any]]] = {  # Any: whatever a slot holds
        "hazard": _filled(card.hazard),
        "people": _filled(card.people),
        "vulnerable": card.vulnerable,
        "need": _filled(card.need),
        "time": _filled(card.time),
    }
    return {
        "hazard": card.hazard and card.hazard.value,
        "places": card.places,
        "people": card.people and card.people.value,
        "vulnerable": [slot.value for slot in card.vulnerable],
        "need": card.need and card.need.value,
        "time": card.time and {"text": _text(card.time.spans), "at": card.time.value},
        "has_media": card.has_media,
        "verification": card.verification,
        "evidence": {
            name: [span for slot in filled for span in slot.spans]
            for name, filled in slots.items()
            if filled
        },
    }


def spans_json(found: Sequence[Explanation]) -> Json:
    """Return by head the words that carried its label, the weightiest first."""
    return {
        one.head: [
            {"start": s.start, "end": s.end, "text": s.text, "weight": _score(s.weight)}
            for s in one.spans
        ]
        for one in found
    }


def analysis_line(found: Analysis) -> str:
    """Return an analysis as columns; what is not there is a hyphen, what acts unseen is shown."""
    hostility, target = found.hostility, found.hostility.target
    columns = [
        found.lang,
        f"{found.sentiment.label} {found.sentiment.score:+.2f}",
        f"crisis {found.crisis:.2f}",
        f"{found.urgency.label} {found.urgency.score:.2f}",
        f"hostility {hostility.label} {hostility.score:.2f}{f' ({target})' if target else ''}",
        f"toxicity {found.toxicity:.2f}",
        f"intent {found.intent.label} {found.intent.score:.2f}",
        _listed(f"{topic.id} {topic.score:.2f}" for topic in found.topics),
        _listed(entity.text for entity in found.entities),
        _listed(f"{place.name} {place.insee or '?'}" for place in found.places),
    ]
    if found.cluster is not None and found.cluster.size > 1:
        claim = ", claim" if found.cluster.is_claim else ""
        columns.append(f"like {found.cluster.id} ({found.cluster.size}{claim})")
    if found.card is not None:
        columns.append(f"card: {_listed(_card_words(found.card))}")
    return "\t".join(visible(" ".join(column.split())) for column in columns)


def spans_line(found: Sequence[Explanation]) -> str:
    """Return `urgency: coincés, au secours; intent: …`, without heads that no word tells."""
    heads = [f"{one.head}: {_listed(s.text for s in one.spans)}" for one in found if one.spans]
    return visible(" ".join("; ".join(heads).split())) or "-"


def _card_words(card: Card) -> Iterator[str]:
    if card.hazard is not None:
        yield card.hazard.value
    yield from (place.text for place in card.places)
    if card.people is not None:
        about = "about " if card.people.value.is_approximate else ""
        yield f"{about}{card.people.value.number} people"
    yield from (slot.value for slot in card.vulnerable)
    if card.need is not None:
        yield f"needs {card.need.value}"
    if card.time is not None:
        yield _text(card.time.spans)
    yield card.verification


def _filled(slot: Slot[Any] | None) -> Sequence[Slot[Any]]:  # Any: whatever a slot holds
    return () if slot is None else (slot,)


def _text(spans: Sequence[Span]) -> str:
    return " ".join(span.text for span in spans)


def _listed(parts: Iterator[str]) -> str:
    return ", ".join(parts) or "-"


def _score(value: float) -> float:
    return round(value, 4)
