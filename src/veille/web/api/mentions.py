"""Mentions: one by its key, those a search finds, and what stands around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from veille.domain.ids import short_id
from veille.domain.search import Search, parse_search
from veille.store import incidents, mentions, queue, search, threads
from veille.store.engine import Db
from veille.web import exports
from veille.web.api import shapes
from veille.web.api.operation import QUERIES, Answer, Body, Call, Nothing, Page, Paged
from veille.web.api.problems import Kind, Refused
from veille.web.api.shapes import Found, ItemShape, MentionShape, Shape
from veille.web.api.texts import END
from veille.web.questions import reading

Words = Annotated[str, msgspec.Meta(max_length=500)]
Key = Annotated[str, msgspec.Meta(pattern=f"^[0-9a-f]{{32}}{END}")]


class Searched(Paged, frozen=True, kw_only=True):
    """What to search for, as on the page Search; `by`: the newest or the best first."""

    q: Words = ""
    by: Literal["date", "best"] = "date"


class Asked(Nothing, frozen=True, kw_only=True):
    """What to search for."""

    q: Words = ""


class Exported(Asked, frozen=True, kw_only=True):
    """What to export, and as what."""

    format: Literal["csv", "jsonl", "atom"] = "csv"


class Counted(Shape, frozen=True, kw_only=True):
    """How many hits there are, and of each value; `has_more`: only the newest were counted."""

    total: int
    has_more: bool
    values: dict[str, dict[str, int]]
    periods: dict[str, int]


class WholeMention(Shape, frozen=True, kw_only=True):
    """A mention with its queue item, its incidents, and keys of the exchange around it."""

    mention: MentionShape
    item: ItemShape | None
    incidents: list[str]
    around: list[str]


class Put(Body, frozen=True, kw_only=True):
    """Which mention, by its key."""

    mention: Key


class Original(Shape, frozen=True, kw_only=True):
    """The unmasked text."""

    text: str


class Queued(Shape, frozen=True, kw_only=True):
    """The queue item."""

    item: str


def texts(db: Db, keys: Sequence[str]) -> list[MentionShape]:
    """Return the mentions of these keys that are stored, in their order."""
    stored = mentions.stored(db, keys)
    return [shapes.mention(stored[k], reading(stored[k])) for k in keys if k in stored]


def found(db: Db, keys: Sequence[str]) -> list[Found]:
    """Return the mentions of these keys with their items, in their order."""
    items = queue.of_keys(db, keys)
    return [
        Found(mention=one, item=shapes.item(items[one.key]) if one.key in items else None)
        for one in texts(db, keys)
    ]


async def search_(call: Call[Searched, None]) -> Answer[Page[Found]]:
    """Mentions that say the words and fit the filters of a query; syntax in docs/search.md."""
    wanted, limit, after = _parsed(call, call.query.q), call.query.limit, call.after()
    is_best = call.query.by == "best" and wanted.has_words

    def load(db: Db) -> tuple[list[Found], int | None]:
        if is_best:
            page = search.best(db, wanted, limit=limit)
            return found(db, page.keys), None
        before = None if after is None else int(after[0])
        page = search.page(db, wanted, limit=limit, before=before)
        return found(db, page.keys), page.next

    items, before = await call.site.store.read(load)
    return Answer(value=Page(items=items, next=None if before is None else call.next([before])))


async def counts(call: Call[Asked, None]) -> Answer[Counted]:
    """How many mentions fit a query, and how many of each value."""
    wanted = _parsed(call, call.query.q)
    counted = await call.site.store.read(lambda db: search.counts(db, wanted, now=call.now))
    return Answer(
        value=Counted(
            total=counted.total,
            has_more=counted.has_more,
            values={field.value: dict(values) for field, values in counted.values.items()},
            periods=dict(counted.periods),
        )
    )


async def get(call: Call[Nothing, None]) -> Answer[WholeMention]:
    """One mention, and where it stands."""
    key = call.parts["mention"]

    def load(db: Db) -> WholeMention | None:
        here = found(db, [key])
        if not here:
            return None
        return WholeMention(
            mention=here[0].mention,
            item=here[0].item,
            incidents=[short_id("I", each.id) for each in incidents.of_mention(db, key)],
            around=sorted(threads.around(db, key).keys),
        )

    whole = await call.site.store.read(load)
    if whole is None:
        raise Refused(Kind.MISSING)
    return Answer(value=whole)


async def original(call: Call[Nothing, None]) -> Answer[Original]:
    """The unmasked text of an urgent mention; who opened it is in the audit trail."""
    text = await call.site.originals.open(call.parts["mention"], actor=call.actor)
    if text is None:
        raise Refused(Kind.MISSING)
    return Answer(value=Original(text=text))


async def queue_(call: Call[Nothing, Put]) -> Answer[Queued]:
    """The mention has a queue item; twice is once."""
    number = await call.site.actions.put_in_queue(call.body.mention, actor=call.actor)
    name = short_id("Q", number)
    return Answer(value=Queued(item=name), location=f"/api/v1/queue/{name}")


async def export_search(request: web.Request) -> web.StreamResponse:
    """What a search finds, as a file, the newest first; who took it is in the audit trail."""
    return await exports.of_search(request)


def _parsed(call: Call[Searched, None] | Call[Asked, None], text: str) -> Search:
    return parse_search(text, zone=call.site.timezone, topics=call.site.topics)


QUERIES["export_search"] = Exported
