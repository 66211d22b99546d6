"""The items before and after one, in the view its page was reached from."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from veille.domain.errors import InputError
from veille.domain.queue_filter import QueueFilter
from veille.store import ranking
from veille.store.engine import Db
from veille.store.ranking import Place
from veille.web.views import path_of, where_of

_READ = 200
"""Rows looked through for the one before: eight pages of the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The view somebody came from, and where the item stood in it then."""

    where: QueueFilter
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Addresses: of the view, and of the items before and after in it."""

    back: str
    previous: str | None = None
    next: str | None = None


def origin_of(request: web.Request) -> Origin | None:
    """Return the view that the address names, None where it names none."""
    written = request.query.get("place")
    if not written:
        return None
    try:
        where = where_of(request.query.get("view", ""))
        return Origin(where=where, place=ranking.parse_place(written))
    except InputError:
        return None


def carried(request: web.Request) -> str:
    """Return the end of an address that keeps the view somebody came from, "" without one."""
    origin = origin_of(request)
    return "" if origin is None else f"?{_query(origin.where, origin.place)}"


def path_to(id: int, where: QueueFilter, place: Place) -> str:
    """Return the address of an item that knows the view it was reached from."""
    return f"/queue/{id}?{_query(where, place)}"


def load(db: Db, origin: Origin) -> Neighbours:
    """Return what stands around the item now, in the order of when the view was opened.

    The item itself may have left the view meanwhile: its place tells what came after it.
    """
    where, place = origin.where, origin.place
    after = ranking.ranked(db, where, now=place.at, limit=1, after=place)
    first = ranking.ranked(db, where, now=place.at, limit=_READ)
    before = [each for each in first if _key(each.place) < _key(place)]
    previous = before[-1] if before and len(before) < _READ else None
    return Neighbours(
        back=path_of(where),
        previous=path_to(previous.item.id, where, previous.place) if previous else None,
        next=path_to(after[0].item.id, where, after[0].place) if after else None,
    )


def _query(where: QueueFilter, place: Place) -> str:
    return f"view={quote(where.query(), safe='')}&place={place}"


def _key(place: Place) -> tuple[float, float, int]:
    """Return what the list is ordered by: pressing ones first, of what is done the newest."""
    since = place.since.timestamp()
    if place.points is None:
        return (0, -since, -place.id)
    return (-place.points, since, place.id)
