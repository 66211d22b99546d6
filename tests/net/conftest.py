"""A local web server whose answers a test chooses."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer


class Site:
    """A small site; `seen` keeps the headers of each request by path."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.server = TestServer(self._app(), host="127.0.0.1")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._note])
        app.router.add_get("/ok", self._ok)
        app.router.add_post("/form", self._form)
        app.router.add_post("/to", self._to)
        app.router.add_get("/to", self._to)
        app.router.add_get("/loop", self._loop)
        app.router.add_get("/bomb", self._bomb)
        app.router.add_get("/endless", self._endless)
        app.router.add_get("/hangs", self._hangs)
        return app

    @web.middleware
    async def _note(self, request: web.Request, handler: object) -> web.StreamResponse:
        self.seen.append((request.path, {k.lower(): v for k, v in request.headers.items()}))
        return await handler(request)  # type: ignore[operator,no-any-return]  # aiohttp's Handler

    async def _ok(self, request: web.Request) -> web.Response:
        return web.Response(text="bonjour", headers={"ETag": '"1"', "Set-Cookie": "a=b"})

    async def _form(self, request: web.Request) -> web.Response:
        form = await request.post()
        return web.json_response({name: str(value) for name, value in form.items()})

    async def _to(self, request: web.Request) -> web.Response:
        status = int(request.query.get("status", "302"))
        return web.Response(status=status, headers={"Location": request.query["url"]})

    async def _loop(self, request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/loop"})

    async def _bomb(self, request: web.Request) -> web.Response:
        body = gzip.compress(bytes(20_000_000))
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 65_536)

    async def _hangs(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"x")
        await asyncio.Event().wait()
        return answer


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Yield a running site."""
    made = Site()
    await made.server.start_server()
    yield made
    await made.server.close()
