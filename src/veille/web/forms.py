"""What people do: each form is one action, then a page that may be reloaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from veille.domain.access import Access
from veille.domain.correction import CHOICES, TAKEN_BACK
from veille.domain.deed import Done
from veille.domain.errors import ConflictError, InputError, ReasonError, RereadError, TargetError
from veille.domain.ids import parse_short_id, short_id
from veille.domain.incident import Verdict
from veille.store import timeline
from veille.web import (
    answer_forms,
    incident_page,
    item_page,
    neighbours,
    queue_page,
    reshape,
    undo,
)
from veille.web.deeds import active, deed_of
from veille.web.orders import Act, Order, order_of
from veille.web.silence_page import length_of
from veille.web.site import see, visitor_of, words_of
from veille.web.views import is_list
from veille.web.words import number_of

_NOTE_LENGTH = 2000
_CALL = "call."
_KEPT = ("text", "alt", "link", "reason", "waiting_for")
"""What a person wrote: it is in the form again when the action was refused."""
TAKE_BACK = "-"
"""In a form: the person's label is withdrawn; an empty field says nothing."""


async def take(order: Order) -> Done:
    """The target is taken by who asks."""
    return await order.site.actions.acknowledge(
        order.target, actor=order.actor, version=order.version
    )


async def assign(order: Order) -> Done:
    """The target is entrusted to an active user."""
    to = await active(order.site, order.field("to"))
    return await order.site.actions.assign(
        order.target, to=to, actor=order.actor, version=order.version
    )


async def note(order: Order) -> None:
    """The note is in the timeline; who is ticked is called by it as if `@name` stood there."""
    text = order.field("text")
    ticked = [name.removeprefix(_CALL) for name in order.fields if name.startswith(_CALL)]
    if called := [f"@{name}" for name in ticked if f"@{name}".casefold() not in text.casefold()]:
        text = f"{text} {' '.join(called)}"
    if not 0 < len(text) <= _NOTE_LENGTH:
        raise InputError(f"{order.target}: a note has 1 to {_NOTE_LENGTH} characters")
    await order.site.actions.note(order.target, text=text, actor=order.actor)


async def resolve(order: Order) -> Done:
    """The incident is resolved."""
    return await order.site.actions.resolve(order.target, actor=order.actor, version=order.version)


async def judge(order: Order) -> Done:
    """The verdict stands; a false alarm is resolved."""
    verdict = order.field("verdict")
    if verdict not in set(Verdict):
        raise InputError(f"{order.target}: choose one of the verdicts shown")
    return await order.site.actions.judge(
        order.target, verdict=Verdict(verdict), actor=order.actor, version=order.version
    )


async def silence(order: Order) -> None:
    """The incident and what comes after it about the same are not told for a while."""
    site = order.site
    reason = order.field("reason") or site.say("quiet.incident.default", id=order.target)
    lasting = length_of(order.field("lasting"), site.shown_now(), site.timezone)
    await site.actions.silence(order.target, lasting=lasting, reason=reason, actor=order.actor)


async def move(order: Order) -> Done:
    """The queue item is in the chosen state."""
    return await _do(order, order.field("state"))


async def _do(order: Order, verb: str) -> Done:
    site = order.site
    deed = deed_of(verb, order.fields, now=site.shown_now(), zone=site.timezone)
    return await site.actions.do(order.target, deed, actor=order.actor, version=order.version)


def doing(verb: str) -> Act:
    """Return what does this verb to a queue item; its form may say more: `deeds.deed_of`."""
    return lambda order: _do(order, verb)


async def correct(order: Order) -> str | None:
    """What the form says of the analysis stands; a head left at "no opinion" stays as it was.

    Return `withdrawn` when the form only takes back, `unchanged` when all stood already.
    """
    labels = {head: said for head in CHOICES if (said := order.field(head))}
    topic = labels.get("topic", TAKE_BACK)
    if not labels or (topic != TAKE_BACK and topic not in order.site.topics):
        raise InputError(f"{order.target}: choose from the lists shown")
    said_of = {head: TAKEN_BACK if said == TAKE_BACK else said for head, said in labels.items()}
    has_changed = await order.site.actions.correct(
        order.target,
        labels=said_of,
        actor=order.actor,
        version=order.version,
        reading=order.field("reading"),
    )
    if not has_changed:
        return "unchanged"
    return None if any(said_of.values()) else "withdrawn"


