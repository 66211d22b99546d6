"""The views of the queue: those that ship, those people keep, and the forms that keep them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import parse_qs

from aiohttp import web

from veille.domain.analysis import IntentLabel
from veille.domain.errors import ConflictError, InputError
from veille.domain.incident import QueueState
from veille.domain.queue_filter import QueueFilter, parse_filter
from veille.store import audit, views
from veille.store.engine import Db
from veille.store.views import EVERYBODY, View
from veille.web.marks import mark
from veille.web.site import form_of, see, site_of, visitor_of

_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
PAGE = 25
"""Rows of a page: with them, full of long texts, all it loads stays under 150 kB."""
TO_DO = QueueFilter()
SHIPPED: Mapping[str, QueueFilter] = {
    "todo": TO_DO,
    "mine": TO_DO,
    "unanswered": replace(
        TO_DO, intent=frozenset({IntentLabel.QUESTION, IntentLabel.REQUEST}), is_snoozed=None
    ),
    "waiting": replace(TO_DO, states=frozenset({QueueState.WAITING})),
    "snoozed": replace(TO_DO, is_snoozed=True),
    "reported": replace(TO_DO, states=frozenset({QueueState.REPORTED}), is_snoozed=None),
    "closed": replace(
        TO_DO,
        states=frozenset({QueueState.ANSWERED, QueueState.CLOSED, QueueState.OUT_OF_SCOPE}),
        is_snoozed=None,
    ),
}
"""By the end of its catalogue key; `mine` is of who looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A filter under a name; `view` when people keep it."""

    name: str
    where: QueueFilter
    view: View | None = None


def named(request: web.Request, kept: Sequence[View]) -> list[Named]:
    """Return the views of who looks, in the order of the page; one of before that fails is left."""
    say, name = site_of(request).say, visitor_of(request).name
    shipped = [
        Named(
            name=say(f"views.name.{key}"),
            where=replace(where, assignee=name) if key == "mine" else where,
        )
        for key, where in SHIPPED.items()
    ]
    return [*shipped, *_kept(kept)]


def _kept(kept: Sequence[View]) -> Iterator[Named]:
    for view in kept:
        try:
            where = where_of(view.query)
        except InputError:
            continue  # a state or intent of another release
        yield Named(name=view.name, where=where, view=view)


def where_of(query: str) -> QueueFilter:
    """Return the filter that an address says; InputError for a value that does not exist."""
    try:
        found = parse_qs(query, keep_blank_values=True, max_num_fields=200)
    except ValueError as error:
        raise InputError("the view's address says too much: choose less") from error
    return parse_filter(found)


def path_of(where: QueueFilter) -> str:
    """Return the address of the queue, so filtered."""
    query = where.query()
    return f"/queue?{query}" if query else "/queue"


def is_list(path: str) -> bool:
    """Whether this page of ours is a view of the queue: each item is a row of it."""
    return path.partition("?")[0] == "/queue"


def with_query(path: str, more: str) -> str:
    """Return an address that says this, too."""
    return f"{path}{'&' if '?' in path else '?'}{more}" if more else path


def owner_of(request: web.Request, *, is_shared: bool) -> str:
    """Return who owns a view; 403 where a shared one is not this person's to change."""
    visitor = visitor_of(request)
    if is_shared and not visitor.may("edit"):
        raise web.HTTPForbidden
    return EVERYBODY if is_shared else visitor.name


async def add(request: web.Request) -> web.Response:
    """The filter of the page is kept under a name, for this person or for all."""
    site, form, actor = site_of(request), await form_of(request), visitor_of(request).name
    owner = owner_of(request, is_shared=bool(form.get("shared")))

    def write(db: Db) -> View:
        where, name = where_of(form.get("view", "")), form.get("name", "")
        if owner == EVERYBODY:  # one's own is replaced: nobody else looks at it
            check_new(db, owner=owner, name=name, where=where)
        return keep(db, owner=owner, name=name, where=where, actor=actor, now=site.now())

    try:
        view = await site.store.write(write)
    except ConflictError:
        return see("/queue?done=view_taken")
    except InputError:
        return see("/queue?done=view")
    return see(with_query(path_of(where_of(view.query)), "done=kept"))


async def remove(request: web.Request) -> web.Response:
    """The view is gone, if it was this person's to remove."""
    site, actor = site_of(request), visitor_of(request).name
    written = request.match_info["id"]
    number = int(written) if _NUMBER.fullmatch(written) else 0
    form = await form_of(request)
    owner = owner_of(request, is_shared=bool(form.get("shared")))

    seen = form.get("version", "")

    def write(db: Db) -> bool:
        found = views.get(db, number, owner=owner)
        if found is not None and seen != str(mark(found)):
            raise ConflictError(f'view "{found.name}" was changed by somebody else: load it again')
        return drop(db, number, owner=owner, actor=actor, now=site.now())

    try:
        gone = await site.store.write(write)
    except ConflictError:
        return see("/queue?done=view_changed")
    if not gone:
        raise web.HTTPNotFound
    return see("/queue?done=removed")


def check_new(db: Db, *, owner: str, name: str, where: QueueFilter) -> None:
    """Raise ConflictError where the owner has a view of this name with another filter."""
    known = {each.name: each for each in views.list_(db, owner) if each.is_shared == (not owner)}
    found = known.get(name.strip())
    if found is not None and found.query != where.query():
        raise ConflictError(f'view "{found.name}" is there already, with another filter')


def keep(db: Db, *, owner: str, name: str, where: QueueFilter, actor: str, now: datetime) -> View:
    """Return the view that is kept; a shared one is in the audit trail. InputError as the store."""
    view = views.add(db, owner=owner, name=name, query=where.query(), now=now)
    if view.is_shared:  # what is one's own concerns nobody else
        _note(db, actor, action="view.shared", view=view, now=now)
    return view


def drop(db: Db, number: int, *, owner: str, actor: str, now: datetime) -> bool:
    """Whether the owner had this view; it is gone."""
    view = views.get(db, number, owner=owner)
    if view is None:
        return False
    if view.is_shared:
        _note(db, actor, action="view.removed", view=view, now=now)
    return views.remove(db, number, owner=owner)


def _note(db: Db, actor: str, *, action: str, view: View, now: datetime) -> None:
    after = {"query": view.query}
    audit.add(db, at=now, actor=actor, action=action, target=f"V{view.id}", after=after)
