"""The emergency card: what an urgent text says of hazard, place, people, need and time.

It says nothing that the text does not: an empty slot is None, and each filled one shows its words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from veille.domain.card import Card, Count, Hazard, Need, Slot, Span, Vulnerable
from veille.nlp.cues import (
    BRIDGES,
    DENIALS,
    FIGURES,
    HAZARDS,
    NEEDS,
    OVER,
    PAST,
    UNREAL,
    VULNERABLE,
)
from veille.nlp.people import people
from veille.nlp.phrases import Hit, Phrases, Word, covered, words_of
from veille.nlp.prepare import TEXT_LIMIT
from veille.nlp.said import Said, said_time, years_past


class Spanned(Protocol):
    """What has a place in the text: an address, an entity, a commune."""

    @property
    def start(self) -> int:
        """The first code point."""

    @property
    def end(self) -> int:
        """The code point after the last."""


_HAZARDS = Phrases(HAZARDS)
_NEEDS = Phrases(NEEDS)
_VULNERABLE = Phrases(VULNERABLE)
_FIGURES = Phrases({"figure": FIGURES})
_UNREAL = Phrases({"unreal": UNREAL})
_PAST = Phrases({"past": PAST})
_OVER = Phrases({"over": OVER})


def card(
    text: str,
    *,
    addresses: Sequence[Spanned],
    places: Sequence[Spanned],
    media: bool,
    at: datetime | None,
) -> Card:
    """Return the card of the text's first 2,000 characters.

    `addresses` come before `places` where both claim the same words. `at` is when it was written,
    aware, in the zone in which its clock times are meant; where it is None no time said is given
    as a moment. Raises InputError on a naive `at`.
    """
    read = text[:TEXT_LIMIT]
    words = words_of(read)
    named = _places(read, addresses, places)
    hushed = _hushed(words, at=at) | _inside(words, named)
    dead = _denied_or_over(words, hushed)
    return Card(
        hazard=_first(read, words, dead.alive(_HAZARDS), Hazard),
        places=named,
        people=_people(read, words, hushed),
        vulnerable=_vulnerable(read, words, dead),
        need=_first(read, words, dead.alive(_NEEDS), Need) or _question(read, words),
        time=_time(read, said_time(read, at=at)),
        has_media=media,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A text with the words that say nothing of now, and the place up to which all is over."""

    words: Sequence[Word]
    hushed: frozenset[int]
    over: int

    def alive(self, phrases: Phrases) -> list[Hit]:
        """Return the hits that are neither denied nor over."""
        return [
            hit
            for hit in phrases.find(self.words, masked=self.hushed)
            if hit.first >= self.over and not is_denied(self.words, hit.first)
        ]


def is_denied(words: Sequence[Word], first: int) -> bool:
    """Whether « pas de », « aucun » or their like deny the word at `first`."""
    here = first - 1
    while here >= 0 and words[here].clause == words[first].clause:
        if words[here].word in DENIALS and not _is_somebody(words, here):
            return True
        if words[here].word not in BRIDGES:
            return False
        here -= 1
    return False


def _is_somebody(words: Sequence[Word], at: int) -> bool:
    """« une personne à terre » is somebody, « personne n'est blessé » nobody."""
    return words[at].word == "personne" and at > 0 and words[at - 1].word in _ARTICLES


_ARTICLES = frozenset("une la cette chaque autre 1 quelque seule".split())


def _hushed(words: Sequence[Word], *, at: datetime | None) -> frozenset[int]:
    """Return the words of figures, of what is unreal, and of sentences about the past."""
    if _UNREAL.find(words):
        return frozenset(range(len(words)))
    gone = {words[hit.first].sentence for hit in _PAST.find(words)} | years_past(words, at=at)
    past = frozenset(place for place, word in enumerate(words) if word.sentence in gone)
    return past | covered(_FIGURES.find(words))


def _inside(words: Sequence[Word], spans: Sequence[Span]) -> frozenset[int]:
    """Return the words of the places: « rue du Four-Brûlé » is no fire."""
    return frozenset(
        place
        for place, word in enumerate(words)
        if any(span.start <= word.start < span.end for span in spans)
    )


