"""`/incidents/{id}`: why it fired, what was said, who did what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from veille.domain.ids import short_id
from veille.domain.incident import Event
from veille.store import incidents, timeline, users
from veille.store.engine import Db
from veille.web.cards import Found, card, find
from veille.web.site import done_of, render_watched, site_of, words_of
from veille.web.words import number_of

_MESSAGES = 20
_COUNTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    found: Found
    count: int
    events: list[Event]
    people: list[str]


def _load(db: Db, number: int) -> _Loaded | None:
    incident = incidents.get(db, number)
    if incident is None:
        return None
    return _Loaded(
        found=find(db, incident, limit=_MESSAGES),
        count=len(incidents.evidence(db, number, _COUNTED)),
        events=timeline.of(db, short_id("I", number)),
        people=[user.name for user in users.list_(db) if user.disabled_at is None],
    )


async def show(
    request: web.Request, *, problem: str | None = None, status: int = 200
) -> web.Response:
    """Return the incident's page, with what stood in the way of an action."""
    number = number_of(request.match_info["id"], "I")
    if number is None:
        raise web.HTTPNotFound
    loaded = await site_of(request).store.read(lambda db: _load(db, number))
    if loaded is None:
        raise web.HTTPNotFound
    words = words_of(request)
    shown = card(loaded.found, words)
    marks = [shown.mark, f"E.{loaded.count}"]
    marks += [f"T{n}.1" for n in range(max(0, len(loaded.events) - 100), len(loaded.events))]
    return render_watched(
        request,
        "incident.html",
        marks=marks,
        status=status,
        card=shown,
        base=f"/incidents/{number}",
        problem=problem,
        done=done_of(request, shown.id),
        reasons=[words.why(alert) for alert in loaded.found.alerts],
        quotes=loaded.found.mentions,
        more=loaded.count - len(loaded.found.mentions),
        lines=[words.line(event) for event in loaded.events],
        told=[words.told(e) for e in loaded.events if e.kind.startswith("notification.")],
        people=loaded.people,
    )


async def page(request: web.Request) -> web.Response:
    """The incident's page."""
    return await show(request)
