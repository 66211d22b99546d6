"""`/incidents/{id}`: why it fired, what was said, who did what, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiohttp import web

from veille.domain.evidence import Example
from veille.domain.ids import short_id
from veille.domain.incident import Event, Verdict
from veille.store import examples, incidents, timeline, users, verdicts
from veille.store.engine import Db
from veille.web.cards import Found, card, find
from veille.web.reasons import reason, spans_of
from veille.web.silence_page import lengths
from veille.web.site import done_of, render_watched, site_of, words_of
from veille.web.words import number_of

_MESSAGES = 20
_COUNTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    found: Found
    count: int
    examples: Mapping[str, tuple[Example, ...]]
    events: list[Event]
    people: list[str]
    verdict: Verdict | None


def _load(db: Db, number: int) -> _Loaded | None:
    incident = incidents.get(db, number)
    if incident is None:
        return None
    found = find(db, incident, limit=_MESSAGES)
    return _Loaded(
        found=found,
        examples=examples.of(db, found.alerts),
        count=len(incidents.evidence(db, number, _COUNTED)),
        events=timeline.of(db, short_id("I", number)),
        people=[user.name for user in users.list_(db) if user.disabled_at is None],
        verdict=verdicts.of(db, number),
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
        reasons=[reason(alert, words) for alert in loaded.found.alerts],
        spans=spans_of(loaded.examples),
        quotes=loaded.found.mentions,
        more=loaded.count - len(loaded.found.mentions),
        lines=[words.line(event) for event in loaded.events],
        told=[words.told(event) for event in _first_told(loaded.events)],
        people=loaded.people,
        verdict=loaded.verdict,
        verdicts=list(Verdict),
        muted=words.muted(loaded.found.incident.muted),
        lengths=lengths(words),
    )


def _first_told(events: Iterable[Event]) -> list[Event]:
    """Return the first of each thing that happened with each receiver; the timeline has all."""
    first: dict[tuple[str, object], Event] = {}
    for event in events:
        if event.kind.startswith("notification."):
            first.setdefault((event.kind, event.data.get("receiver")), event)
    return list(first.values())


async def page(request: web.Request) -> web.Response:
    """The incident's page."""
    return await show(request)
