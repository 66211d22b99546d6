"""A local Jetstream v1 server: it keeps its history, so that a cursor resumes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from aiohttp import WSMsgType, web

POST = "app.bsky.feed.post"


class JetstreamServer:
    """`ws://127.0.0.1:port/subscribe`; what is said stays in `frames` over stops and drops."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, bytes]] = []
        self.queries: list[dict[str, list[str]]] = []
        self.port = 0
        self._last_us = 0
        self._failures: list[tuple[int, dict[str, str]]] = []
        self._sockets: set[web.WebSocketResponse] = set()
        self._said = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/subscribe"

    @property
    def connections(self) -> int:
        return len(self._sockets)

    async def __aenter__(self) -> JetstreamServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after a stop on the same port again."""
        app = web.Application()
        app.router.add_get("/subscribe", self._subscribe)
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Drop every connection and refuse new ones."""
        runner, self._runner = self._runner, None
        await self.drop_all()
        if runner is not None:
            await runner.cleanup()

    async def drop_all(self) -> None:
        """Cut every connection without a word, as a network does."""
        for socket in list(self._sockets):
            transport = socket._req.transport if socket._req is not None else None
            if transport is not None:
                transport.abort()
        async with self._said:
            self._said.notify_all()

    def fail_next(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Refuse the next connection with this status."""
        self._failures.append((status, dict(headers or {})))

    async def say(self, frame: Mapping[str, object]) -> int:
        """Send a frame with a time of its own, and keep it; return its `time_us`."""
        now_us = int(datetime.now(UTC).timestamp() * 1_000_000)
        self._last_us = max(self._last_us + 1, now_us)
        await self.say_raw(json.dumps(dict(frame, time_us=self._last_us)).encode())
        return self._last_us

    async def say_raw(self, data: bytes) -> None:
        """Send these bytes as a frame."""
        self.frames.append((self._last_us, data))
        async with self._said:
            self._said.notify_all()

    async def post(self, did: str, rkey: str, text: str, **record: object) -> str:
        """Publish a post; return its address."""
        await self._commit("create", did, rkey, {"text": text, **record})
        return f"at://{did}/{POST}/{rkey}"

    async def edit(self, did: str, rkey: str, text: str) -> None:
        """Replace the text of a post."""
        await self._commit("update", did, rkey, {"text": text})

    async def delete(self, did: str, rkey: str) -> None:
        """Delete a post."""
        await self._commit("delete", did, rkey, None)

    async def end_account(self, did: str, status: str = "deleted") -> None:
        """The account is gone, with all its posts."""
        account = {"active": False, "did": did, "seq": 1, "status": status}
        await self.say({"did": did, "kind": "account", "account": account})

    async def _commit(
        self, operation: str, did: str, rkey: str, record: dict[str, object] | None
    ) -> None:
        commit: dict[str, object] = {
            "rev": "3rev",
            "operation": operation,
            "collection": POST,
            "rkey": rkey,
        }
        if record is not None:
            created_at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            commit["record"] = {"$type": POST, "createdAt": created_at} | record
            commit["cid"] = "bafycid"
        await self.say({"did": did, "kind": "commit", "commit": commit})

    async def _subscribe(self, request: web.Request) -> web.StreamResponse:
        self.queries.append({key: request.query.getall(key) for key in request.query})
        if self._failures:
            status, headers = self._failures.pop(0)
            return web.Response(status=status, headers=headers)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        cursor = request.query.get("cursor")
        at = len(self.frames)
        if cursor is not None:
            at = sum(time_us < int(cursor) for time_us, _ in self.frames)
        self._sockets.add(socket)
        try:
            await asyncio.gather(self._listen(socket), self._send(socket, at))
        except ConnectionError:
            pass
        finally:
            self._sockets.discard(socket)
        return socket

    async def _send(self, socket: web.WebSocketResponse, at: int) -> None:
        while not socket.closed:
            while at < len(self.frames):
                await socket.send_str(self.frames[at][1].decode("utf-8", "surrogateescape"))
                at += 1
            async with self._said:
                while not socket.closed and at >= len(self.frames):
                    await self._said.wait()

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        """Answer pings until the client goes."""
        while (await socket.receive()).type not in {WSMsgType.CLOSED, WSMsgType.ERROR}:
            pass
        async with self._said:
            self._said.notify_all()
