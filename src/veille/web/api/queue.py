"""The queue: items in their order, what is done to one of them, and to many at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from veille.domain.alert import Severity
from veille.domain.analysis import IntentLabel, SentimentLabel
from veille.domain.deed import Change, Deed, Outcome, Refused, Seen, Verb
from veille.domain.ids import short_id
from veille.domain.incident import QueueState
from veille.domain.queue_filter import QueueFilter, parse_filter
from veille.store import examples, incidents, obligations, ranking, verdicts, views
from veille.store.engine import Db
from veille.store.ranking import parse_place
from veille.web import exports
from veille.web.api import problems, shapes
from veille.web.api.incidents import Called, Note
from veille.web.api.mentions import texts
from veille.web.api.operation import (
    LIMIT,
    QUERIES,
    Answer,
    Call,
    Cursor,
    Limit,
    Listed,
    Nothing,
    Page,
    Paged,
)
from veille.web.api.orders import Assign, Bulk, Chosen, Correct, Judge, Move, Short, Snooze
from veille.web.api.shapes import Did, EventShape, RankedItem, Shape, WholeItem
from veille.web.api.timelines import lines
from veille.web.deeds import active
from veille.web.item_page import moves
from veille.web.menu import MANY
from veille.web.views import named

Shorts = Annotated[tuple[Short, ...], msgspec.Meta(max_length=10)]  # an address has 8 kB


class Filter(Nothing, frozen=True, kw_only=True):
    """Which items, as the address of the page says it; nothing said: what is to do."""

    state: tuple[QueueState, ...] = ()
    assignee: Short | None = None
    severity: tuple[Severity, ...] = ()
    source: Shorts = ()
    topic: Shorts = ()
    intent: tuple[IntentLabel, ...] = ()
    tone: tuple[SentimentLabel, ...] = ()
    place: Shorts = ()
    snoozed: Literal["yes", "no", "all"] | None = None
    overdue: Literal["yes", "no"] | None = None


class Wanted(Filter, frozen=True, kw_only=True):
    """Which items, and how many after which."""

    limit: Limit = LIMIT
    after: Cursor | None = None


class Exported(Filter, frozen=True, kw_only=True):
    """Which items, and as what."""

    format: Literal["csv", "jsonl", "atom"] = "csv"


class BulkOutcome(Shape, frozen=True, kw_only=True):
    """What changes and what does not, and why; `undo` once it was done."""

    changes: list[Change]
    refused: list[Refused]
    undo: int | None
    until: datetime | None


class Tab(Shape, frozen=True, kw_only=True):
    """A view, its number where people keep it, and its items: over `count` where `has_more`."""

    name: str
    query: str
    view: int | None
    count: int
    has_more: bool


class Corrected(Shape, frozen=True, kw_only=True):
    """Whether that changed anything."""

    changed: bool


async def list_(call: Call[Wanted, None]) -> Answer[Page[RankedItem]]:
    """Items of the queue, the most pressing first; the order is that of the first page's moment."""
    where, limit, after = _where(call.query), call.query.limit, call.after()
    place = None if after is None else parse_place(str(after[0]))

    def load(db: Db) -> tuple[list[RankedItem], str | None]:
        found = ranking.ranked(db, where, now=call.now, limit=limit + 1, after=place)
        shown = found[:limit]
        said = {each.key: each for each in texts(db, [one.item.mention for one in shown])}
        items = [shapes.ranked(one, said.get(one.item.mention)) for one in shown]
        return items, str(shown[-1].place) if len(found) > limit else None

    items, last = await call.site.store.read(load)
    return Answer(value=Page(items=items, next=None if last is None else call.next([last])))


async def counts(call: Call[Nothing, None]) -> Answer[Listed[Tab]]:
    """Every view of who asks, those that ship first, and how many items each holds."""

    def load(db: Db) -> list[Tab]:
        known = named(call.request, views.list_(db, call.actor))
        found = [ranking.count(db, each.where, now=call.now, limit=MANY + 1) for each in known]
        return [
            Tab(
                name=each.name,
                query=each.where.query(),
                view=each.view.id if each.view else None,
                count=min(count, MANY),
                has_more=count > MANY,
            )
            for each, count in zip(known, found, strict=True)
        ]

    return Answer(value=Listed(items=await call.site.store.read(load)))


async def get(call: Call[Nothing, None]) -> Answer[WholeItem]:
    """One item with its text, clocks, points and verdict."""
    number = call.number("item")

    def load(db: Db) -> WholeItem | None:
        one = ranking.of_items(db, [number], now=call.now).get(number)
        if one is None:
            return None
        key = one.item.mention
        return WholeItem(
            item=shapes.item(one.item),
            mention=next(iter(texts(db, [key])), None),
            due_at=one.due_at,
            points=one.priority.points,
            terms=shapes.terms(one.priority),
            clocks=list(obligations.clocks(db, key)),
            incidents=[short_id("I", each.id) for each in incidents.of_mention(db, key)],
            verdict=verdicts.of_item(db, number),
            moves=moves(one.item),
            spans=list(examples.spans(db, key)),
        )

    whole = await call.site.store.read(load)
    if whole is None:
        raise problems.Refused(problems.Kind.MISSING)
    return Answer(value=whole, version=whole.item.version)


