"""`GET /live`: one stream of events a page, which says what of it has changed in the store."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from aiohttp import web

from veille.domain.clock import monotonic_s
from veille.domain.errors import StoreError
from veille.store import erasure, pulse, users
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.web.sessions import IDLE
from veille.web.site import site_of, visitor_of
from veille.wording import format as wording

TICK_S = 1.0
"""How often the store is asked whether anything was committed: once for all streams."""
BEAT_S = 15.0
"""A proxy closes what is silent for a minute (nginx, proxy_read_timeout)."""
MOST = 4
"""Streams of one session; a browser opens six connections to a host without HTTP/2."""
_INBOX = 50
_TOPICS = 12
_WRITE_S = 10.0
_RETRY_MS = 3000
_ASKED = 100
"""Mentions of one question: 3.3 kB of an address, of 8 kB that a proxy takes."""
_KEYS = re.compile(rf"[0-9a-f]{{32}}(?:\.[0-9a-f]{{32}}){{0,{_ASKED - 1}}}", re.ASCII)
_SEEN = re.compile(rf"(?:{pulse.TOPIC.pattern})\.[0-9a-f]{{12}}", re.ASCII)


class Stream:
    """One page's stream: what it watches, with the marks it was told, and why it ends."""

    def __init__(self, session: str, seen: Mapping[str, str]) -> None:
        self.session = session
        self.seen = dict(seen)
        self.inbox: deque[str] = deque(maxlen=_INBOX)
        self.wake = asyncio.Event()
        self.end = ""

    def finish(self, why: str) -> None:
        """It ends at once; `why` is the event that says so, if any."""
        self.end = self.end or why
        self.wake.set()


class Hub:
    """Knows every open stream, and looks at the store once for all of them. Used from one loop."""

    def __init__(self, store: Store, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._streams: list[Stream] = []
        self._marks: Mapping[str, str] = {}
        self._version: int | None = None
        self._looked_s = self._read_s = float("-inf")
        self._look = asyncio.Lock()
        self._is_closed = False

    def publish(self, topic: str, data: Mapping[str, object]) -> None:
        """Every page that watches `topic` hears `data`: what is not in the store, such as presence.

        The page's scripts hear it as the event `veille:<kind>`, where `kind` is in `data`.
        """
        said = json.dumps({"topic": topic, "data": data})
        for stream in self._streams:
            if topic in stream.seen:
                stream.inbox.append(said)
                stream.wake.set()

    async def close(self, app: web.Application) -> None:
        """Every stream ends: a stopping daemon waits for none."""
        del app
        self._is_closed = True
        for stream in self._streams:
            stream.finish("stop")

    @contextmanager
    def joined(self, session: str, seen: Mapping[str, str]) -> Iterator[Stream]:
        """Yield a stream that is known here meanwhile; the session's oldest makes room."""
        stream = Stream(session, seen)
        same = [other for other in self._streams if other.session == session]
        for other in same[: max(0, len(same) + 1 - MOST)]:
            other.finish("rest")
        self._streams.append(stream)
        if self._is_closed:
            stream.finish("stop")
        try:
            yield stream
        finally:
            self._streams.remove(stream)

    async def news(self, stream: Stream) -> list[str]:
        """Return the topics that changed since the stream was told; now it counts as told."""
        await self._refresh(stream)
        changed = [t for t, mark in stream.seen.items() if self._marks.get(t, mark) != mark]
        stream.seen |= {topic: self._marks[topic] for topic in changed}
        return changed

    async def _refresh(self, stream: Stream) -> None:
        async with self._look:
            now_s = monotonic_s()
            is_new = not stream.seen.keys() <= self._marks.keys()
            if not is_new and now_s - self._looked_s < TICK_S / 2:
                return
            self._looked_s = now_s
            version = await self._store.data_version()
            if not is_new and version == self._version and now_s - self._read_s < BEAT_S:
                return
            # the version first: what is committed between the two is told again, never missed
            self._version, self._read_s = version, now_s
            topics = {topic for each in self._streams for topic in each.seen}
            sessions, now = {each.session for each in self._streams}, self._now()
            self._marks, over = await self._store.read(
                lambda db: (pulse.marks(db, topics), _over(db, sessions, now))
            )
        for each in self._streams:
            if each.session in over:
                each.finish("over")


def _over(db: Db, sessions: Iterable[str], now: datetime) -> set[str]:
    found = {session: users.session(db, session, now=now) for session in sessions}
    return {name for name, one in found.items() if one is None or now - one[0].seen_at > IDLE}


HUB = web.AppKey("hub", Hub)


def _seen(text: str) -> dict[str, str]:
    parts = text.split()
    if not 0 < len(parts) <= _TOPICS or not all(_SEEN.fullmatch(part) for part in parts):
        raise web.HTTPBadRequest
    return dict(part.split(".", 1) for part in parts)


async def page_stream(request: web.Request) -> web.StreamResponse:
    """Tell what changes on a page from `since` (or Last-Event-ID) on, until its session ends."""
    seen = _seen(request.headers.get("Last-Event-ID") or request.query.get("since", ""))
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return web.Response(headers=headers)
    hub, response = request.app[HUB], web.StreamResponse(headers=headers)
    with hub.joined(visitor_of(request).session, seen) as mine:
        await response.prepare(request)
        try:
            await _write(response, f"retry: {_RETRY_MS}\n\n")
            await _tell(request, response, mine)
        except (ConnectionError, TimeoutError, StoreError):
            pass  # the page was left, or network or store are gone: it asks again, ever later
    return response


async def gone(request: web.Request) -> web.Response:
    """Which of the mentions that a page quotes are not kept any more: their texts leave it."""
    asked = request.query.get("mentions", "")
    if not _KEYS.fullmatch(asked):
        raise web.HTTPBadRequest
    keys = asked.split(".")
    return web.json_response(await site_of(request).store.read(lambda db: erasure.gone(db, keys)))


async def _tell(request: web.Request, response: web.StreamResponse, mine: Stream) -> None:
    beat_s = float("-inf")
    while request.transport is not None and not request.transport.is_closing():
        mine.wake.clear()  # before the look, so that a wake during it is kept
        changed = await request.app[HUB].news(mine)
        if mine.end:
            await _write(response, _event(mine.end))
            return
        said = []
        if (now_s := monotonic_s()) - beat_s >= BEAT_S:
            beat_s = now_s
            said.append(": beat\n" + _event("beat", _clock(request)))
        if changed:
            said.append(_event("change", " ".join(changed), id=_since(mine.seen)))
        while mine.inbox:
            said.append(_event("told", mine.inbox.popleft()))
        if said:
            await _write(response, "".join(said))
        try:
            async with asyncio.timeout(TICK_S):
                await mine.wake.wait()
        except TimeoutError:
            pass


def _clock(request: web.Request) -> str:
    site = site_of(request)
    return wording.clock(site.say, site.shown_now(), str(site.timezone))


def _since(marks: Mapping[str, str]) -> str:
    return " ".join(f"{topic}.{mark}" for topic, mark in marks.items())


def _event(name: str, data: str = "", *, id: str | None = None) -> str:
    mark = "" if id is None else f"id: {id}\n"
    return f"{mark}event: {name}\ndata: {data}\n\n"


async def _write(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(_WRITE_S):
        await response.write(text.encode())
