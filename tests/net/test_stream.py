"""Streams: guarded, bounded in time and size, and never losing what came while nobody waited."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import SourceError
from veille.net.client import Client
from veille.net.events import Event, EventParser
from veille.net.stream import gather, open_events, open_socket

LIMIT = 1_000


class Platform:
    """Serves /ws and /sse; a test says what they send, piece by piece."""

    def __init__(self) -> None:
        self.seen: list[Mapping[str, str]] = []
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        app = web.Application()
        app.router.add_get("/ws", self._ws)
        app.router.add_get("/quiet/{answers}", self._quiet)
        app.router.add_get("/sse", self._sse)
        app.router.add_get("/no", self._no)
        app.router.add_get("/page", self._page)
        app.router.add_get("/to", self._to)
        self.server = TestServer(app, host="127.0.0.1")

    def url(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server.port}{path}"

    def send(self, *pieces: bytes | None) -> None:
        """Send these; None ends the stream."""
        for piece in pieces:
            self.pieces.put_nowait(piece)

    async def _ws(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        while (piece := await self.pieces.get()) is not None:
            await socket.send_bytes(piece)
        await socket.close(code=1013)
        return socket

    async def _quiet(self, request: web.Request) -> web.StreamResponse:
        """Say nothing; answer pings or not."""
        socket = web.WebSocketResponse(autoping=request.match_info["answers"] == "pongs")
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    async def _sse(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.headers)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await answer.prepare(request)
        while (piece := await self.pieces.get()) is not None:
            await answer.write(piece)
        return answer

    async def _no(self, request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "5"})

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text="bonjour")

    async def _to(self, request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "https://ailleurs.example/"})


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    made = Platform()
    await made.server.start_server()
    yield made
    made.send(None, None)
    await made.server.close()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(allow_private=True) as opened:
        yield opened


def refusal(status: int, headers: Mapping[str, str]) -> SourceError:
    wait = headers.get("retry-after")
    return SourceError(f"refused with {status}", retry_after_s=float(wait) if wait else None)


async def test_frames_arrive_in_order_and_the_end_is_an_error(
    platform: Platform, client: Client
) -> None:
    async with open_socket(client, platform.url("/ws", "ws"), refusal=refusal) as socket:
        platform.send(b"un", b"deux", None)
        assert [await socket.receive(), await socket.receive()] == [b"un", b"deux"]
        for _ in range(2):
            with pytest.raises(SourceError, match=r"127.0.0.1: the stream ended \(code 1013\)"):
                await socket.receive()


async def test_waiting_in_vain_loses_no_frame(platform: Platform, client: Client) -> None:
    async with open_socket(client, platform.url("/ws", "ws"), refusal=refusal) as socket:
        assert await gather(socket.receive, limit=9, wait_s=0.01) == []
        platform.send(b"un", b"deux", b"trois")
        first = await gather(socket.receive, limit=2)
        assert first + await gather(socket.receive, limit=9) == [b"un", b"deux", b"trois"]
        assert socket.silence_s < 5


async def test_what_came_before_the_end_is_given_first(platform: Platform, client: Client) -> None:
    async with open_socket(client, platform.url("/ws", "ws"), refusal=refusal) as socket:
        platform.send(b"un", None)
        assert await gather(socket.receive, limit=9) == [b"un"]
        with pytest.raises(SourceError):
            await gather(socket.receive, limit=9)


@pytest.mark.parametrize(("answers", "is_kept"), [("pongs", True), ("nothing", False)])
async def test_a_quiet_connection_is_kept_only_while_pings_are_answered(
    platform: Platform, client: Client, monkeypatch: pytest.MonkeyPatch, answers: str, is_kept: bool
) -> None:
    monkeypatch.setattr("veille.net.stream.HEARTBEAT_S", 0.6)
    url = platform.url(f"/quiet/{answers}", "ws")
    ended = False
    async with open_socket(client, url, refusal=refusal) as socket:
        try:
            for _ in range(40):
                assert await gather(socket.receive, limit=9, wait_s=0.05) == []
        except SourceError:
            ended = True
    assert ended is not is_kept


async def test_a_frame_that_is_too_large_ends_the_stream(
    platform: Platform, client: Client
) -> None:
    address = platform.url("/ws", "ws")
    async with open_socket(client, address, refusal=refusal, limit_bytes=LIMIT) as socket:
        platform.send(b"x" * (LIMIT + 1))
        with pytest.raises(SourceError, match="code 1009"):
            await socket.receive()


async def test_events_arrive_however_they_are_cut(platform: Platform, client: Client) -> None:
    headers = {"Authorization": "Bearer jeton"}
    async with open_events(
        client, platform.url("/sse"), headers=headers, refusal=refusal
    ) as events:
        platform.send(b":)\nevent: upd", b"ate\ndata: {}\n", b"\n:thump\ndata: 1\n\n", None)
        assert await gather(events.receive, limit=9) == [
            Event("update", b"{}"),
            Event("message", b"1"),
        ]
        with pytest.raises(SourceError, match="ended"):
            await events.receive()
    assert platform.seen[0]["Authorization"] == "Bearer jeton"
    assert platform.seen[0]["Accept-Encoding"] == "identity"


async def test_an_event_that_is_too_large_ends_the_stream(
    platform: Platform, client: Client
) -> None:
    async with open_events(
        client, platform.url("/sse"), headers={}, refusal=refusal, limit_bytes=LIMIT
    ) as events:
        platform.send(b"data: petit\n\n")
        assert await gather(events.receive, limit=9) == [Event("message", b"petit")]
        platform.send(b"data: " + b"x" * 2 * LIMIT, b"\n\ndata: suite\n\n")
        for _ in range(2):
            with pytest.raises(SourceError, match="over 1000 bytes"):
                await events.receive()


@pytest.mark.parametrize("path", ["/no", "/page", "/to"])
async def test_what_is_no_stream_is_refused(platform: Platform, client: Client, path: str) -> None:
    for opening in (
        open_socket(client, platform.url(path, "ws") + "?jeton=secret", refusal=refusal),
        open_events(client, platform.url(path + "?s=secret"), headers={}, refusal=refusal),
    ):
        with pytest.raises(SourceError) as caught:
            async with opening:
                pass
        assert "secret" not in str(caught.value)
        assert caught.value.may_retry is (path != "/to")
        assert caught.value.retry_after_s == (5 if path == "/no" else None)


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_private_address_needs_the_flag(platform: Platform, scheme: str) -> None:
    async with Client() as closed:
        for host in ("127.0.0.1", "localhost"):
            url = platform.url("/sse", scheme).replace("127.0.0.1", host)
            opening = (
                open_socket(closed, url, refusal=refusal)
                if scheme == "ws"
                else open_events(closed, url, headers={}, refusal=refusal)
            )
            with pytest.raises(SourceError, match="allow_private = true") as caught:
                async with opening:
                    pass
            assert not caught.value.may_retry
    assert platform.seen == []


async def test_a_server_that_is_down_is_named_without_its_address(client: Client) -> None:
    for opening in (
        open_socket(client, "ws://127.0.0.1:1/secret?secret", refusal=refusal),
        open_events(client, "http://127.0.0.1:1/secret", headers={}, refusal=refusal),
        open_events(client, "http://[", headers={}, refusal=refusal),
    ):
        with pytest.raises(SourceError) as caught:
            async with opening:
                pass
        assert "secret" not in str(caught.value)


def test_events_follow_the_rules_of_the_format() -> None:
    parser = EventParser(limit_bytes=LIMIT)
    text = "event: a\r\ndata:x\ndata:  y\rid: 7\r\rdata\n\nretry: 5\n\nevent: b\n\ndata: é\n\n"
    assert parser.feed(text.encode()) == [Event("a", b"x\n y"), Event("message", "é".encode())]


TEXT = st.text(alphabet="ab: \r\n", max_size=60).map(str.encode)


@given(TEXT, st.lists(st.integers(0, 60), max_size=6))
def test_where_the_bytes_are_cut_changes_nothing(text: bytes, cuts: list[int]) -> None:
    whole = b"event: n\ndata: x\n\n" + text + b"\n\n"
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    parser = EventParser(limit_bytes=LIMIT)
    pieces = [
        event
        for start, end in itertools.pairwise(places)
        for event in parser.feed(whole[start:end])
    ]
    assert pieces == EventParser(limit_bytes=LIMIT).feed(whole)


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_no_bytes_raise_but_for_their_size(pieces: list[bytes]) -> None:
    parser = EventParser(limit_bytes=LIMIT)
    for piece in pieces:
        parser.feed(piece)