def _denied_or_over(words: Sequence[Word], hushed: frozenset[int]) -> _Reading:
    ends = [
        hit.after
        for hit in _OVER.find(words)
        if not any(is_denied(words, edge) for edge in (hit.first, hit.after - 1))
    ]
    return _Reading(words=words, hushed=hushed, over=max(ends, default=0))


def _places(text: str, addresses: Sequence[Spanned], places: Sequence[Spanned]) -> tuple[Span, ...]:
    kept: list[Spanned] = []
    for place in (*addresses, *places):
        if place.start < place.end <= len(text) and not any(
            place.start < other.end and other.start < place.end for other in kept
        ):
            kept.append(place)
    return tuple(
        _span(text, place.start, place.end) for place in sorted(kept, key=lambda kind: kind.start)
    )


V = TypeVar("V", bound=StrEnum)


def _first(text: str, words: Sequence[Word], hits: Sequence[Hit], kinds: type[V]) -> Slot[V] | None:
    """Return the first of the kinds, in their order, that has a hit."""
    for kind in kinds:
        spans = _spans(text, words, [hit for hit in hits if hit.label == kind])
        if spans:
            return Slot(value=kind, spans=spans)
    return None


def _question(text: str, words: Sequence[Word]) -> Slot[Need] | None:
    """A question asks for information when nothing else is asked for."""
    at = text.find("?")
    if at < 0 or not words:
        return None
    return Slot(value=Need.INFORMATION, spans=(_span(text, at, at + 1),))


def _vulnerable(
    text: str, words: Sequence[Word], reading: _Reading
) -> tuple[Slot[Vulnerable], ...]:
    hits = reading.alive(_VULNERABLE) + _aged(words, reading)
    found = []
    for kind in Vulnerable:
        spans = _spans(text, words, [hit for hit in hits if hit.label == kind])
        if spans:
            found.append(Slot(value=kind, spans=spans))
    return tuple(found)


CHILD_UNDER = 15  # years: our choice, near the 15 years and 3 months of paediatric wards
ELDERLY_FROM = 75  # years: our choice, INSEE's oldest age group in most tables
OLDEST = 120


def _aged(words: Sequence[Word], reading: _Reading) -> list[Hit]:
    """Return « 6 ans » and « 82 ans » as what they say of a person; « depuis 6 ans » says none."""
    hits = []
    for place in range(1, len(words) - 1):
        before, years, unit = words[place - 1 : place + 2]
        is_age = unit.word == "ans" and years.word.isdecimal() and unit.clause == years.clause
        if not is_age or place in reading.hushed or before.word in _NOT_AGES:
            continue
        age = int(years.word[:4])
        if age < CHILD_UNDER or ELDERLY_FROM <= age <= OLDEST:
            kind = Vulnerable.CHILDREN if age < CHILD_UNDER else Vulnerable.ELDERLY
            hits.append(Hit(label=kind, first=place, after=place + 2))
    return hits


_NOT_AGES = frozenset(
    "depuis y tous les pendant en dans pour fait durant apres ya voila premiers".split()
)


def _people(text: str, words: Sequence[Word], hushed: frozenset[int]) -> Slot[Count] | None:
    found = people(words, hushed=hushed, is_denied=is_denied)
    if found is None:
        return None
    count, ranges = found
    return Slot(
        value=count,
        spans=tuple(_span(text, words[a].start, words[b - 1].end) for a, b in ranges),
    )


def _time(text: str, said: Said | None) -> Slot[datetime | None] | None:
    if said is None:
        return None
    return Slot(value=said.moment, spans=(_span(text, said.start, said.end),))


def _spans(text: str, words: Sequence[Word], hits: Sequence[Hit]) -> tuple[Span, ...]:
    return tuple(_span(text, words[hit.first].start, words[hit.after - 1].end) for hit in hits)


def _span(text: str, start: int, end: int) -> Span:
    return Span(text=text[start:end], start=start, end=end)
