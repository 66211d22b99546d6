"""What people do: each form is one action, then a page that may be reloaded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from veille.domain.correction import CHOICES, TAKEN_BACK
from veille.domain.errors import ConflictError, InputError, RereadError, TargetError
from veille.domain.ids import short_id
from veille.domain.incident import QueueState, Verdict
from veille.store import timeline, users
from veille.web import incident_page, item_page
from veille.web.silence_page import length_of
from veille.web.site import Site, form_of, see, site_of, visitor_of, words_of
from veille.web.words import number_of

_NOTE_LENGTH = 2000
_VERSION_DIGITS = 18
TAKE_BACK = "-"
"""In a form: the person's label is withdrawn; an empty field says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a form asks for; `version` is of the page it stood on."""

    site: Site
    target: str
    actor: str
    version: int | None
    fields: Mapping[str, str]

    def field(self, name: str) -> str:
        """Return a field, "" when it is missing."""
        return self.fields.get(name, "").strip()


Act = Callable[[Order], Awaitable[str | None]]
"""Does it; returns what was done where the verb does not say it."""


async def take(order: Order) -> None:
    """The target is taken by who asks."""
    await order.site.actions.acknowledge(order.target, actor=order.actor, version=order.version)


async def assign(order: Order) -> None:
    """The target is entrusted to an active user."""
    to = order.field("to")
    user = await order.site.store.read(lambda db: users.get(db, to))
    if user is None or user.disabled_at is not None:
        raise InputError(f"{order.target}: assign to a user that is not disabled")
    await order.site.actions.assign(
        order.target, to=user.name, actor=order.actor, version=order.version
    )


async def note(order: Order) -> None:
    """The note is in the timeline."""
    text = order.field("text")
    if not 0 < len(text) <= _NOTE_LENGTH:
        raise InputError(f"{order.target}: a note has 1 to {_NOTE_LENGTH} characters")
    await order.site.actions.note(order.target, text=text, actor=order.actor)


async def resolve(order: Order) -> None:
    """The incident is resolved."""
    await order.site.actions.resolve(order.target, actor=order.actor, version=order.version)


async def judge(order: Order) -> None:
    """The verdict stands; a false alarm is resolved."""
    verdict = order.field("verdict")
    if verdict not in set(Verdict):
        raise InputError(f"{order.target}: choose one of the verdicts shown")
    await order.site.actions.judge(
        order.target, verdict=Verdict(verdict), actor=order.actor, version=order.version
    )


async def silence(order: Order) -> None:
    """The incident and what comes after it about the same are not told for a while."""
    site = order.site
    reason = order.field("reason") or site.say("quiet.incident.default", id=order.target)
    lasting = length_of(order.field("lasting"), site.now(), site.timezone)
    await site.actions.silence(order.target, lasting=lasting, reason=reason, actor=order.actor)


async def move(order: Order) -> None:
    """The queue item is in the chosen state."""
    state = order.field("state")
    if state not in item_page.MOVES:
        raise InputError(f"{order.target}: choose one of the states shown")
    await order.site.actions.resolve(
        order.target, actor=order.actor, state=QueueState(state), version=order.version
    )


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
    "silence": silence,
}  # fmt: skip
ON_ITEM: dict[str, Act] = {
    "take": take, "assign": assign, "note": note, "move": move, "correct": correct,
}  # fmt: skip


async def on_incident(request: web.Request) -> web.Response:
    """The action is done on an incident, or its page says what stood in the way."""
    return await _run(request, "I", ON_INCIDENT, incident_page.show)


async def on_item(request: web.Request) -> web.Response:
    """The action is done on a queue item, or its page says what stood in the way."""
    return await _run(request, "Q", ON_ITEM, item_page.show)


class _Show(Protocol):
    async def __call__(
        self, request: web.Request, *, problem: str | None = None, status: int = 200
    ) -> web.Response: ...


async def _run(
    request: web.Request, letter: str, acts: Mapping[str, Act], show: _Show
) -> web.Response:
    number, verb = number_of(request.match_info["id"], letter), request.match_info["verb"]
    act = acts.get(verb)
    if number is None or act is None:
        raise web.HTTPNotFound
    order = await _order(request, short_id(letter, number))
    try:
        done = await act(order) or verb
    except RereadError:
        return await show(request, problem=order.site.say("web.conflict.reread"), status=409)
    except ConflictError:
        events = await order.site.store.read(lambda db: timeline.of(db, order.target))
        return await show(request, problem=words_of(request).conflict(events), status=409)
    except TargetError:
        return await show(request, problem=order.site.say("web.refused.target"), status=400)
    except InputError:
        key = f"web.refused.{verb}"
        known = key if key in order.site.say.messages else "web.refused.other"
        return await show(request, problem=order.site.say(known), status=400)
    folder = "incidents" if letter == "I" else "queue"
    return see(f"/{folder}/{number}?done={done}")


async def _order(request: web.Request, target: str) -> Order:
    fields = await form_of(request)
    version = fields.get("version", "")
    is_number = version.isascii() and version.isdigit() and len(version) <= _VERSION_DIGITS
    return Order(
        site=site_of(request),
        target=target,
        actor=visitor_of(request).name,
        version=int(version) if is_number else None,
        fields=fields,
    )