async def timeline(call: Call[Paged, None]) -> Answer[Page[EventShape]]:
    """What happened to the item, the oldest first."""
    return await lines(call, call.parts["item"])


async def take(call: Call[Nothing, None]) -> Answer[Did]:
    """The item is taken by who asks."""
    return await _do(call, Deed(verb=Verb.TAKE))


async def assign(call: Call[Nothing, Assign]) -> Answer[Did]:
    """The item is entrusted to somebody."""
    to = await active(call.site, call.body.to)
    return await _do(call, Deed(verb=Verb.ASSIGN, to=to))


async def release(call: Call[Nothing, None]) -> Answer[Did]:
    """The item is nobody's."""
    return await _do(call, Deed(verb=Verb.RELEASE))


async def move(call: Call[Nothing, Move]) -> Answer[Did]:
    """The item is in this state."""
    said = call.body
    return await _do(
        call,
        Deed(
            verb=Verb.MOVE,
            state=QueueState(said.state),
            reason=said.reason,
            waiting_for=said.waiting_for,
            stays_open=said.stays_open,
        ),
    )


async def snooze(call: Call[Nothing, Snooze]) -> Answer[Did]:
    """The item is out of the open list until then."""
    return await _do(call, Deed(verb=Verb.SNOOZE, until=call.body.until))


async def unsnooze(call: Call[Nothing, None]) -> Answer[Did]:
    """The item is in the open list again."""
    return await _do(call, Deed(verb=Verb.UNSNOOZE))


async def reopen(call: Call[Nothing, None]) -> Answer[Did]:
    """The item is new again, and nobody's."""
    return await _do(call, Deed(verb=Verb.REOPEN))


async def judge(call: Call[Nothing, Judge]) -> Answer[Did]:
    """The verdict stands for the item and its rule; a false alarm ends it."""
    done = await call.site.actions.judge(
        call.parts["item"],
        verdict=call.body.verdict,
        labels={head: said for head, said in call.body.labels.items()},
        reading=call.body.reading,
        actor=call.actor,
        version=call.version,
    )
    return Answer(value=shapes.did(done))


async def correct(call: Call[Nothing, Correct]) -> Answer[Corrected]:
    """The item's mention has these labels; rules do not look at it again."""
    changed = await call.site.actions.correct(
        call.parts["item"],
        labels={head: said for head, said in call.body.labels.items()},
        reading=call.body.reading,
        actor=call.actor,
        version=call.version,
    )
    return Answer(value=Corrected(changed=changed))


async def note(call: Call[Nothing, Note]) -> Answer[Called]:
    """The note stands in the item's timeline."""
    called = await call.site.actions.note(call.parts["item"], text=call.body.text, actor=call.actor)
    return Answer(value=Called(called=list(called)))


async def preview(call: Call[Nothing, Bulk]) -> Answer[BulkOutcome]:
    """What a bulk action would change, and what not; nothing is done."""
    outcome = await call.site.actions.preview_bulk(
        _selection(call.body.items), await _deed(call), actor=call.actor
    )
    return Answer(value=_outcome(outcome))


async def bulk(call: Call[Nothing, Bulk]) -> Answer[BulkOutcome]:
    """All items that stand as they were seen are changed at once; the others are named."""
    outcome = await call.site.actions.bulk(
        _selection(call.body.items), await _deed(call), actor=call.actor
    )
    return Answer(value=_outcome(outcome))


async def export_queue(request: web.Request) -> web.StreamResponse:
    """Items of the queue as a file, the most pressing first; who took it is in the audit trail."""
    return await exports.of_queue(request)


def _where(asked: Filter) -> QueueFilter:
    given = msgspec.to_builtins(asked)
    listed = {
        name: value if isinstance(value, (list, tuple)) else [value]
        for name, value in given.items()
        if value is not None and name not in {"limit", "after"}
    }
    return parse_filter(listed)


async def _do(
    call: Call[Nothing, None] | Call[Nothing, Assign] | Call[Nothing, Move] | Call[Nothing, Snooze],
    deed: Deed,
) -> Answer[Did]:
    done = await call.site.actions.do(
        call.parts["item"], deed, actor=call.actor, version=call.version
    )
    return Answer(value=shapes.did(done))


async def _deed(call: Call[Nothing, Bulk]) -> Deed:
    said = call.body
    return Deed(
        verb=said.verb,
        to="" if said.to is None else await active(call.site, said.to),
        state=None if said.state is None else QueueState(said.state),
        reason=said.reason,
        waiting_for=said.waiting_for,
        until=said.until,
        stays_open=said.stays_open,
    )


def _selection(chosen: Sequence[Chosen]) -> list[Seen]:
    return [Seen(target=one.item, version=one.version) for one in chosen]


def _outcome(found: Outcome) -> BulkOutcome:
    return BulkOutcome(
        changes=list(found.changes),
        refused=list(found.refused),
        undo=found.done.id,
        until=found.done.until,
    )


QUERIES["export_queue"] = Exported
