"""The timeline of an incident or a queue item, page by page; and taking back what one did."""

from __future__ import annotations

from typing import Any

from veille.domain.incident import Event
from veille.store import deeds, timeline
from veille.store.engine import Db
from veille.web.api.operation import Answer, Call, Nothing, Page, Paged
from veille.web.api.problems import Kind, Refused
from veille.web.api.shapes import EventShape, Shape, shaped
from veille.web.site import words_of


class Undone(Shape, frozen=True, kw_only=True):
    """What is as it was before."""

    targets: list[str]


async def lines(call: Call[Paged, Any], target: str) -> Answer[Page[EventShape]]:
    """Return a page of what happened to `target`, the oldest first."""
    limit, after, words = call.query.limit, call.after(), words_of(call.request)

    def load(db: Db) -> list[tuple[int, Event]]:
        return timeline.page(db, target, limit=limit + 1, after=int(after[0]) if after else 0)

    found = await call.site.store.read(load)
    shown = found[:limit]
    return Answer(
        value=Page(
            items=[shaped(EventShape, event, said=words.line(event).text) for _, event in shown],
            next=call.next([shown[-1][0]]) if len(found) > limit else None,
        )
    )


async def undo(call: Call[Nothing, None]) -> Answer[Undone]:
    """All that one's own action changed is as before, within ten seconds of it."""
    number = int(call.parts["deed"])
    if await call.site.store.read(lambda db: deeds.get(db, number)) is None:
        raise Refused(Kind.MISSING)
    targets = await call.site.actions.undo(number, actor=call.actor)
    return Answer(value=Undone(targets=list(targets)))
