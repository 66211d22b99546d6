"""Saved views of the queue: one's own, and those all share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar

import msgspec

from veille.domain.access import Access
from veille.domain.errors import ConflictError, InputError
from veille.store import views
from veille.store.engine import Db
from veille.store.views import EVERYBODY, View
from veille.web.api.operation import Answer, Body, Call, Listed, Nothing
from veille.web.api.problems import Kind, Refused, lacking
from veille.web.api.texts import line
from veille.web.marks import mark
from veille.web.views import check_new, drop, keep, where_of

Filtered = Annotated[str, msgspec.Meta(max_length=views.QUERY_LENGTH)]


def _check_filter(query: str) -> None:
    try:
        where_of(query)
    except InputError as error:
        raise ValueError("Invalid enum value") from error


class NewFilter(Body, frozen=True, kw_only=True):
    """A filter of the queue, as the query of its page."""

    query: Filtered

    def __post_init__(self) -> None:
        _check_filter(self.query)


class NewView(Body, frozen=True, kw_only=True):
    """A filter of the queue, as the query of its page; shared ones ask for the scope edit."""

    name: Annotated[str, line(views.NAME_LENGTH)]
    query: Filtered
    shared: bool = False
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"name": "Graves", "query": "severity=critical"},
    )

    def __post_init__(self) -> None:
        _check_filter(self.query)


async def list_(call: Call[Nothing, None]) -> Answer[Listed[View]]:
    """Saved views of the queue: those everybody has, then one's own."""
    found = await call.site.store.read(lambda db: views.list_(db, call.actor))
    return Answer(value=Listed(items=found))


async def add(call: Call[Nothing, NewView]) -> Answer[View]:
    """The filter is kept under this name."""
    said, now = call.body, call.site.now()
    owner = EVERYBODY if said.shared else call.actor
    if said.shared and not call.visitor.may(Access.EDIT):
        raise lacking(call.visitor, Access.EDIT)

    def add(db: Db) -> View:
        where = where_of(said.query)
        check_new(db, owner=owner, name=said.name, where=where)
        return keep(db, owner=owner, name=said.name, where=where, actor=call.actor, now=now)

    view = await call.site.store.write(add)
    return Answer(value=view, location=f"/api/v1/views/{view.id}")


async def get(call: Call[Nothing, None]) -> Answer[View]:
    """One view, of one's own or shared."""
    found = await call.site.store.read(partial(_view, call=call))
    if found is None:
        raise Refused(Kind.MISSING)
    return Answer(value=found, version=mark(found))


async def change(call: Call[Nothing, NewFilter]) -> Answer[View]:
    """The view has this filter; a shared one, by who may edit."""
    where, now = where_of(call.body.query), call.site.now()

    def change(db: Db) -> View:
        found = _seen(db, call)
        owner = EVERYBODY if found.is_shared else call.actor
        return keep(db, owner=owner, name=found.name, where=where, actor=call.actor, now=now)

    return Answer(value=await call.site.store.write(change))


async def remove(call: Call[Nothing, None]) -> Answer[None]:
    """A view of one's own is gone; a shared one, for who may edit."""
    now = call.site.now()

    def remove(db: Db) -> None:
        found = _seen(db, call)
        owner = EVERYBODY if found.is_shared else call.actor
        drop(db, found.id, owner=owner, actor=call.actor, now=now)

    await call.site.store.write(remove)
    return Answer(value=None)


def _view(db: Db, call: Call[Nothing, None] | Call[Nothing, NewFilter]) -> View | None:
    number = int(call.parts["view"])
    mine = views.get(db, number, owner=call.actor)
    return mine or views.get(db, number, owner=EVERYBODY)


def _seen(db: Db, call: Call[Nothing, None] | Call[Nothing, NewFilter]) -> View:
    """Return the view that was seen, if who asks may change it; ConflictError when it changed."""
    found = _view(db, call)
    if found is None or mark(found) != call.version:
        raise ConflictError("this view was changed by somebody else: load it again")
    if found.is_shared and not call.visitor.may(Access.EDIT):
        raise lacking(call.visitor, Access.EDIT)
    return found
