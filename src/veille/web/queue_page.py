"""`/queue`: what people work through, the most pressing first, in the views they keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from veille.domain.deed import BULK_LIMIT
from veille.domain.errors import InputError
from veille.domain.ids import parse_short_id, short_id
from veille.domain.queue_filter import QueueFilter
from veille.domain.record import StoredMention
from veille.store import calls, mentions, pulse, ranking, sources, timeline, users, views
from veille.store.calls import Call
from veille.store.engine import Db
from veille.store.ranking import Ranked
from veille.store.views import View
from veille.web import bulk_page, filters, standing, undo
from veille.web.marks import mark
from veille.web.neighbours import path_to
from veille.web.rows import Row, row
from veille.web.site import done_of, render_watched, site_of, visitor_of, words_of
from veille.web.standing import Read, Standing, page_path
from veille.web.views import TO_DO, Named, named, path_of, with_query
from veille.web.words import Words
from veille.wording import format as wording

_MOST = 1000
"""Counted at most: above it the number is said to be larger."""
_CALLS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One view as a link, with how many items it holds."""

    name: str
    path: str
    count: str
    is_here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    page: Read
    ranked: list[Ranked]
    mentions: Mapping[str, StoredMention]
    views: list[Named]
    counts: Mapping[str, int]
    people: list[str]
    sources: list[str]
    marks: Mapping[str, str]
    calls: list[Call]
    again: set[str]
    undoing: undo.Offer | None


def _load(db: Db, request: web.Request, where: QueueFilter, asked: Standing) -> _Loaded:
    now = words_of(request).now
    page = standing.read(db, where, asked, now=now)
    known_now = ranking.of_items(db, page.standing.ids, now=now)
    shown = [known_now[id] for id in page.standing.ids if id in known_now]
    known = named(request, views.list_(db, visitor_of(request).name))
    wanted = {each.where.query(): each.where for each in [*known, Named(name="", where=where)]}
    return _Loaded(
        page=page,
        ranked=shown,
        mentions=mentions.stored(db, [each.item.mention for each in shown]),
        views=known,
        counts={
            query: ranking.count(db, each, now=now, limit=_MOST + 1)
            for query, each in wanted.items()
        },
        people=[user.name for user in users.list_(db) if user.disabled_at is None],
        sources=[one.source for one in sources.health(db) if not sources.is_inner(one.source)],
        marks=pulse.marks(db, ["queue", "gone"]),
        calls=calls.open_for(db, visitor_of(request).name, limit=_CALLS),
        again=timeline.wrote_again(db, [short_id("Q", each.item.id) for each in shown]),
        undoing=undo.offered(request, db, back=page_path(where, page.standing)),
    )


async def page(request: web.Request) -> web.Response:
    """One page of a view, and all views with their counts; 400 for an address of nonsense."""
    query = request.query
    return await show(request, {name: query.getall(name) for name in dict.fromkeys(query)})


async def show(
    request: web.Request,
    query: Mapping[str, Sequence[str]],
    *,
    problem: str | None = None,
    status: int = 200,
) -> web.Response:
    """Return the page of a view that this query of an address names, and what stood in the way."""
    words = words_of(request)
    try:
        where, asked = filters.wanted(query), standing.parse(query)
    except InputError:
        where, asked, problem, status = TO_DO, Standing(), words.say("views.refused.filter"), 400
    loaded = await site_of(request).store.read(lambda db: _load(db, request, where, asked))
    page, rows = loaded.page, _rows(loaded, where, words)
    here = next((each for each in loaded.views if each.where == where), None)
    path, end = path_of(where), page.standing.end
    count, here_path = loaded.counts[where.query()], page_path(where, page.standing)
    return render_watched(
        request,
        "queue.html",
        marks=loaded.marks,
        base=here_path,
        fresh=path,
        status=status,
        rows=rows,
        pickable=sum(row.is_here for row in rows),
        problem=problem or undo.refused(request),
        done=_done(request, loaded.undoing) or undo.said(request),
        undoing=loaded.undoing,
        verbs=bulk_page.verbs(words),
        calls=[_call(each, words) for each in loaded.calls],
        view_name=here.name if here else words.say("views.name.other"),
        heading=_heading(count, here, words),
        empty=words.say("views.empty.todo" if where == TO_DO else "views.empty.other"),
        query=where.query(),
        here=here_path,
        beyond=_beyond(count, rows, words),
        views=[_tab(each, where, loaded.counts, words) for each in loaded.views],
        choices=filters.choices(where, words, people=loaded.people, sources=loaded.sources),
        places=sorted(where.places),
        is_filtering=here is None,
        may_keep=here is None,
        removable=_removable(request, here),
        removable_mark=mark(here.view) if here is not None and here.view is not None else 0,
        ranked_at=end.at if end else words.now,
        news=_news(page.news, words),
        news_count=page.news,
        all_picked="all" in request.query,
        all_path=with_query(here_path, "all=1"),
        first_path=path if asked.after else None,
        next_path=with_query(path, f"after={end}") if page.has_more else None,
    )


def _news(count: int, words: Words) -> str:
    return words.say.count("views.news", count, count=_counted(count, words)) if count else ""


def _beyond(count: int, rows: Sequence[Row], words: Words) -> str:
    """Return what the button says that is for the whole view, "" where the page shows all of it."""
    if count <= sum(row.is_here for row in rows):
        return ""
    key = "first" if count > BULK_LIMIT else "all"
    return words.say(f"views.bulk.preview_{key}", count=min(count, BULK_LIMIT))


def _rows(loaded: _Loaded, where: QueueFilter, words: Words) -> list[Row]:
    return [
        row(
            each,
            loaded.mentions.get(each.item.mention),
            words,
            path=path_to(each.item.id, where, loaded.page.standing),
            is_here=each.item.id in loaded.page.here,
            wrote_again=short_id("Q", each.item.id) in loaded.again,
        )
        for each in loaded.ranked
    ]


def _done(request: web.Request, undoing: undo.Offer | None) -> str | None:
    """Return what the form that led here did to which items, as a sentence; only ours is said."""
    if undoing is None:
        return None
    if request.query.get("done") == "bulk":
        return site_of(request).say.count("views.done.many", len(undoing.targets))
    return done_of(request, ", ".join(undoing.targets))


def _call(call: Call, words: Words) -> tuple[str, str]:
    """Return the address that a call leads to, and what it says."""
    letter, number = parse_short_id(call.target)
    path = f"/{'incidents' if letter == 'I' else 'queue'}/{number}"
    when = words.when(call.at)
    return path, words.say("views.calls.line", name=call.actor, id=call.target, when=when)


def _tab(each: Named, where: QueueFilter, counts: Mapping[str, int], words: Words) -> Tab:
    return Tab(
        name=each.name,
        path=path_of(each.where),
        count=_counted(counts[each.where.query()], words),
        is_here=each.where == where,
    )


def _counted(count: int, words: Words) -> str:
    said = wording.number(words.say, min(count, _MOST))
    return words.say("views.more_than", count=said) if count > _MOST else said


def _heading(count: int, here: Named | None, words: Words) -> str:
    name = here.name if here else words.say("views.name.other")
    return words.say.count("views.heading", count, name=name, count=_counted(count, words))


def _removable(request: web.Request, here: Named | None) -> View | None:
    if here is None or here.view is None:
        return None
    may = visitor_of(request).may("edit") or not here.view.is_shared
    return here.view if may else None
