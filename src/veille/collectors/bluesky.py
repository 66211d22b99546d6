"""Listens to Bluesky through a Jetstream v1 server, from the time of the last frame stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlencode

from veille.collectors.base import BlueskySource
from veille.collectors.jetstream import parse_frames
from veille.domain.clock import utc_now
from veille.domain.durations import parse_duration
from veille.domain.errors import SourceError
from veille.domain.mention import Batch
from veille.net.client import Client
from veille.net.retry import retry_after_s
from veille.net.stream import gather, open_socket

REWIND_US = 5_000_000
"""Servers differ by a few seconds in when they saw what (Jetstream, README, "Public Instances")."""
MAX_FRAMES = 1_000
MAX_FRAME_BYTES = 2 * 1024 * 1024
"""Twice what an AT Protocol record may have (1 MiB); the server is asked to send none larger."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FINAL = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} | {
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
}


class BlueskyCollector:
    """A StreamCollector; after a failure the next of its addresses is tried.

    The cursor is a time, the same on every server. One that is older than a server's history
    (about 36 hours) is moved up by the server without a word: what lies between is lost.
    """

    def __init__(
        self, settings: BlueskySource, client: Client, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._settings = settings
        self._client = client
        self._now = now
        self._failures = 0

    async def flow(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Yield batches from a little before `cursor`; without one, from now on."""
        urls = self._settings.urls
        url = urls[self._failures % len(urls)]
        try:
            async with open_socket(
                self._client,
                f"{url}{'&' if '?' in url else '?'}{self._query(cursor)}",
                refusal=self._refusal,
                limit_bytes=MAX_FRAME_BYTES,
            ) as socket:
                # a stream that is quiet from its first day on resumes from here, too
                yield Batch(cursor=_micros(self._now()) if cursor is None else None)
                while True:
                    frames = await gather(socket.receive, limit=MAX_FRAMES)
                    self._check_silence(socket.silence_s)
                    yield await asyncio.to_thread(
                        parse_frames, frames, source=self._settings.id, own=self._settings.own
                    )
        except SourceError:
            self._failures += 1
            raise

    def _query(self, cursor: str | None) -> str:
        asked = [("wantedCollections", name) for name in self._settings.collections]
        asked += [("wantedDids", did) for did in self._settings.dids]
        asked.append(("maxMessageSizeBytes", str(MAX_FRAME_BYTES)))
        if cursor is not None and cursor.isascii() and cursor.isdigit():
            asked.append(("cursor", str(max(0, int(cursor) - REWIND_US))))
        return urlencode(asked)

    def _check_silence(self, silence_s: float) -> None:
        """A server that has nothing from anybody has lost its own source; one account may sleep."""
        limit_s = parse_duration(self._settings.silence).total_seconds()
        if silence_s > limit_s and not self._settings.dids:
            raise SourceError(
                f"source {self._settings.id}: nothing for {self._settings.silence}: the next "
                "address is tried"
            )

    def _refusal(self, status: int, headers: Mapping[str, str]) -> SourceError:
        what = f"source {self._settings.id}: HTTP {status}"
        if status in _FINAL:
            return SourceError(
                f"{what}: no Jetstream v1 for these settings: check urls, collections and dids",
                may_retry=len(self._settings.urls) > 1,
            )
        wait_s = retry_after_s(headers.get("retry-after"), self._now())
        return SourceError(f"{what}: will be asked again", retry_after_s=wait_s)


def _micros(moment: datetime) -> str:
    return str((moment - _EPOCH) // timedelta(microseconds=1))
