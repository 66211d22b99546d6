"""`/search`: mentions by their words and what is known of them, with counts to narrow it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from veille.domain.errors import InputError, QueryError
from veille.domain.ids import short_id
from veille.domain.incident import QueueItem
from veille.domain.query import Query
from veille.domain.record import StoredMention
from veille.domain.search import FRENCH, VALUES, Field, Search, parse_search
from veille.store import facets, mentions, pulse, queue, search
from veille.store.engine import Db
from veille.store.search import Counts, Page
from veille.web import search_facets
from veille.web.search_facets import Asked, path_to
from veille.web.site import form_of, render_watched, see, site_of, visitor_of, words_of
from veille.web.text import Piece, pieces
from veille.web.words import Words
from veille.wording import format as wording

PAGE = 25
"""Hits of a page: with facets some 40 kB."""
_WINDOW, _LEAD = 280, 80  # of a text: what fits five lines of a phone, and how much before the hit
_LOOKED = 5_000  # characters in which the words are sought to be marked
_ROW_DIGITS = 18
_NO_COUNTS = Counts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One mention found, as much of it as shows why."""

    mention: StoredMention
    item: QueueItem | None
    pieces: list[Piece]
    about: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    page: Page
    counts: Counts
    mentions: Mapping[str, StoredMention]
    items: Mapping[str, QueueItem]
    is_complete: bool
    marks: Mapping[str, str]


async def page(request: web.Request) -> web.Response:
    """The hits of the address's query; 400 for one that does not parse, with how to write it."""
    asked, words = _asked(request), words_of(request)
    loaded = None
    if asked.wanted is not None and request.method != "HEAD":
        wanted = asked.wanted
        loaded = await site_of(request).store.read(lambda db: _load(db, wanted, asked, words))
    counts = loaded.counts if loaded else _NO_COUNTS
    return render_watched(
        request,
        "search.html",
        marks=loaded.marks if loaded else {},
        status=400 if asked.problem else 200,
        asked=asked,
        problem=asked.problem,
        hits=_hits(loaded, asked, words) if loaded else [],
        heading=_heading(counts, words) if loaded else "",
        facets=search_facets.facets(counts, asked, words),
        is_cut=loaded is not None and loaded.page.is_cut,
        is_complete=loaded is None or loaded.is_complete,
        next_path=_path(asked, before=loaded.page.next) if loaded and loaded.page.next else None,
        first_path=_path(asked) if asked.before is not None else None,
        orders=[(by, _path(asked, by=by)) for by in ("date", "best")],
        wider=_wider(asked) if loaded and not loaded.page.keys else None,
        exports=[(kind, _export(asked, kind)) for kind in ("csv", "jsonl", "atom")],
        most=wording.number(words.say, search.COUNTED),
        help=[(FRENCH[field], _example(field, words)) for field in Field],
        short_id=short_id,
    )


async def add(request: web.Request) -> web.Response:
    """The mention is in the queue, put there by who asks; its page there follows."""
    form = await form_of(request)
    try:
        number = await site_of(request).actions.put_in_queue(
            form.get("mention", ""), actor=visitor_of(request).name
        )
    except InputError as error:
        raise web.HTTPNotFound from error
    return see(f"/queue/{number}?done=queued")


def parsed(request: web.Request) -> Search:
    """Return the search of the address; QueryError when it does not parse."""
    site = site_of(request)
    return parse_search(request.query.get("q", ""), zone=site.timezone, topics=site.topics)


def said(error: QueryError, words: Words) -> str:
    """Return what is wrong with a query, where, and how to write it."""
    key = f"search.error.{error.key}"
    if key not in words.say.messages:
        return words.say("search.error.other")
    values = {name: wording.visible(str(value)) for name, value in error.values.items()}
    problem = words.say(key, **values)
    if not error.column:
        return problem
    return words.say("search.error.at", column=error.column, problem=problem)


