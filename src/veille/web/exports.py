"""Exports: a search or the queue as a file, streamed, and noted in the audit trail."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from aiohttp import web

from veille.domain.errors import InputError, QueryError
from veille.domain.queue_filter import QueueFilter, parse_filter
from veille.domain.search import Search
from veille.store import audit, mentions, queue, ranking, search
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.web import search_page
from veille.web.site import site_of, visitor_of, words_of
from veille.wording import export
from veille.wording.catalogue import Catalogue
from veille.wording.export import Entry, Format, Sheet

BATCH = 250
"""Mentions in memory at once: below 25 MB, were each of 100,000 characters."""
READ = 1_000  # keys listed by one read, so that pages are read in between


async def of_search(request: web.Request) -> web.StreamResponse:
    """The hits of the address's query, newest first, up to `search.COUNTED`."""
    try:
        wanted = search_page.parsed(request)
    except QueryError as error:
        raise web.HTTPBadRequest from error
    found = await hits(site_of(request).store, wanted)
    return await _send(request, found, what="search", query=wanted.text)


async def of_queue(request: web.Request) -> web.StreamResponse:
    """The items of the address's filter, the most pressing first, up to `search.COUNTED`."""
    query, now = request.query, words_of(request).now
    try:
        where = parse_filter({name: query.getall(name) for name in query})
    except InputError as error:
        raise web.HTTPBadRequest from error
    found = await items(site_of(request).store, where, now=now)
    return await _send(request, found, what="queue", query=where.query())


async def hits(store: Store, wanted: Search) -> list[str]:
    """Return keys of the hits, newest first: `search.COUNTED` at most, one more if there are."""
    found: list[str] = []
    before: int | None = None
    while len(found) <= search.COUNTED:
        read = partial(search.page, wanted=wanted, limit=READ, before=before)
        page = await store.read(read)
        found += page.keys
        before = page.next
        if before is None:
            break
    return found[: search.COUNTED + 1]


async def items(store: Store, where: QueueFilter, *, now: datetime) -> list[str]:
    """Return keys of what is in the queue, as `hits`."""
    most = search.COUNTED + 1
    ranked = await store.read(lambda db: ranking.ranked(db, where, now=now, limit=most))
    return [each.item.mention for each in ranked]


async def parts(
    store: Store, keys: Sequence[str], kind: Format, sheet: Sheet
) -> AsyncIterator[str]:
    """Yield the file piece by piece; what was deleted meanwhile is not in it."""
    yield export.head(kind, sheet)
    for first in range(0, len(keys), BATCH):
        read = partial(_entries, keys=keys[first : first + BATCH])
        yield export.body(kind, await store.read(read), sheet)
    yield export.foot(kind)


def sheet_of(
    what: str, query: str, *, institution: str, origin: str, secret: bytes, at: datetime,
    say: Catalogue,
) -> Sheet:  # fmt: skip
    """Return what an export says of itself.

    Its hash is keyed: the words somebody searched cannot be guessed from the audit trail.
    """
    asked = f"export {what} {query}".encode("utf-8", "surrogatepass")
    return Sheet(
        title=say(f"search.export.feed.{what}", institution=institution),
        host=urlsplit(origin).hostname or "localhost",
        hash=hmac.digest(secret, asked, "sha256").hex()[:16],
        at=at,
        say=say,
    )


def note(db: Db, sheet: Sheet, *, what: str, kind: Format, count: int, actor: str) -> None:
    """Who took how many of what is in the audit trail, the query only as a hash."""
    after = {"what": what, "format": kind.value, "count": count, "filter": sheet.hash}
    audit.add(db, at=sheet.at, actor=actor, action="export", target=what, after=after)


async def _send(
    request: web.Request, found: Sequence[str], *, what: str, query: str
) -> web.StreamResponse:
    site, kind = site_of(request), _kind(request)
    keys, is_partial = found[: search.COUNTED], len(found) > search.COUNTED
    sheet = sheet_of(
        what, query, institution=site.institution, origin=site.settings.origin,
        secret=site.secret, at=site.now(), say=site.say,
    )  # fmt: skip
    name = f"veille-{site.say('search.export.partial')}" if is_partial else "veille"
    response = web.StreamResponse(headers={
        "Content-Type": f"{export.TYPES[kind]}; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{name}-{what}.{kind.value}"',
        "Veille-Count": str(len(keys)),
        "Veille-Partial": str(is_partial).lower(),
    })  # fmt: skip
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    actor = visitor_of(request).name
    # before the first byte: whoever breaks off has had some of it
    await site.store.write(
        partial(note, sheet=sheet, what=what, kind=kind, count=len(keys), actor=actor)
    )
    await response.prepare(request)
    with suppress(ConnectionError):  # who asked went away
        async for piece in parts(site.store, keys, kind, sheet):
            await response.write(piece.encode())
        await response.write_eof()
    return response


def _entries(db: Db, keys: Sequence[str]) -> list[Entry]:
    found, owned = mentions.stored(db, keys), queue.of_keys(db, keys)
    return [(found[key], owned.get(key)) for key in keys if key in found]


def _kind(request: web.Request) -> Format:
    wanted = request.query.get("format", "csv")
    if wanted not in set(Format):
        raise web.HTTPBadRequest
    return Format(wanted)
