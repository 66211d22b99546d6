"""What narrows a search, as links with counts."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from veille.domain.search import Field, Search, without, write_filter
from veille.store.search import PERIODS, Counts
from veille.web.words import Words
from veille.wording import format as wording

_FACETS = (
    Field.STATE, Field.SOURCE, Field.TOPIC, Field.INTENT, Field.TONE, Field.URGENCY, Field.PLACE,
)  # fmt: skip
_HEADS = {Field.TONE: "sentiment", Field.INTENT: "intent", Field.TOPIC: "topic",
          Field.URGENCY: "urgency", Field.STATE: "state"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A search as an address has it; `wanted` is None before one, and where `problem` says why."""

    text: str
    by: str
    before: int | None
    wanted: Search | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A value that narrows the search, or, where it does already, widens it again."""

    label: str
    count: str
    path: str
    is_chosen: bool


def facets(counts: Counts, asked: Asked, words: Words) -> list[tuple[str, list[Choice]]]:
    """Return the names of what can be narrowed by, each with its choices; without any, none."""
    found = [
        (words.say(f"search.facet.{each.value}"), _choices(each, counts, asked, words))
        for each in _FACETS
    ]
    return [
        (name, choices) for name, choices in [*found, _periods(counts, asked, words)] if choices
    ]


def _choices(each: Field, counts: Counts, asked: Asked, words: Words) -> list[Choice]:
    chosen = _chosen(asked, each)
    return [
        Choice(
            label=_label(each, value, words),
            count=wording.number(words.say, count),
            path=_narrowed(asked, each, value)
            if value not in chosen
            else path_to(without(asked.text, each, value, topics=words.topics), asked.by),
            is_chosen=value in chosen,
        )
        for value, count in counts.values.get(each, ())
    ]


def _periods(counts: Counts, asked: Asked, words: Words) -> tuple[str, list[Choice]]:
    name = words.say("search.facet.period")
    if asked.wanted is None or asked.wanted.since is not None:
        return name, []
    found = []
    for period, length in PERIODS.items():
        if count := counts.periods.get(period, 0):
            day = (words.now - length).astimezone(words.timezone).date().isoformat()
            path = _narrowed(asked, Field.SINCE, day)
            label = words.say(f"search.period.{period}")
            written = wording.number(words.say, count)
            found.append(Choice(label=label, count=written, path=path, is_chosen=False))
    return name, found


def _chosen(asked: Asked, each: Field) -> set[str]:
    filters = asked.wanted.filters if asked.wanted else ()
    return {v for f in filters if f.field is each and not f.is_excluded for v in f.values}


def _narrowed(asked: Asked, each: Field, value: str) -> str:
    return path_to(f"{asked.text.strip()} {write_filter(each, value)}".strip(), asked.by)


def _label(each: Field, value: str, words: Words) -> str:
    if each is Field.SOURCE:
        return words.source(value)
    head = _HEADS.get(each)
    return wording.visible(value) if head is None else words.label(head, value)


def path_to(text: str, by: str) -> str:
    """Return the address of a search."""
    return f"/search?{urlencode({'q': text} | ({'by': by} if by != 'date' else {}))}"
