"""The items before and after one, and the page and row of the view it was reached from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from aiohttp import web

from veille.domain.errors import InputError
from veille.domain.queue_filter import QueueFilter
from veille.store import ranking
from veille.store.engine import Db
from veille.store.ranking import Place, Ranked
from veille.web.views import PAGE, page_path, where_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The view somebody came from, where the item stood in it then, and what its page began at."""

    where: QueueFilter
    place: Place
    after: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Addresses: of the row in the view, and of the items before and after in it."""

    back: str
    previous: str | None = None
    next: str | None = None


def origin_of(request: web.Request) -> Origin | None:
    """Return the view that the address names, None where it names none."""
    query = request.query
    place, after = query.get("place"), query.get("after")
    if not place:
        return None
    try:
        return Origin(
            where=where_of(query.get("view", "")),
            place=ranking.parse_place(place),
            after=ranking.parse_place(after) if after else None,
        )
    except InputError:
        return None


def carried(request: web.Request) -> str:
    """Return the end of an address that keeps the view somebody came from, "" without one."""
    origin = origin_of(request)
    return "" if origin is None else f"?{_query(origin.where, origin.place, origin.after)}"


def path_to(ranked: Ranked, where: QueueFilter, after: Place | None) -> str:
    """Return the address of an item that knows the view it was reached from, and the page of it."""
    return f"/queue/{ranked.item.id}?{_query(where, ranked.place, after)}"


def load(db: Db, origin: Origin) -> Neighbours:
    """Return what stands around the item now, in the order of when the view was opened.

    The item itself may have left the view meanwhile: its place tells what stood around it, and
    the way back leads to the row that took it.
    """
    where, place, after = origin.where, origin.place, origin.after
    read = partial(ranking.ranked, db, where, now=place.at)
    page = read(limit=PAGE, after=after)
    ahead = [each for each in page if _key(each.place) < _key(place)]
    rest = page[len(ahead) :]
    row = rest[0].item.id if rest else place.id
    rest = [each for each in rest if each.item.id != place.id]
    after_previous = after_next = after
    if not 0 < len(ahead) < PAGE:  # first of its page, or pushed to another by what came since
        near = read(limit=PAGE + 1, before=place)
        after_previous = near[PAGE].place if len(near) > PAGE else None
        after = near[0].place if ahead and near else after
        ahead = near[:1]
    if not rest:
        rest, after_next = read(limit=1, after=place), place
    return Neighbours(
        back=f"{page_path(where, after)}#row-{row}",
        previous=path_to(ahead[-1], where, after_previous) if ahead else None,
        next=path_to(rest[0], where, after_next) if rest else None,
    )


def _query(where: QueueFilter, place: Place, after: Place | None) -> str:
    began = f"&after={after}" if after else ""
    return f"view={quote(where.query(), safe='')}&place={place}{began}"


def _key(place: Place) -> tuple[float, float, int]:
    """Return what the list is ordered by: pressing ones first, of what is done the newest."""
    since = place.since.timestamp()
    if place.points is None:
        return (0, -since, -place.id)
    return (-place.points, since, place.id)
