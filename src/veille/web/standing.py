"""What stands on a page of the queue while one reads: its rows, in the order it was opened with.

The address carries it, so nothing is kept for it here: it holds over what people do, an undo, a
reload and "back", for as many tabs as there are, and ends with a link to the view itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from veille.domain.errors import InputError
from veille.domain.queue_filter import QueueFilter
from veille.store import ranking
from veille.store.engine import Db
from veille.store.ranking import Place
from veille.web.views import PAGE, path_of, with_query

_PARTS = 4  # of a place


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The rows of a page; `after` is where the page before ended, `end` where this one did.

    No rows: the page is opened now, and `end` is None.
    """

    after: Place | None = None
    ids: tuple[int, ...] = ()
    end: Place | None = None

    def query(self) -> str:
        """Return it as part of an address: `after=…&order=…`, "" for a first page to open."""
        order = "" if self.end is None else ".".join(map(str, (self.end, *self.ids)))
        parts = {"after": str(self.after or ""), "order": order}
        return "&".join(f"{name}={value}" for name, value in parts.items() if value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A page as it stands, and what is beyond it.

    `here` are those of its rows that still are in the view; `news` counts what came to the view or
    rose in it since the first page was opened and is on no page that follows.
    """

    standing: Standing
    here: frozenset[int]
    has_more: bool
    news: int


def parse(query: Mapping[str, Sequence[str]]) -> Standing:
    """Return what an address says stands on its page; InputError for what it cannot hold."""
    after, order = (next(iter(query.get(name, ())), "") for name in ("after", "order"))
    began = ranking.parse_place(after) if after else None
    if not order:
        return Standing(after=began)
    parts = order.split(".")
    ids = parts[_PARTS:]
    are_numbers = all(i.isascii() and i.isdigit() and len(i) <= ranking.DIGITS for i in ids)
    if not 0 < len(ids) <= PAGE or not are_numbers:
        raise InputError("order: no page of the queue: begin at its first page")
    end = ranking.parse_place(".".join(parts[:_PARTS]))
    return Standing(after=began, ids=tuple(dict.fromkeys(map(int, ids))), end=end)


def page_path(where: QueueFilter, standing: Standing) -> str:
    """Return the address of this page of a view."""
    return with_query(path_of(where), standing.query())


def read(db: Db, where: QueueFilter, standing: Standing, *, now: datetime) -> Read:
    """Return the page; one without rows is opened, a first one in the order of `now`."""
    return (_opened if standing.end is None else _again)(db, where, standing, now)


def _opened(db: Db, where: QueueFilter, standing: Standing, now: datetime) -> Read:
    after = standing.after
    at = after.at if after else None  # what came since would stand between what is read
    found = ranking.ranked(db, where, now=now, limit=PAGE + 1, after=after, made_by=at)
    shown = found[:PAGE]
    ids = tuple(each.item.id for each in shown)
    return Read(
        standing=Standing(after=after, ids=ids, end=shown[-1].place if shown else None),
        here=frozenset(ids),
        has_more=len(found) > PAGE,
        news=len(_above(db, where, after)) + ranking.count(db, where, now=now, made_after=at)
        if at
        else 0,
    )


def _again(db: Db, where: QueueFilter, standing: Standing, now: datetime) -> Read:
    end, ids, most = standing.end, standing.ids, 2 * PAGE + 1
    at = end.at if end else now
    found = ranking.ranked(db, where, now=at, limit=most, after=standing.after, made_by=at)
    beyond = [each for each in found if end and each.place.key > end.key]
    risen = {each.item.id for each in found} - {each.item.id for each in beyond}
    risen = (risen | _above(db, where, standing.after)) - {*ids}
    return Read(
        standing=standing,
        here=frozenset(ranking.among(db, where, ids, now=now)),
        has_more=bool(beyond) or len(found) == most,
        news=len(risen) + ranking.count(db, where, now=now, made_after=at),
    )


def _above(db: Db, where: QueueFilter, after: Place | None) -> set[int]:
    """Return what rose since to before where this page begins: no page holds all rows of those."""
    if after is None:
        return set()
    at, most = after.at, 2 * PAGE + 1
    found = ranking.ranked(db, where, now=at, limit=most, before=after, made_by=at, raised_since=at)
    return {each.item.id for each in found}


def following(db: Db, where: QueueFilter, standing: Standing) -> Standing | None:
    """Return the page after this one, None where there is none."""
    if standing.end is None:
        return None
    found = read(db, where, Standing(after=standing.end), now=standing.end.at).standing
    return found if found.ids else None


def before(db: Db, where: QueueFilter, standing: Standing) -> Standing | None:
    """Return the page before this one, None where there is none.

    Its last row is where it ended, also if that one has left the view since.
    """
    end = standing.after
    if end is None:
        return None
    found = ranking.ranked(db, where, now=end.at, limit=PAGE, before=end, made_by=end.at)
    began = found[PAGE - 1].place if len(found) == PAGE else None
    ids = chain((each.item.id for each in reversed(found[: PAGE - 1])), [end.id])
    return Standing(after=began, ids=tuple(ids), end=end)
