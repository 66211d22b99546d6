"""A local publisher of one feed, told by the test how to behave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from veille.net.client import Client


class Publisher:
    """Publishes `body` at /flux with an ETag; `fail_next` and `moves` change its answers."""

    def __init__(self) -> None:
        self.body = b""
        self.etag = 'W/"é-1"'
        self.modified = "Sun, 18 Jan 2026 02:00:00 GMT"
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.moves: dict[str, tuple[int, str]] = {}
        self._failures: list[tuple[int, dict[str, str]]] = []
        app = web.Application()
        app.router.add_get("/{path}", self._answer)
        self.server = TestServer(app, host="127.0.0.1")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}/flux"

    def publish(self, *titles: str) -> None:
        """Put an RSS feed of these titles online, each its own guid."""
        items = "".join(f"<item><guid>{t}</guid><title>{t}</title></item>" for t in titles)
        self.body = f"<rss version='2.0'><channel>{items}</channel></rss>".encode()
        self.etag = f'W/"é-{len(items)}"'

    def fail_next(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Answer the next request with this status."""
        self._failures.append((status, dict(headers or {})))

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, {k.lower(): v for k, v in request.headers.items()}))
        if self._failures:
            status, headers = self._failures.pop(0)
            return web.Response(status=status, headers=headers)
        if request.path in self.moves:
            status, path = self.moves[request.path]
            return web.Response(status=status, headers={"Location": path} if path else {})
        headers = {"ETag": self.etag, "Last-Modified": self.modified}
        if request.headers.get("If-None-Match") == self.etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=self.body, content_type="application/rss+xml", headers=headers)


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    """Yield a running publisher."""
    made = Publisher()
    await made.server.start_server()
    yield made
    await made.server.close()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """Yield an open client that may reach the local publisher."""
    async with Client(allow_private=True) as opened:
        yield opened
