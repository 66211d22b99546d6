"""Read a text without its hidden controls, and say where in the text itself things stand."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from veille.domain.analysis import Analysis, Entity, Place
from veille.domain.card import Card, Slot, Span
from veille.domain.text import unseen

Located = TypeVar("Located", Entity, Place, Span)


def restored(found: Analysis, text: str) -> Analysis:
    """Return what was found in `seen(text)` with the offsets of `text`; words are verbatim."""
    gaps = unseen(text)
    if not gaps:
        return found
    places = _places(text, gaps)
    return replace(
        found,
        entities=tuple(_moved(one, text, places) for one in found.entities),
        places=tuple(_moved(one, text, places) for one in found.places),
        card=None if found.card is None else _card(found.card, text, places),
    )


def _places(text: str, gaps: list[tuple[int, int]]) -> list[int]:
    """Return where each code point of `seen(text)` stands in the text."""
    edges = [0, *(edge for gap in gaps for edge in gap), len(text)]
    return [at for i in range(0, len(edges), 2) for at in range(edges[i], edges[i + 1])]


def _moved(one: Located, text: str, places: list[int]) -> Located:
    start, end = places[one.start], places[one.end - 1] + 1
    if isinstance(one, Place):
        return replace(one, start=start, end=end)
    return replace(one, start=start, end=end, text=text[start:end])


def _card(card: Card, text: str, places: list[int]) -> Card:
    """Return the card with all its spans moved, whatever the slots it has."""

    def moved(value: Any) -> Any:  # Any: a slot of the card may be of any of these types
        if isinstance(value, Span):
            return _moved(value, text, places)
        if isinstance(value, tuple):
            return tuple(map(moved, value))
        if isinstance(value, Slot):
            return replace(value, spans=moved(value.spans))
        return value

    return replace(card, **{one.name: moved(getattr(card, one.name)) for one in fields(card)})
