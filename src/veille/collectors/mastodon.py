"""Listens to streams of one Mastodon server; what it missed is read from the timelines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from urllib.parse import quote

from veille.collectors.base import MastodonSource
from veille.collectors.mastodon_parse import (
    Item,
    Origin,
    read_event,
    read_notification,
    read_status,
    tombstone,
)
from veille.collectors.mastodon_rest import (
    WINDOW,
    Places,
    Stream,
    elements,
    following,
    pause,
    refusal,
    remaining,
    stream_of,
    streaming_base,
)
from veille.domain.clock import utc_now
from veille.domain.errors import MentionError, SourceError
from veille.domain.mention import Batch, Mention, Rejection
from veille.net.client import Client, Response, host_of
from veille.net.events import Event
from veille.net.stream import EventStream, gather, open_events
from veille.telemetry.metrics import metrics

SILENCE_S = 60.0
"""Four of the heartbeats that come every 15 s (mastodon/mastodon, streaming/index.js)."""
MAX_EVENTS = 500
WAIT_S = 1.0
TURN_S = 0.25
"""How long one of several streams is listened to before the next has its turn."""
LINGER_S = 0.2
TICK = timedelta(seconds=1)

Found = tuple[str, Callable[[], Item]]
"""The name of a stream, and what reads one thing it gave; reading may raise MentionError."""

Kept = Callable[[], Awaitable[Sequence[str]]]
"""Gives the native ids of the newest posts of this source that are stored, newest first."""
_BROKEN = HTTPStatus.INTERNAL_SERVER_ERROR
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


async def _nothing() -> Sequence[str]:
    return ()


class MastodonCollector:
    """A StreamCollector of some streams of one server, each over its own connection.

    Nothing is replayed by the server. So every connection is opened first, then the timelines are
    read from the cursor on, and only then the streams, which waited meanwhile: what comes twice is
    the same mention. A source without a cursor starts with the newest page of each timeline.
    What was stored before and is on no page is asked for by name, one post a turn: no stream tells
    afterwards what was edited or deleted meanwhile.
    """

    def __init__(
        self,
        settings: MastodonSource,
        client: Client,
        *,
        token: str | None,
        kept: Kept = _nothing,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings = settings
        self._client = client
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._kept = kept
        self._now = now
        self._ask_at = now()
        self._url = settings.url.rstrip("/")
        self._streams = [stream_of(name) for name in dict.fromkeys(settings.streams)]
        self._origin = Origin(source=settings.id, host=host_of(settings.url), own=settings.own)

    async def flow(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Yield what was missed since `cursor`, then what comes."""
        places = Places(cursor, [stream.name for stream in self._streams])
        unsure = dict.fromkeys(await self._kept())
        base = await self._base()
        async with AsyncExitStack() as stack:
            connections = [
                (stream, await stack.enter_async_context(self._open(base, stream)))
                for stream in self._streams
            ]
            yield Batch()
            for stream in self._streams:
                async with aclosing(self._missed(stream, places)) as batches:
                    async for batch in batches:
                        for mention in batch.mentions:
                            unsure.pop(mention.id, None)
                        yield batch
            while True:
                found = await self._listen(connections)
                found += await self._ask(unsure)
                yield await asyncio.to_thread(_batch, found, places)

    async def _missed(self, stream: Stream, places: Places) -> AsyncGenerator[Batch, None]:
        """Yield the timeline from its place on, oldest first; without a place its newest page."""
        place = start = places.start(stream.name)
        while True:
            page = await self._get(stream.page(place))
            found = await asyncio.to_thread(self._elements, page, stream)
            yield await asyncio.to_thread(_batch, found, places)
            until = self._now() + pause(page.headers, self._now())
            while (wait := until - self._now()) > timedelta(0):
                await asyncio.sleep(min(TICK, wait).total_seconds())
                yield Batch()
            before, place = place, following(page.headers) or places.newest(stream.name)
            if start is None or not found or place == before:
                return

    async def _ask(self, unsure: dict[str, None]) -> list[Found]:
        """Return what became of one of these posts, which is unsure no more; later if refused."""
        if not unsure or self._now() < self._ask_at:
            return []
        id_ = next(iter(unsure))
        try:
            answer = await self._fetch(f"/api/v1/statuses/{quote(id_, safe='')}")
            if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= _BROKEN:
                raise self._refusal(answer.status, answer.headers)
        except SourceError as error:  # the streams flow on all the same
            wait = timedelta(seconds=error.retry_after_s or 0)
            self._ask_at = self._now() + max(wait, WINDOW)
            return [("", partial(_unanswered, str(error)))]
        del unsure[id_]
        self._ask_at = self._now() + pause(answer.headers, self._now())
        return [("", partial(self._answer, id_, answer))]

    def _answer(self, id_: str, answer: Response) -> Item:
        if answer.status in _GONE:
            return Item(mention=tombstone(id_, self._origin, now=self._now()))
        if answer.status != HTTPStatus.OK:
            return Item()  # hidden from us, not gone
        return Item(mention=read_status(answer.body, self._origin).mention)

    async def _listen(self, connections: Sequence[tuple[Stream, EventStream]]) -> list[Found]:
        """Return what came on the streams, heard in turn: only the runner may make tasks."""
        count = len(connections)
        wait_s = WAIT_S if count == 1 else min(TURN_S, WAIT_S / count)
        found: list[Found] = []
        for stream, events in connections:
            heard = await gather(
                events.receive, limit=MAX_EVENTS, wait_s=wait_s, linger_s=min(LINGER_S, wait_s)
            )
            if events.silence_s > SILENCE_S:
                raise SourceError(f"source {self._origin.source}: no heartbeat on {stream.name}")
            found += [(stream.name, partial(self._event, event)) for event in heard]
        return found

    def _event(self, event: Event) -> Item:
        return read_event(event.name, event.data, self._origin, now=self._now())

    def _elements(self, page: Response, stream: Stream) -> list[Found]:
        read = read_notification if stream.is_notifications else read_status
        newest_first = elements(page, self._origin.source)
        return [(stream.name, partial(read, raw, self._origin)) for raw in reversed(newest_first)]

    def _open(self, base: str, stream: Stream) -> AbstractAsyncContextManager[EventStream]:
        return open_events(
            self._client, base + stream.streaming, headers=self._headers, refusal=self._refusal
        )

    async def _base(self) -> str:
        """Return where the streams are: on this host, or on another that the settings list."""
        for path in ("/api/v2/instance", "/api/v1/instance"):
            answer = await self._client.get(self._url + path, headers=self._headers)
            said = answer.status == HTTPStatus.OK
            base = streaming_base(answer.body, url=self._url) if said else None
            if base is not None:
                break
        else:
            return self._url
        if not self._client.may_visit(base, start=self._url):
            host = host_of(base)
            raise SourceError(
                f"source {self._origin.source}: its streams are on {host}, which is not listed. If "
                f'it is meant, add to this source the line: allow_hosts = ["{host}"]',
                may_retry=False,
            )
        return base

    async def _get(self, path: str) -> Response:
        answer = await self._fetch(path)
        if answer.status != HTTPStatus.OK:
            raise self._refusal(answer.status, answer.headers)
        return answer

    async def _fetch(self, path: str) -> Response:
        answer = await self._client.get(self._url + path, headers=self._headers)
        if (left := remaining(answer.headers)) is not None:
            metrics().quota.labels(self._origin.source).set(left)
        return answer

    def _refusal(self, status: int, headers: Mapping[str, str]) -> SourceError:
        return refusal(self._origin.source, status, headers, self._now())


def _unanswered(why: str) -> Item:
    raise MentionError(f"a stored post cannot be asked for: {why}")


def _batch(found: Sequence[Found], places: Places) -> Batch:
    """Return what was read, in order, with the cursor after it; empty without a cursor."""
    mentions: list[Mention] = []
    rejected: list[Rejection] = []
    unknown = 0
    for number, (name, read) in enumerate(found, start=1):
        try:
            item = read()
        except MentionError as error:
            rejected.append(Rejection(line=number, reason=str(error)))
            continue
        unknown += not item.is_known
        if item.place is not None:
            places.advance(name, item.place)
        if item.mention is not None:
            mentions.append(item.mention)
    return Batch(
        mentions=tuple(mentions),
        cursor=places.cursor() if found else None,
        rejected=tuple(rejected),
        unknown_field_count=unknown,
        is_ordered=True,  # each stream says itself what it deletes, after it said what it posts
    )
