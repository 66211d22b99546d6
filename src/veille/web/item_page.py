"""`/queue/{id}`: one flagged mention, what the analysis says of it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from veille.domain.correction import CHOICES, machine_labels, model_of, reading_of
from veille.domain.ids import short_id
from veille.domain.incident import Event, QueueItem, QueueState
from veille.domain.record import StoredMention
from veille.store import mentions, queue, timeline, users
from veille.store.engine import Db
from veille.web import why
from veille.web.login import safe_next
from veille.web.site import done_of, form_of, render, render_watched, site_of, visitor_of, words_of
from veille.web.text import safe_link
from veille.web.words import Words, number_of
from veille.wording.format import visible

MOVES = (
    QueueState.WAITING,
    QueueState.ANSWERED,
    QueueState.CLOSED,
    QueueState.REPORTED,
    QueueState.OUT_OF_SCOPE,
)
"""The states a person may choose; `taken` has its own button."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    item: QueueItem
    mention: StoredMention | None
    events: list[Event]
    people: list[str]


def _load(db: Db, number: int) -> _Loaded | None:
    item = queue.get(db, number)
    if item is None:
        return None
    return _Loaded(
        item=item,
        mention=mentions.stored(db, [item.mention]).get(item.mention),
        events=timeline.of(db, short_id("Q", number)),
        people=[user.name for user in users.list_(db) if user.disabled_at is None],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One head as a form asks about it: what a person said ("" nothing) and what the machine did.

    `machine` is "" where it was undecided: there is nothing to confirm.
    """

    head: str
    name: str
    choices: tuple[tuple[str, str], ...]
    judged: str
    machine: str


async def show(
    request: web.Request,
    *,
    problem: str | None = None,
    status: int = 200,
    asks_why: bool = False,
    rule: str | None = None,
) -> web.Response:
    """Return the queue item's page, with what stood in the way of an action.

    `asks_why`: with the words that carried each label; `rule`: with what became of the mention
    under it. Both take seconds; a HEAD needs none.
    """
    number = number_of(request.match_info["id"], "Q")
    if number is None:
        raise web.HTTPNotFound
    loaded = await site_of(request).store.read(lambda db: _load(db, number))
    if loaded is None:
        raise web.HTTPNotFound
    answer = None
    if asks_why and request.method != "HEAD":
        answer, loaded = await _explained(request, number, loaded)
    words, item, mention = words_of(request), loaded.item, loaded.mention
    is_asked = rule is not None and request.method != "HEAD"
    became = await why.why_not(request, item.mention, rule or "") if is_asked else []
    asker = site_of(request).asker
    name = short_id("Q", item.id)
    return render_watched(
        request,
        "item.html",
        marks=[f"{name}.{item.version}", f"T.{len(loaded.events)}"],
        status=status,
        item=item,
        id=name,
        mention=mention,
        base=f"/queue/{number}",
        problem=problem,
        done=done_of(request, name),
        may_open=visitor_of(request).may("act") and mention is not None and mention.has_original,
        link=safe_link(mention.url) if mention else None,
        gone=words.gone(mention, loaded.events),
        lines=[words.line(event) for event in loaded.events],
        moves=MOVES,
        people=loaded.people,
        questions=questions(mention, words),
        may_ask_why=why.may_ask(request, mention),
        answer=answer,
        rules=[] if asker is None else asker.rules(),
        asked_rule=rule or "",
        became=became,
        reading=_reading(mention),
    )


async def _explained(
    request: web.Request, number: int, loaded: _Loaded
) -> tuple[why.Answer, _Loaded]:
    """Return the answer, and the item as it is after those seconds."""
    answer = await why.answer(request, loaded.mention)
    now = await site_of(request).store.read(lambda db: _load(db, number))
    if now is None:
        raise web.HTTPNotFound
    is_same = _reading(now.mention) == _reading(loaded.mention)
    return (answer if is_same else why.Answer(problem="changed")), now


def _reading(mention: StoredMention | None) -> str:
    """Return the mark of the text and analysis on the page, "" where there is none to judge."""
    if mention is None or mention.analysis is None or mention.is_deleted:
        return ""
    return reading_of(mention.version, mention.analysis)


def questions(mention: StoredMention | None, words: Words) -> list[Question]:
    """Return what may be corrected of an analysis: nothing before it is made, no head it lacks."""
    if mention is None or mention.analysis is None or mention.is_deleted:
        return []
    said = machine_labels(mention.analysis)
    found = []
    for head, choices in CHOICES.items():
        judged = mention.corrections.get(head)
        machine = said.get(head, "")
        values = tuple(words.topics) if head == "topic" else choices
        if values and (judged or model_of(mention.analysis, head)):
            found.append(
                Question(
                    head=head,
                    name=words.say(f"web.head.{head}"),
                    choices=tuple((value, words.label(head, value)) for value in values),
                    judged=judged.value if judged else "",
                    machine=machine if machine in values else "",
                )
            )
    return found


async def page(request: web.Request) -> web.Response:
    """The queue item's page."""
    return await show(request)


async def page_with_reasons(request: web.Request) -> web.Response:
    """The queue item's page, with the words that carried each label."""
    return await show(request, asks_why=True)


async def page_with_rule(request: web.Request) -> web.Response:
    """The queue item's page, with what became of the mention under one rule."""
    return await show(request, rule=request.query.get("rule", ""))


async def original(request: web.Request) -> web.Response:
    """The unmasked text of a mention, once; the opening is in the audit log before it is shown."""
    form = await form_of(request)
    text = await site_of(request).originals.open(
        request.match_info["key"], actor=visitor_of(request).name
    )
    shown = None if text is None else visible(text)
    back = safe_next(form.get("back", "/"))
    return render(request, "original.html", text=shown, back=back)