def _asked(request: web.Request) -> Asked:
    words, query = words_of(request), request.query
    before = query.get("before", "")
    is_number = before.isascii() and before.isdigit() and len(before) <= _ROW_DIGITS
    by = "best" if query.get("by") == "best" else "date"
    wanted, problem = None, None
    try:
        wanted = parsed(request) if "q" in query else None
    except QueryError as error:
        problem = said(error, words)
    return Asked(
        text=query.get("q", ""),
        by=by,
        before=int(before) if is_number else None,
        wanted=wanted,
        problem=problem,
    )


def _load(db: Db, wanted: Search, asked: Asked, words: Words) -> _Loaded:
    if asked.by == "best" and wanted.has_words:
        found = search.best(db, wanted, limit=2 * PAGE)
    else:
        found = search.page(db, wanted, limit=PAGE, before=asked.before)
    return _Loaded(
        page=found,
        counts=search.counts(db, wanted, now=words.now),
        mentions=mentions.stored(db, found.keys),
        items=queue.of_keys(db, found.keys),
        is_complete=facets.is_complete(db),
        marks=pulse.marks(db, ("gone",)),
    )


def _hits(loaded: _Loaded, asked: Asked, words: Words) -> list[Hit]:
    query = asked.wanted.words if asked.wanted is not None and asked.wanted.has_words else None
    return [
        Hit(
            mention=mention,
            item=loaded.items.get(key),
            pieces=_excerpt(mention, query),
            about=_about(mention, loaded.items.get(key), words),
        )
        for key in loaded.page.keys
        if (mention := loaded.mentions.get(key)) is not None
    ]


def _excerpt(mention: StoredMention, query: Query | None) -> list[Piece]:
    """Return the part of a text where the first match stands, with all matches in it."""
    text = mention.text
    spans = () if query is None else query.spans(text[:_LOOKED])
    first = spans[0][0] if spans else 0
    start = 0 if len(text) <= _WINDOW else max(0, min(first - _LEAD, len(text) - _WINDOW))
    if start:  # at a word
        start = text.find(" ", start, start + _LEAD // 2) + 1 or start
    shown = text[start : start + _WINDOW]
    moved = [(a - start, b - start) for a, b in spans if start <= a < start + _WINDOW]
    found = pieces(shown, masked=mention.masked, spans=moved)
    before = [Piece(text="… ")] if start else []
    after = [Piece(text="…")] if start + _WINDOW < len(text) else []
    return [*before, *found, *after]


def _about(mention: StoredMention, item: QueueItem | None, words: Words) -> list[str]:
    said_of = [words.source(mention.source), words.tone(mention)]
    if mention.author:
        said_of.append(words.say("search.author", name=mention.author[:8]))
    if item is not None:
        said_of += [short_id("Q", item.id), words.state(item.state)]
    return [part for part in said_of if part]


def _heading(counts: Counts, words: Words) -> str:
    count = wording.number(words.say, counts.total)
    if counts.has_more:
        return words.say("search.more_than", count=count)
    return words.say.count("search.count", counts.total, count=count)


def _wider(asked: Asked) -> str | None:
    """Return the path of the same words as beginnings, None where that is no other search."""
    wanted = asked.wanted
    if wanted is None or not asked.text.replace(" ", "").isalpha():
        return None
    if any(word.isupper() for word in asked.text.split()):  # AND, OR, NOT
        return None
    text = " ".join(f"{word}*" for word in asked.text.split() if len(word) > 2)  # noqa: PLR2004
    return path_to(text, asked.by) if text else None


def _path(asked: Asked, *, by: str | None = None, before: int | None = None) -> str:
    path = path_to(asked.text, by or asked.by)
    return path if before is None else f"{path}&before={before}"


def _export(asked: Asked, kind: str) -> str:
    return f"/search/export?{urlencode({'q': asked.text, 'format': kind})}"


def _example(each: Field, words: Words) -> str:
    """Return the values a filter takes, or one of them."""
    known = VALUES.get(each)
    if known is None and each is Field.TOPIC:
        known = words.topics
    return ", ".join(known.values()) if known else words.say(f"search.example.{each.value}")
