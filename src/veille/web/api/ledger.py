"""What is owed: the ledger of questions and requests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from veille.domain.ids import short_id
from veille.domain.ledger import Entry, Why
from veille.domain.obligation import Clock
from veille.store import ledger
from veille.store.codec import micros, moment
from veille.web.api.operation import Answer, Call, Page, Paged
from veille.web.api.shapes import Shape, shaped


class Owed(Shape, frozen=True, kw_only=True):
    """A question or request: since when it waits, and why; or what was decided of it."""

    mention: str
    source: str
    intent: str
    asked_at: datetime
    due_at: datetime | None
    age_s: float
    why: Why | None
    item: str | None
    assignee: str | None
    repeats: int
    clocks: tuple[Clock, ...]
    outcome: str | None
    actor: str | None
    decided_at: datetime | None
    reason: str | None


class Decided(Paged, frozen=True, kw_only=True):
    """Since how many days."""

    days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 7


async def unanswered(call: Call[Paged, None]) -> Answer[Page[Owed]]:
    """Every question and request without a human answer, the oldest first."""
    limit, after = call.query.limit, call.after()
    place = None if after is None else (moment(int(after[0])), str(after[1]))
    found = await call.site.store.read(
        lambda db: ledger.unanswered(db, limit=limit + 1, after=place)
    )
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    more = call.next([micros(last.asked_at), last.mention]) if last else None
    return Answer(value=Page(items=[_owed(call, each) for each in shown], next=more))


async def decided(call: Call[Decided, None]) -> Answer[Page[Owed]]:
    """Questions and requests that were answered or decided, the latest first."""
    limit, after = call.query.limit, call.after()
    place = None if after is None else (moment(int(after[0])), str(after[1]))
    since = call.now - timedelta(days=call.query.days)
    found = await call.site.store.read(
        lambda db: ledger.decided(db, since=since, limit=limit + 1, before=place)
    )
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    at = last.decided_at if last else None
    more = call.next([micros(at), last.mention]) if last and at else None
    return Answer(value=Page(items=[_owed(call, each) for each in shown], next=more))


def _owed(call: Call[Paged, None] | Call[Decided, None], entry: Entry) -> Owed:
    promises, now = call.site.promises, max(call.minute, entry.decided_at or entry.asked_at)
    is_open = entry.decided_at is None
    return shaped(
        Owed,
        entry,
        age_s=entry.age(promises, now).total_seconds(),
        why=entry.why(promises, call.now) if is_open else None,
        item=None if entry.item is None else short_id("Q", entry.item),
    )
