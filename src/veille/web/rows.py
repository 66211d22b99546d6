"""A queue item as a row: what is said, who has it, its clock, and why it stands there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from veille.domain.ids import short_id
from veille.domain.incident import QueueItem, QueueState
from veille.domain.priority import Ground, Pace, Term
from veille.domain.promise import ASKING
from veille.domain.record import StoredMention
from veille.store.ranking import Ranked
from veille.web.words import UNDECIDED, Words
from veille.wording import format as wording

_SHAPES = {Pace.ON_TIME: "○", Pace.SOON: "◐", Pace.OVERDUE: "●"}
_TOPICS = 2  # of a row: the main one, and what else it is about


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The nearest clock of an item, in words and a shape."""

    pace: str
    shape: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One queue item with its mention, None once erased; `path` leads to its page.

    `is_here`: it still is in the list in which it stands.
    `again` says that its author wrote again since we had put it away, "" otherwise.
    """

    item: QueueItem
    mention: StoredMention | None
    id: str
    path: str
    is_here: bool
    about: Sequence[str]
    due: Due | None
    age: str
    state: str
    again: str
    points: int
    terms: Sequence[str]


def row(
    ranked: Ranked,
    mention: StoredMention | None,
    words: Words,
    *,
    path: str,
    is_here: bool = True,
    wrote_again: bool = False,
) -> Row:
    """Return an item as a row of the queue, or of any other list."""
    item = ranked.item
    return Row(
        item=item,
        mention=mention,
        id=short_id("Q", item.id),
        path=path,
        is_here=is_here,
        about=about(item, mention, words),
        due=due(ranked, mention, words),
        age=words.age(item.created_at),
        state=state(item, words),
        again=again(words) if wrote_again else "",
        points=ranked.priority.points,
        terms=terms(ranked, mention, words),
    )


def about(item: QueueItem, mention: StoredMention | None, words: Words) -> list[str]:
    """Return what one line says of a mention: number, source, intent and topics, tone."""
    said = [short_id("Q", item.id)]
    if mention is not None:
        subject = ", ".join(_subject(mention, words))
        said += [words.source(mention.source), subject, words.tone(mention)]
    return [part for part in said if part]


def _subject(mention: StoredMention, words: Words) -> list[str]:
    found = mention.analysis
    if found is None:
        return []
    topic, wanted = mention.corrections.get("topic"), intent(mention)
    names = [topic.value] if topic else [each.id for each in found.topics[:_TOPICS]]
    subject = [] if wanted == UNDECIDED else [words.label("intent", wanted)]
    return subject + [words.label("topic", name) for name in names]


def intent(mention: StoredMention) -> str:
    """Return what its author wants, as a person said, else the machine; "" before analysis."""
    if (judged := mention.corrections.get("intent")) is not None:
        return judged.value
    return "" if mention.analysis is None else mention.analysis.intent.label.value


def state(item: QueueItem, words: Words) -> str:
    """Return the state of an item, with what it waits for, who has it and until when it sleeps."""
    say, said = words.say, [words.state(item.state)]
    if item.snoozed_until is not None and item.snoozed_until > words.now:
        said.append(say("views.snoozed", until=words.until(item.snoozed_until)))
    if item.waiting_for:
        said.append(say("views.waiting_for", whom=wording.visible(item.waiting_for)))
    if item.assignee or item.state is not QueueState.NEW:  # what is new is nobody's
        said.append(item.assignee or say("views.nobody"))
    return " · ".join(said)


def again(words: Words) -> str:
    """Return that its author wrote again."""
    return words.say("views.wrote_again")


def due(ranked: Ranked, mention: StoredMention | None, words: Words) -> Due | None:
    """Return how the nearest clock of an item stands, None where none runs."""
    pace = ranked.pace
    if ranked.due_at is None or pace is Pace.NONE:
        return None
    asks = mention is not None and intent(mention) in ASKING
    said = words.say(
        f"views.due.{pace.value}",
        verb=words.say(f"views.due.{'answer' if asks else 'handle'}"),
        time=words.moment(ranked.due_at),
        age=words.wait(ranked.due_at),
    )
    return Due(pace=pace.value, shape=_SHAPES[pace], said=said)


def terms(ranked: Ranked, mention: StoredMention | None, words: Words) -> list[str]:
    """Return the terms of a priority, each with its points and its fact."""
    clock = due(ranked, mention, words)
    return [
        words.say(
            "views.term.line",
            name=words.say(f"views.term.{term.ground.value}"),
            fact=_fact(term, clock, words),
            points=words.say.count("views.term.points", term.points),
        )
        for term in ranked.priority.terms
    ]


def _fact(term: Term, clock: Due | None, words: Words) -> str:
    say = words.say
    if term.ground is Ground.SEVERITY:
        return say(f"web.severity.{term.fact}").lower()
    if term.ground is Ground.CLOCK:
        return clock.said if clock else say("views.term.no_clock")
    if term.ground is Ground.URGENCY:
        return wording.percent(say, float(term.fact))
    people = float(term.fact)
    return say.count("views.term.followers", people, count=wording.number(say, people))
