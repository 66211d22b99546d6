"""`/queue/{id}`: one flagged mention, what the analysis says of it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from veille.domain.ids import short_id
from veille.domain.incident import Event, QueueItem, QueueState
from veille.domain.record import StoredMention
from veille.store import mentions, queue, timeline, users
from veille.store.engine import Db
from veille.web.login import safe_next
from veille.web.site import done_of, form_of, render, render_watched, site_of, visitor_of, words_of
from veille.web.text import safe_link
from veille.web.words import number_of
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


async def show(
    request: web.Request, *, problem: str | None = None, status: int = 200
) -> web.Response:
    """Return the queue item's page, with what stood in the way of an action."""
    number = number_of(request.match_info["id"], "Q")
    if number is None:
        raise web.HTTPNotFound
    loaded = await site_of(request).store.read(lambda db: _load(db, number))
    if loaded is None:
        raise web.HTTPNotFound
    words, item, mention = words_of(request), loaded.item, loaded.mention
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
        may_open=visitor_of(request).may_act and mention is not None and mention.has_original,
        link=safe_link(mention.url) if mention else None,
        lines=[words.line(event) for event in loaded.events],
        moves=MOVES,
        people=loaded.people,
    )


async def page(request: web.Request) -> web.Response:
    """The queue item's page."""
    return await show(request)


async def original(request: web.Request) -> web.Response:
    """The unmasked text of a mention, once; the opening is in the audit log before it is shown."""
    form = await form_of(request)
    text = await site_of(request).originals.open(
        request.match_info["key"], actor=visitor_of(request).name
    )
    shown = None if text is None else visible(text)
    back = safe_next(form.get("back", "/"))
    return render(request, "original.html", text=shown, back=back)
