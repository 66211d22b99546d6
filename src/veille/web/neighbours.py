"""The items before and after one, and the page and row of the view it was reached from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from aiohttp import web

from veille.domain.errors import InputError
from veille.domain.queue_filter import QueueFilter
from veille.store import ranking
from veille.store.engine import Db
from veille.web import standing
from veille.web.standing import Standing
from veille.web.views import where_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The page of a view that somebody came from, as it stood."""

    where: QueueFilter
    page: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Addresses: of the row in the view, and of the items before and after in it."""

    back: str
    previous: str | None = None
    next: str | None = None


def origin_of(request: web.Request) -> Origin | None:
    """Return the page of a view that the address names, None where it names none."""
    query = request.query
    try:
        page = standing.parse({name: query.getall(name) for name in query})
        return Origin(where=where_of(query.get("view", "")), page=page) if page.ids else None
    except InputError:
        return None


def carried(request: web.Request) -> str:
    """Return the end of an address that keeps the view somebody came from, "" without one."""
    origin = origin_of(request)
    return "" if origin is None else f"?{_query(origin.where, origin.page)}"


def path_to(id: int, where: QueueFilter, page: Standing) -> str:
    """Return the address of an item that knows the page of the view it was reached from."""
    return f"/queue/{id}?{_query(where, page)}"


def load(db: Db, origin: Origin, id: int, *, now: datetime) -> Neighbours:
    """Return what stands around the item, in the order of when the view was opened.

    What left the view meanwhile is passed over. So is the item itself once it has: the way back
    leads to the row that follows.
    """
    where, page = origin.where, origin.page
    at = page.ids.index(id) if id in page.ids else len(page.ids)
    here = ranking.among(db, where, page.ids, now=now)
    ahead = [one for one in page.ids[:at] if one in here]
    rest = [one for one in page.ids[at + 1 :] if one in here]
    row = id if id in here or not rest else rest[0]
    return Neighbours(
        back=f"{standing.page_path(where, page)}#row-{row}",
        previous=path_to(ahead[-1], where, page)
        if ahead
        else _turned(where, standing.before(db, where, page), -1),
        next=path_to(rest[0], where, page)
        if rest
        else _turned(where, standing.following(db, where, page), 0),
    )


def _turned(where: QueueFilter, page: Standing | None, at: int) -> str | None:
    return None if page is None else path_to(page.ids[at], where, page)


def _query(where: QueueFilter, page: Standing) -> str:
    return f"view={quote(where.query(), safe='')}&{page.query()}"
