"""`/queue/{id}`: one flagged mention, the exchange it stands in, why it is here, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from veille.alerts.items import MOVES
from veille.domain.ids import short_id
from veille.domain.incident import Event, Incident, QueueItem, QueueState, Verdict
from veille.domain.obligation import Clock
from veille.domain.record import StoredMention
from veille.store import (
    examples,
    incidents,
    mentions,
    obligations,
    pulse,
    queue,
    ranking,
    timeline,
    users,
    verdicts,
)
from veille.store.engine import Db
from veille.store.ranking import Ranked
from veille.web import answers, called, neighbours, presence, rows, snooze, threads, undo, why
from veille.web.deeds import STATES
from veille.web.login import safe_next
from veille.web.marks import mark
from veille.web.neighbours import Neighbours
from veille.web.questions import questions, reading
from veille.web.site import done_of, form_of, render_watched, site_of, visitor_of, words_of
from veille.web.text import safe_link
from veille.web.threads import Exchange
from veille.web.words import Words, number_of
from veille.wording import clock
from veille.wording.format import visible


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    item: QueueItem
    mention: StoredMention | None
    events: list[Event]
    people: list[str]
    marks: Mapping[str, str]
    ranked: Ranked | None
    exchange: Exchange
    incidents: list[Incident]
    spans: Sequence[tuple[int, int]]
    verdict: Verdict | None
    clocks: tuple[Clock, ...]
    answers: answers.Loaded
    around: Neighbours | None
    undoing: undo.Offer | None
    wrote_again: bool


def _load(db: Db, request: web.Request, number: int) -> _Loaded | None:
    item = queue.get(db, number)
    if item is None:
        return None
    name, origin = short_id("Q", number), neighbours.origin_of(request)
    mention = mentions.stored(db, [item.mention]).get(item.mention)
    return _Loaded(
        item=item,
        mention=mention,
        events=timeline.of(db, name),
        people=[user.name for user in users.list_(db) if user.disabled_at is None],
        marks=pulse.marks(db, (name, "gone")),
        ranked=ranking.of_items(db, [number], now=words_of(request).now).get(number),
        exchange=threads.load(db, item.mention),
        incidents=incidents.of_mention(db, item.mention),
        spans=examples.spans(db, item.mention),
        verdict=verdicts.of_item(db, number),
        clocks=obligations.clocks(db, item.mention),
        answers=answers.load(db, item),
        around=neighbours.load(db, origin, number, now=words_of(request).now) if origin else None,
        undoing=undo.offered(request, db, back=f"/queue/{number}{neighbours.carried(request)}"),
        wrote_again=bool(timeline.wrote_again(db, [name])),
    )


async def show(
    request: web.Request,
    *,
    problem: str | None = None,
    status: int = 200,
    asks_why: bool = False,
    rule: str | None = None,
    kept: Mapping[str, str] | None = None,
) -> web.Response:
    """Return the queue item's page, with what stood in the way of an action.

    `asks_why`: with the words that carried each label; `rule`: with what became of the mention
    under it. Both take seconds; a page that reads itself again needs none. `kept` are the texts
    of a form that was refused.
    """
    number = number_of(request.match_info["id"], "Q")
    if number is None:
        raise web.HTTPNotFound
    loaded = await _read(request, number)
    answer = None
    if asks_why and called.is_person(request):
        answer, loaded = await _explained(request, number, loaded)
    words, item, mention = words_of(request), loaded.item, loaded.mention
    is_asked = rule is not None and called.is_person(request)
    became = await why.why_not(request, item.mention, rule or "") if is_asked else []
    asker = site_of(request).asker
    return render_watched(
        request,
        "item.html",
        marks=loaded.marks,
        base=f"/queue/{number}",
        fresh="",
        status=status,
        problem=problem or undo.refused(request),
        kept=kept or {},
        done=done_of(request, short_id("Q", number)) or undo.said(request),
        people=loaded.people,
        undoing=loaded.undoing,
        around=loaded.around,
        carried=neighbours.carried(request),
        verdict=loaded.verdict,
        verdicts=list(Verdict),
        answer=answer,
        rules={} if asker is None else asker.rules(),
        asked_rule=rule or "",
        became=became,
        may_ask_why=why.may_ask(request, mention),
        present=presence.said(request, short_id("Q", number)),
        **_mention(request, loaded, words),
        **_item(request, loaded, words),
    )


def _mention(request: web.Request, loaded: _Loaded, words: Words) -> dict[str, object]:
    """Return what the page says of the text."""
    mention = loaded.mention
    return {
        "mention": mention,
        "may_open": visitor_of(request).may("act") and bool(mention and mention.has_original),
        "link": safe_link(mention.url) if mention else None,
        "gone": words.gone(mention, loaded.events),
        "author": threads.author(mention, words) if mention else "",
        "spans": loaded.spans,
        "exchange": threads.said(loaded.exchange, loaded.item.mention, words),
        "is_cut": loaded.exchange.is_cut,
        "questions": questions(mention, words),
        "reading": reading(mention),
    }


def _item(request: web.Request, loaded: _Loaded, words: Words) -> dict[str, object]:
    """Return what the page says of the item, and what may be done with it."""
    item, ranked = loaded.item, loaded.ranked
    return {
        "item": item,
        "id": short_id("Q", item.id),
        "state": rows.state(item, words),
        "again": rows.again(words) if loaded.wrote_again else "",
        "due": rows.due(ranked, loaded.mention, words) if ranked else None,
        "clocks": _clocks(request, loaded, words),
        "terms": rows.terms(ranked, loaded.mention, words) if ranked else [],
        "points": ranked.priority.points if ranked else 0,
        "incidents": [
            (f"/incidents/{each.id}", short_id("I", each.id), visible(each.title))
            for each in loaded.incidents
        ],
        "lines": [words.line(event) for event in loaded.events],
        "moves": moves(item),
        "untils": snooze.named(words.now, words.timezone, words),
        **_answers(request, loaded),
    }


def _answers(request: web.Request, loaded: _Loaded) -> dict[str, object]:
    """Return the drafts of an answer, and what a new one begins with."""
    mention = loaded.mention
    source = mention.source if mention else ""
    kind = site_of(request).promises.kinds.get(source, source)
    names, template, text = answers.begun(request, loaded.answers, mention)
    return {
        "drafts": answers.cards(request, loaded.answers, loaded.item, kind),
        "templates": names,
        "begun_from": template,
        "begun": text,
        "shared": answers.shared(loaded.answers),
        "shared_mark": mark(loaded.answers.templates),
    }


def _clocks(request: web.Request, loaded: _Loaded, words: Words) -> list[str]:
    """Return each clock of the mention as a line: what for, used of what, until when."""
    mention = loaded.mention
    if mention is None or not loaded.clocks:
        return []
    promise = site_of(request).promises.of(mention.source, rows.intent(mention))
    return clock.clocks(words.say, loaded.clocks, promise, now=words.now, zone=str(words.timezone))


def moves(item: QueueItem) -> list[QueueState]:
    """Return the states a person may move an item to from where it is."""
    return [state for state in STATES if state in MOVES[item.state]]


async def _read(request: web.Request, number: int) -> _Loaded:
    """Return the item as it is now."""
    loaded = await site_of(request).store.read(lambda db: _load(db, request, number))
    if loaded is None:
        raise web.HTTPNotFound
    return loaded


async def _explained(
    request: web.Request, number: int, loaded: _Loaded
) -> tuple[why.Answer, _Loaded]:
    """Return the answer, and the item as it is after those seconds."""
    answer = await why.answer(request, loaded.mention)
    now = await _read(request, number)
    is_same = reading(now.mention) == reading(loaded.mention)
    return (answer if is_same else why.Answer(problem="changed")), now


async def page(request: web.Request) -> web.Response:
    """The queue item's page; who looks is not called to it any more."""
    answer = await show(request)
    await called.arrived(request, short_id("Q", number_of(request.match_info["id"], "Q") or 0))
    return answer


async def page_with_reasons(request: web.Request) -> web.Response:
    """The queue item's page, with the words that carried each label."""
    return await show(request, asks_why=True)


async def page_with_rule(request: web.Request) -> web.Response:
    """The queue item's page, with what became of the mention under one rule."""
    return await show(request, rule=request.query.get("rule", ""))


async def original(request: web.Request) -> web.Response:
    """The unmasked text of a mention, once; the opening is in the audit log before it is shown."""
    form = await form_of(request)
    site, key = site_of(request), request.match_info["key"]
    # the mark first: what is erased between the two is told to the page
    marks = await site.store.read(lambda db: pulse.marks(db, ("gone",)))
    text = await site.originals.open(key, actor=visitor_of(request).name)
    shown = None if text is None else visible(text)
    back = safe_next(form.get("back", "/"))
    return render_watched(request, "original.html", marks=marks, text=shown, key=key, back=back)