ON_INCIDENT: dict[str, Act] = {
    "take": take, "assign": assign, "note": note, "resolve": resolve, "judge": judge,
    "silence": silence, "reopen": reshape.reopen, **reshape.EDITS,
}  # fmt: skip
ON_ITEM: dict[str, Act] = {
    "take": take, "assign": assign, "note": note, "move": move, "correct": correct, "judge": judge,
    **{verb: doing(verb) for verb in ("release", "snooze", "unsnooze", "reopen")},
    **answer_forms.ACTS,
}  # fmt: skip


async def on_incident(request: web.Request) -> web.Response:
    """The action is done on an incident, or its page says what stood in the way."""
    if request.match_info["verb"] in reshape.EDITS and not visitor_of(request).may(Access.EDIT):
        raise web.HTTPForbidden
    return await _run(request, "I", ON_INCIDENT, incident_page.show)


async def on_item(request: web.Request) -> web.Response:
    """The action is done on a queue item, or its page says what stood in the way."""
    may_edit = visitor_of(request).may(Access.EDIT)
    if request.match_info["verb"] in answer_forms.EDITS and not may_edit:
        raise web.HTTPForbidden
    return await _run(request, "Q", ON_ITEM, item_page.show)


class _Show(Protocol):
    async def __call__(
        self,
        request: web.Request,
        *,
        problem: str | None = None,
        status: int = 200,
        kept: Mapping[str, str] | None = None,
    ) -> web.Response: ...


async def _run(
    request: web.Request, letter: str, acts: Mapping[str, Act], show: _Show
) -> web.Response:
    number, verb = number_of(request.match_info["id"], letter), request.match_info["verb"]
    act = acts.get(verb)
    if number is None or act is None:
        raise web.HTTPNotFound
    order = await order_of(request, short_id(letter, number))
    try:
        done = await act(order)
    except ConflictError as error:
        problem, status = await _conflict(request, order, error), 409
    except InputError as error:
        problem, status = _refusal(order, verb, error), 400
    else:
        return _done(request, order, verb, done)
    back = undo.safe_back(order.field("back"), "")
    if is_list(back):  # who works through a list stays there
        query = parse_qs(urlsplit(back).query)
        return await queue_page.show(request, query, problem=problem, status=status)
    return await show(request, problem=problem, status=status, kept=_kept(order, verb))


def _done(request: web.Request, order: Order, verb: str, done: str | Done | None) -> web.Response:
    """Return the way to the page the form stood on: it says what was done, at its row of a list."""
    letter, number = parse_short_id(order.target)
    path = f"/{'incidents' if letter == 'I' else 'queue'}/{number}"
    back = undo.safe_back(order.field("back"), path + neighbours.carried(request))
    row = f"#row-{number}" if is_list(back) else ""
    if isinstance(done, Done):
        return see(undo.after(back, done, done=_word(order, verb)) + row)
    return see(undo.after(back, Done(), done=done or verb) + row)


def _word(order: Order, verb: str) -> str:
    """Return what a page says was done: a verb it has a sentence for."""
    known = (f"{area}.done.{verb}" in order.site.say.messages for area in ("web", "views"))
    return verb if any(known) else "move"


async def _conflict(request: web.Request, order: Order, error: ConflictError) -> str:
    """Return what stood in the way: what changed, and by whom."""
    if isinstance(error, RereadError):
        return order.site.say("web.conflict.reread")
    events = await order.site.store.read(lambda db: timeline.of(db, order.target))
    words = words_of(request)
    said = words.conflict(events)
    by_people = [event for event in events if event.actor != "veille" and event.kind != "note"]
    if not by_people:
        return said
    return words.say("views.conflict", said=said, last=words.line(by_people[-1]).text)


def _refusal(order: Order, verb: str, error: InputError) -> str:
    say = order.site.say
    if isinstance(error, TargetError):
        return say("web.refused.target")
    if isinstance(error, ReasonError):
        return say("views.refused.reason")
    key = f"web.refused.{verb}"
    return say(key if key in say.messages else "web.refused.other")


def _kept(order: Order, verb: str) -> dict[str, str]:
    kept = {name: order.fields[name] for name in _KEPT if order.fields.get(name)}
    return {"verb": verb, "draft": order.field("draft")} | kept if kept else {}
