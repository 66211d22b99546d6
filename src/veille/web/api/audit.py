"""The audit trail: its rows, whether its chain holds, and the whole as a file."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec
from aiohttp import web

from veille.store import audit_trail
from veille.store.audit_trail import Entry
from veille.store.engine import Db
from veille.web import audit_page
from veille.web.api.operation import QUERIES, Answer, Call, Nothing, Page, Paged
from veille.web.api.problems import Kind, Refused
from veille.web.api.shapes import Shape

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Exported(Nothing, frozen=True, kw_only=True):
    """Whose rows, of what, on what, from which day to which."""

    actor: _Name | None = None
    action: _Name | None = None
    target: _Name | None = None
    since: date | None = None
    until: date | None = None


class Trail(Paged, frozen=True, kw_only=True):
    """Whose rows, of what, on what, from which day to which."""

    actor: _Name | None = None
    action: _Name | None = None
    target: _Name | None = None
    since: date | None = None
    until: date | None = None


class Chain(Shape, frozen=True, kw_only=True):
    """How the chain was verified last: `rows` held at `checked_at`; `broken` is the first bad row.

    `actors` and `actions` are those the trail knows, 200 at most.
    """

    checked_at: datetime | None
    rows: int
    broken: int | None
    under_way: int
    actors: list[str]
    actions: list[str]


async def list_(call: Call[Trail, None]) -> Answer[Page[Entry]]:
    """Who did what, the newest first; each row with the hash that makes it a link of the chain."""
    limit, after = call.query.limit, call.after()
    try:
        where = audit_page.asked(call.request)
    except web.HTTPBadRequest as error:  # a day no clock of the institution has
        raise Refused(Kind.MISSING, fields={"/query/since": "range"}) from error
    before = None if after is None else int(after[0])
    found = await call.site.store.read(
        lambda db: audit_trail.page(db, where, limit=limit + 1, before=before)
    )
    shown = found[:limit]
    more = call.next([shown[-1].seq]) if len(found) > len(shown) else None
    return Answer(value=Page(items=shown, next=more))


async def chain(call: Call[Nothing, None]) -> Answer[Chain]:
    """Whether the chain held when it was verified last, and what the trail's filters know."""

    def load(db: Db) -> Chain:
        checked = audit_trail.checked(db)
        return Chain(
            checked_at=checked.done_at,
            rows=checked.count,
            broken=checked.broken,
            under_way=checked.proof.seq,
            actors=audit_trail.names(db, "actor"),
            actions=audit_trail.names(db, "action"),
        )

    return Answer(value=await call.site.store.read(load))


async def export_audit(request: web.Request) -> web.StreamResponse:
    """The rows that the filter leaves as JSON Lines, newest first; who took them is a row too."""
    return await audit_page.export(request)


QUERIES["export_audit"] = Exported
