"""The emergency card in words: what the machine read in a text, for pages and messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from veille.domain.card import Card, Count, Slot, Span, Vulnerable
from veille.wording.catalogue import Catalogue
from veille.wording.format import clock, excerpt, number, one_line, visible

_PLACES = 3
_SPAN = 80
"""Code points of the text that a slot quotes."""


def card_words(say: Catalogue, card: Card, zone: str) -> dict[str, str]:
    """Return what each filled slot says, safe to show, in the order in which it is read.

    Keys: hazard, places, people, need, time, media; the catalogue has `card.label.<key>`.
    """
    words = {
        "hazard": "" if card.hazard is None else say(f"card.hazard.{card.hazard.value}"),
        "places": ", ".join(map(_quoted, card.places[:_PLACES])),
        "people": _people(say, card.people, card.vulnerable),
        "need": "" if card.need is None else say(f"card.need.{card.need.value}"),
        "time": _time(say, card.time, zone),
        "media": say("card.media") if card.has_media else "",
    }
    return {key: text for key, text in words.items() if text}


def _people(
    say: Catalogue, people: Slot[Count] | None, vulnerable: Iterable[Slot[Vulnerable]]
) -> str:
    who = ", ".join(say(f"card.vulnerable.{slot.value}") for slot in vulnerable)
    if people is None:
        return who
    count = people.value
    counted = say.count("card.people", count.number, shown=number(say, count.number))
    if count.is_approximate:
        counted = say("card.about", people=counted)
    return say("card.with", people=counted, who=who) if who else counted


def _time(say: Catalogue, time: Slot[datetime | None] | None, zone: str) -> str:
    if time is None:
        return ""
    quoted = " ".join(map(_quoted, time.spans))
    if time.value is None:
        return say("card.said", text=quoted)
    return say("card.moment", text=quoted, clock=clock(say, time.value, zone))


def _quoted(span: Span) -> str:
    return excerpt(visible(one_line(span.text)), _SPAN)
