"""Polls one RSS, Atom or JSON feed, asking only for what changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from veille.collectors.base import FeedSource
from veille.collectors.feed_parse import parse_feed
from veille.collectors.feed_state import FeedState, advance, read_state, write_state
from veille.domain.clock import utc_now
from veille.domain.errors import SourceError
from veille.domain.mention import Batch
from veille.net.client import Client, Response
from veille.net.retry import retry_after_s

_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/json;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.7, */*;q=0.1"
)
_FINAL = {
    400: "the request is refused: check the address",
    401: "a login is asked for: give an address that needs none",
    403: "access is refused: ask the publisher to let veille in",
    404: "nothing is there: check the address",
    410: "the feed is gone for good: remove this source",
}


class FeedCollector:
    """A PullCollector of one feed; the client is open and belongs to the caller."""

    def __init__(
        self, settings: FeedSource, client: Client, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._settings = settings
        self._client = client
        self._now = now

    async def read(self, cursor: str | None) -> Batch:
        """Return new and edited entries, oldest first, and the cursor that remembers them all."""
        state = read_state(cursor)
        if state.url != self._settings.url:
            state = FeedState(url=self._settings.url, seen=state.seen)
        response, moved_to = await self._answer(state)
        if response.status == HTTPStatus.NOT_MODIFIED:
            return Batch(cursor=cursor)
        self._check(response)
        feed = await asyncio.to_thread(
            parse_feed,
            response.body,
            content_type=response.headers.get("content-type", ""),
            url=response.url,
        )
        mentions, seen = advance(
            state.seen,
            feed.items,
            source=self._settings.id,
            own=self._settings.own,
            now=self._now(),
        )
        state = FeedState(
            url=self._settings.url,
            moved_to=moved_to,
            etag=_sendable(response.headers.get("etag")),
            modified=_sendable(response.headers.get("last-modified")),
            seen=seen,
        )
        return Batch(mentions=mentions, cursor=write_state(state), rejected=feed.rejected)

    async def _answer(self, state: FeedState) -> tuple[Response, str | None]:
        """Return the answer, and where the feed has moved for good, if it has."""
        moved_to, url = state.moved_to, self._settings.url
        if moved_to is not None and self._client.may_visit(moved_to, start=url):
            response = await self._get(moved_to, state)
            if response.status not in _FINAL:
                return response, response.moved_to or moved_to
        if moved_to is not None:  # it is no more, or no longer listed: the old address again
            state = FeedState(url=url, seen=state.seen)
        response = await self._get(url, state)
        return response, response.moved_to

    async def _get(self, url: str, state: FeedState) -> Response:
        headers = {"Accept": _ACCEPT}
        if state.etag:
            headers["If-None-Match"] = state.etag
        if state.modified:
            headers["If-Modified-Since"] = state.modified
        return await self._client.get(url, headers=headers, limit_bytes=self._settings.limit_bytes)

    def _check(self, response: Response) -> None:
        status = response.status
        if status == HTTPStatus.OK:
            return
        what = f"source {self._settings.id}: HTTP {status}"
        if status in _FINAL:
            raise SourceError(f"{what}: {_FINAL[status]}", may_retry=False)
        wait_s = retry_after_s(response.headers.get("retry-after"), self._now())
        raise SourceError(f"{what}: will be asked again", retry_after_s=wait_s)


def _sendable(header: str | None) -> str | None:
    """Return the header as received, or None if its bytes cannot be sent back as such."""
    try:
        return header if header and header.encode() else None
    except UnicodeEncodeError:
        return None
