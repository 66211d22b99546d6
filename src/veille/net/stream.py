"""Streams: guarded websockets and server-sent events, read in steps that always end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Literal, TypeVar

import aiohttp
from aiohttp import WSMsgType

from veille.domain.errors import ConfigError, SourceError
from veille.net.client import TRANSPORT_ERRORS, Client, host_of
from veille.net.events import Event, EventParser

LIMIT_BYTES = 4 * 1024 * 1024
CONNECT_S = 15.0
HEARTBEAT_S = 30.0
"""A websocket that does not answer a ping sent this often is dead, however quiet it may be."""
CLOSE_S = 2.0
WAIT_S = 1.0
LINGER_S = 0.2
"""How long after its first item a step waits for more: fewer transactions, little delay."""

Refusal = Callable[[int, Mapping[str, str]], SourceError]
"""Makes the error of an HTTP status (not 101, not 200) and its lower-case headers."""

Item = TypeVar("Item")


class Socket:
    """A websocket that listens; made by `open_socket`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[Literal[False]], host: str) -> None:
        self._socket = socket
        self._host = host
        self._heard_at = asyncio.get_running_loop().time()

    @property
    def silence_s(self) -> float:
        """Seconds since the last frame; heartbeats do not count."""
        return asyncio.get_running_loop().time() - self._heard_at

    async def receive(self) -> bytes:
        """Return the next frame; cancelled while it waits, it loses none. SourceError at the end.

        A frame over the limit of `open_socket` ends the connection.
        """
        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
            self._heard_at = asyncio.get_running_loop().time()
            data: bytes = message.data
            return data
        raise SourceError(f"{self._host}: the stream ended (code {self._socket.close_code})")


class EventStream:
    """A stream of server-sent events; made by `open_events`."""

    def __init__(self, answer: aiohttp.ClientResponse, host: str, *, limit_bytes: int) -> None:
        self._answer = answer
        self._host = host
        self._parser = EventParser(limit_bytes=limit_bytes)
        self._ready: deque[Event] = deque()
        self._error: SourceError | None = None
        self._heard_at = asyncio.get_running_loop().time()

    @property
    def silence_s(self) -> float:
        """Seconds since the last byte; heartbeats are bytes."""
        return asyncio.get_running_loop().time() - self._heard_at

    async def receive(self) -> Event:
        """Return the next event; cancelled while it waits, it loses none. SourceError at the end.

        An event over the limit of `open_events` ends the stream.
        """
        while not self._ready:
            if self._error is not None:
                raise self._error
            try:
                part = await self._answer.content.readany()
            except (*TRANSPORT_ERRORS, RuntimeError) as error:  # RuntimeError: "Connection closed."
                what = type(error).__name__
                raise SourceError(f"{self._host}: the stream broke ({what})") from error
            if not part:
                raise SourceError(f"{self._host}: the stream ended")
            self._heard_at = asyncio.get_running_loop().time()
            try:
                self._ready.extend(self._parser.feed(part))
            except SourceError as error:  # for good: the next call must not read on
                self._error = SourceError(f"{self._host}: {error}")
        return self._ready.popleft()


async def gather(
    receive: Callable[[], Awaitable[Item]],
    *,
    limit: int,
    wait_s: float = WAIT_S,
    linger_s: float = LINGER_S,
) -> list[Item]:
    """Return up to `limit` items: those of `linger_s` after the first; none after `wait_s`.

    Raises what `receive` raises only when nothing came before: it raises again at the next call.
    """
    found: list[Item] = []
    now = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(wait_s) as deadline:
            found.append(await receive())
            deadline.reschedule(now() + linger_s)
            while len(found) < limit:
                found.append(await receive())
    except TimeoutError:
        pass
    except SourceError:
        if not found:
            raise
    return found


@asynccontextmanager
async def open_socket(
    client: Client, url: str, *, refusal: Refusal, limit_bytes: int = LIMIT_BYTES
) -> AsyncIterator[Socket]:
    """Yield a websocket to a ws or wss URL; SourceError when it is refused or fails in 15 s."""
    host = host_of(url)
    # the guard knows http and https, which mean the same here
    address = "http" + url.removeprefix("ws") if url.startswith("ws") else url
    try:
        async with asyncio.timeout(CONNECT_S):
            socket = await client.session().ws_connect(
                address,
                heartbeat=HEARTBEAT_S,
                max_msg_size=limit_bytes,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                decode_text=False,
            )
    except aiohttp.WSServerHandshakeError as error:
        raise refusal(error.status, _lower(error.headers or {})) from error
    except ConfigError as error:
        raise SourceError(str(error), may_retry=False) from error
    except (*TRANSPORT_ERRORS, ValueError) as error:
        raise _unreachable(host, error) from error
    try:
        yield Socket(socket, host)
    finally:
        await socket.close()  # CLOSE_S at most


@asynccontextmanager
async def open_events(
    client: Client,
    url: str,
    *,
    headers: Mapping[str, str],
    refusal: Refusal,
    limit_bytes: int = LIMIT_BYTES,
) -> AsyncIterator[EventStream]:
    """Yield an event stream; SourceError when it is refused or fails within 15 s."""
    host = host_of(url)
    # identity: a compressor may hold back the end of an event until the next one
    asked = {"Accept": "text/event-stream", "Accept-Encoding": "identity", **headers}
    try:
        async with asyncio.timeout(CONNECT_S):
            answer = await client.session().get(url, headers=asked)
    except ConfigError as error:
        raise SourceError(str(error), may_retry=False) from error
    except (*TRANSPORT_ERRORS, ValueError) as error:
        raise _unreachable(host, error) from error
    try:
        if answer.status != HTTPStatus.OK:
            raise refusal(answer.status, _lower(answer.headers))
        if answer.content_type != "text/event-stream":
            raise SourceError(f"{host}: no event stream there: check the address")
        yield EventStream(answer, host, limit_bytes=limit_bytes)
    finally:
        answer.close()


def _unreachable(host: str, error: Exception) -> SourceError:
    if isinstance(error, TimeoutError):
        return SourceError(f"{host}: no answer within {CONNECT_S:g} s")
    # str(error) may hold the whole URL, and with it a secret
    return SourceError(f"{host}: {type(error).__name__}: is it up, and the URL right?")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
