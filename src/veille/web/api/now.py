"""What is happening now, and who else looks at what."""

from __future__ import annotations

from datetime import datetime

from veille.domain.alert import Severity
from veille.domain.incident import IncidentState
from veille.domain.queue_filter import QueueFilter
from veille.store import arrivals, calls, incidents, ledger, looks, mentions, ranking
from veille.store.arrivals import Day
from veille.store.engine import Db
from veille.web import presence
from veille.web.api.operation import Answer, Body, Call, Listed, Nothing
from veille.web.api.shapes import Shape
from veille.web.menu import MANY
from veille.web.presence import Present

_UNDER_WAY = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)


class Hour(Shape, frozen=True, kw_only=True):
    """The messages of an hour, by when they were written."""

    at: datetime
    count: int


class DayShape(Shape, frozen=True, kw_only=True):
    """The last 24 h, own messages left out; `before`: messages of the 24 h before them."""

    count: int
    before: int
    negative: int
    opened: dict[Severity, int]
    hours: list[Hour]


class Now(Shape, frozen=True, kw_only=True):
    """What the first page sums up; its incidents and its rows are lists of their own.

    `to_do` and `overdue` items are counted to 1,000. `unanswered` questions and requests, the
    oldest of which was asked at `oldest_at`. `unwell` are reasons why veille is not ready.
    """

    incidents: int
    to_do: int
    overdue: int
    unanswered: int
    oldest_at: datetime | None
    calls: int
    parked: int
    day: DayShape
    on_call: list[str]
    unwell: list[str]


class Here(Body, frozen=True, kw_only=True):
    """What one does there: looks, unless one writes, or has left."""

    is_writing: bool = False
    has_left: bool = False


async def now(call: Call[Nothing, None]) -> Answer[Now]:
    """What is happening: how many incidents and items there are, the last day, who is on call."""
    site = call.site
    on_call = await site.on_call() if site.on_call is not None else ()
    unwell = await site.health.why_not_ready()

    def load(db: Db) -> Now:
        return Now(
            incidents=incidents.count(db, states=_UNDER_WAY),
            to_do=ranking.count(db, QueueFilter(), now=call.now, limit=MANY),
            overdue=ranking.count(db, QueueFilter(is_overdue=True), now=call.now, limit=MANY),
            unanswered=ledger.count(db),
            oldest_at=next((each.asked_at for each in ledger.unanswered(db, limit=1)), None),
            calls=calls.count_for(db, call.actor),
            parked=mentions.parked_count(db),
            day=_day(arrivals.day(db, now=call.now)),
            on_call=list(on_call),
            unwell=list(unwell),
        )

    return Answer(value=await site.store.read(load))


async def look(call: Call[Nothing, None]) -> Answer[None]:
    """Who asks has seen it: notes call them to it no more, and what comes later is new to them."""
    target, name, at = call.parts["target"], call.actor, call.now

    def note(db: Db) -> None:
        looks.note(db, name, target, now=at)
        calls.seen(db, name, target, now=at)

    await call.site.store.write(note)
    return Answer(value=None)


async def present(call: Call[Nothing, None]) -> Answer[Listed[Present]]:
    """Who else has it before them, and who writes."""
    return Answer(value=Listed(items=presence.others(call.request, call.parts["target"])))


async def be(call: Call[Nothing, Here]) -> Answer[Listed[Present]]:
    """The others see that who asks is there, for 45 seconds; say it again every 20."""
    target = call.parts["target"]
    if call.body.has_left:
        presence.leave(call.request, target)
    else:
        presence.note(call.request, target, is_writing=call.body.is_writing)
    return Answer(value=Listed(items=presence.others(call.request, target)))


def _day(found: Day) -> DayShape:
    return DayShape(
        count=found.count,
        before=found.before,
        negative=found.negative,
        opened=dict(found.opened),
        hours=[Hour(at=at, count=count) for at, count in found.hours.items()],
    )
