"""`/audit`: who did what, filtered, with before and after; whether the chain holds; the export."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from veille.store import audit, audit_trail
from veille.store.audit_trail import Checked, Entry, TrailFilter
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.web.audit_words import Trail, path_of
from veille.web.site import render, site_of, visitor_of, words_of
from veille.web.words import Words
from veille.wording.format import number, visible

PAGE = 50
"""Rows of a page: each may be several lines."""
BATCH = 1000
"""Rows of an export read at once: below 1 MB."""
_FIELDS = ("actor", "action", "target", "since", "until")
_LONGEST = 200
_DIGITS = 18  # of a row's number


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row as the page shows it; `path` leads to its target, None where it has no page."""

    seq: int
    at: datetime
    actor: str
    said: str
    action: str
    target: str
    path: str | None
    changes: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    entries: Sequence[Entry]
    actors: Sequence[str]
    actions: Sequence[str]
    checked: Checked


async def page(request: web.Request) -> web.Response:
    """The newest rows that the filter leaves; 400 for a filter that makes no sense."""
    site, words = site_of(request), words_of(request)
    where, before = asked(request), _before(request)
    rota = site.house.rota
    trail = Trail(words=words, people={} if rota is None else rota.names)
    loaded = await site.store.read(lambda db: _load(db, where, before))
    shown = loaded.entries[:PAGE]
    given = {name: request.query.get(name, "") for name in _FIELDS}
    query = urlencode({name: value for name, value in given.items() if value})
    is_more = len(loaded.entries) > PAGE
    after = urlencode([*((n, v) for n, v in given.items() if v), ("before", shown[-1].seq)])\
        if is_more else ""  # fmt: skip
    return render(
        request,
        "audit.html",
        rows=[_row(entry, trail) for entry in shown],
        given=given,
        query=query,
        visible=visible,
        actors=loaded.actors,
        actions=[(name, trail.action(name)) for name in loaded.actions],
        chain=_chain(loaded.checked, words),
        is_broken=loaded.checked.broken is not None,
        next_path=f"/audit?{after}" if after else None,
        first_path=(f"/audit?{query}" if query else "/audit") if before else None,
    )


async def export(request: web.Request) -> web.StreamResponse:
    """The rows that the filter leaves, newest first, as JSON Lines; who took them is a row too."""
    site, where = site_of(request), asked(request)
    response = web.StreamResponse(headers={
        "Content-Type": "application/jsonl; charset=utf-8",
        "Content-Disposition": 'attachment; filename="veille-audit.jsonl"',
    })  # fmt: skip
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    written = repr(where).encode("utf-8", "surrogatepass")
    after = {"format": "jsonl", "filter": hmac.digest(site.secret, written, "sha256").hex()[:16]}
    # before the first byte: whoever breaks off has had some of it
    note = partial(
        audit.add, at=site.now(), actor=visitor_of(request).name, action="export",
        target="audit", after=after,
    )  # fmt: skip
    last = await site.store.write(note)
    await response.prepare(request)
    with suppress(ConnectionError):  # who asked went away
        async for piece in _pieces(site.store, where, last):
            await response.write(piece)
        await response.write_eof()
    return response


async def _pieces(store: Store, where: TrailFilter, last: int) -> AsyncIterator[bytes]:
    """Yield the rows before `last`, a batch at a time."""
    before: int | None = last
    while before is not None:
        read = partial(audit_trail.page, where=where, limit=BATCH, before=before)
        found = await store.read(read)
        yield b"".join(msgspec.json.encode(entry) + b"\n" for entry in found)
        before = found[-1].seq if len(found) == BATCH else None


def _load(db: Db, where: TrailFilter, before: int | None) -> _Loaded:
    return _Loaded(
        entries=audit_trail.page(db, where, limit=PAGE + 1, before=before),
        actors=audit_trail.names(db, "actor"),
        actions=audit_trail.names(db, "action"),
        checked=audit_trail.checked(db),
    )


def asked(request: web.Request) -> TrailFilter:
    """Return the filter of the address; 400 for one that makes no sense."""
    given = {name: request.query.get(name, "").strip() for name in _FIELDS}
    if any(len(value) > _LONGEST for value in given.values()):
        raise web.HTTPBadRequest
    zone = site_of(request).timezone
    try:
        until = _day(given["until"], zone, later=1)
        return TrailFilter(
            actor=given["actor"] or None,
            action=given["action"] or None,
            target=given["target"] or None,
            since=_day(given["since"], zone),
            until=until,
        )
    except (ValueError, OverflowError) as error:
        raise web.HTTPBadRequest from error


def _day(written: str, zone: ZoneInfo, *, later: int = 0) -> datetime | None:
    """Return when this day, or one `later`, begins by the institution's clocks."""
    if not written:
        return None
    day = date.fromisoformat(written) + timedelta(days=later)
    begins = datetime.combine(day, time(), tzinfo=zone)
    begins.astimezone(ZoneInfo("UTC"))  # the first and last days of all have no other
    return begins


def _before(request: web.Request) -> int | None:
    written = request.query.get("before", "")
    if not written:
        return None
    if not (written.isascii() and written.isdigit() and len(written) <= _DIGITS):
        raise web.HTTPBadRequest
    return int(written)


def _row(entry: Entry, trail: Trail) -> Row:
    return Row(
        seq=entry.seq,
        at=entry.at,
        actor=visible(entry.actor),
        said=trail.action(entry.action),
        action=visible(entry.action),
        target=trail.target(entry),
        path=path_of(entry.target),
        changes=trail.changes(entry),
    )


def _chain(checked: Checked, words: Words) -> str:
    """Return whether the chain holds, and when that was seen last."""
    say = words.say
    if checked.done_at is None:
        count = number(say, checked.proof.seq)
        key = "pages.audit.chain.begun" if checked.proof.seq else "pages.audit.chain.never"
        return say(key, count=count)
    time_, count = words.at(checked.done_at), number(say, checked.count)
    if checked.broken is not None:
        return say("pages.audit.chain.broken", row=checked.broken, time=time_)
    return say.count("pages.audit.chain.whole", checked.count, count=count, time=time_)
