"""A local Mastodon server: statuses, timelines, notifications, and their event streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

TOKEN = "jeton-de-test"
Json = dict[str, Any]


@dataclass(eq=False)
class _Listener:
    """One open event stream."""

    name: str
    request: web.Request
    events: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)


class MastodonServer:
    """`http://127.0.0.1:port`; nothing is replayed on a stream, as in the real one."""

    def __init__(self, *, token: str | None = TOKEN) -> None:
        self.token = token
        self.statuses: list[Json] = []
        self.notifications: list[Json] = []
        self.requests: list[str] = []
        self.port = 0
        self.streaming: str | None = None
        self.remaining: int | None = None
        self.reset_at = datetime.now(UTC)
        self._number = 114_000_000_000_000_007
        self._failures: dict[str, list[tuple[int, dict[str, str]]]] = {}
        self._listeners: set[_Listener] = set()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        return len(self._listeners)

    async def __aenter__(self) -> MastodonServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after a stop on the same port again."""
        app = web.Application()
        app.router.add_get("/api/v2/instance", self._instance)
        app.router.add_get("/api/v1/streaming/{name:.*}", self._stream)
        app.router.add_get("/api/v1/timelines/{name:.*}", self._timeline)
        app.router.add_get("/api/v1/notifications", self._notes)
        app.router.add_get("/api/v1/statuses/{id}", self._status)
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Drop every connection and refuse new ones."""
        runner, self._runner = self._runner, None
        self.drop_all()
        if runner is not None:
            await runner.cleanup()

    def drop_all(self) -> None:
        """Cut every event stream without a word, as a network does."""
        for listener in list(self._listeners):
            if listener.request.transport is not None:
                listener.request.transport.abort()
            listener.events.put_nowait(None)
            self._listeners.discard(listener)

    def fail_next(self, path: str, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Answer the next request whose path starts like this with this status."""
        self._failures.setdefault(path, []).append((status, dict(headers or {})))

    def status(self, text: str, *, acct: str = "jeanne", **more: object) -> Json:
        """Return a status with the next id, told to nobody."""
        self._number += 1 << 16  # a millisecond later
        id_, now = str(self._number), _now()
        return {
            "id": id_,
            "created_at": now,
            "visibility": "public",
            "content": f"<p>{text}</p>",
            "spoiler_text": "",
            "language": "fr",
            "url": f"{self.url}/@{acct}/{id_}",
            "in_reply_to_id": None,
            "edited_at": None,
            "reblog": None,
            "favourites_count": 1,
            "reblogs_count": 0,
            "replies_count": 0,
            "media_attachments": [],
            "tags": [],
            "account": {
                "id": "7",
                "acct": acct,
                "username": acct.partition("@")[0],
                "display_name": "",
                "created_at": "2024-01-01T00:00:00.000Z",
                "followers_count": 12,
            },
        } | more

    def post(self, text: str, *, acct: str = "jeanne", **more: object) -> str:
        """Publish a status on every stream; return its id."""
        status = self.status(text, acct=acct, **more)
        self.statuses.append(status)
        self.tell("update", json.dumps(status, ensure_ascii=False))
        return str(status["id"])

    def edit(self, id_: str, text: str) -> None:
        """Change the text of a status."""
        for status in self.statuses:
            if status["id"] == id_:
                status |= {"content": f"<p>{text}</p>", "edited_at": _now()}
                self.tell("status.update", json.dumps(status, ensure_ascii=False))

    def delete(self, id_: str) -> None:
        """Delete a status."""
        self.statuses = [status for status in self.statuses if status["id"] != id_]
        self.tell("delete", id_)

    def hide(self, id_: str) -> str:
        """Take a status out of the timelines, not away; return the path of its page."""
        for status in self.statuses:
            if status["id"] == id_:
                status["hidden"] = True
        return f"/api/v1/statuses/{id_}"

    def mention_us(self, text: str, *, kind: str = "mention", **more: object) -> str:
        """Notify our account; return the id of the status."""
        status = self.status(text, **more)
        note = {"id": str(len(self.notifications) + 1), "type": kind, "status": status}
        self.notifications.append(note)
        self.tell("notification", json.dumps(note, ensure_ascii=False))
        return str(status["id"])

    def tell(self, name: str, data: str) -> None:
        """Send an event to the open streams; notifications have one of their own."""
        for listener in self._listeners:
            if (listener.name == "user/notification") == (name == "notification"):
                listener.events.put_nowait(f"event: {name}\ndata: {data}\n\n".encode())

    def tell_raw(self, data: bytes) -> None:
        """Send these bytes to every stream."""
        for listener in self._listeners:
            listener.events.put_nowait(data)

    async def _instance(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request, is_open=True)) is not None:
            return refused
        streaming = self.streaming or f"ws://127.0.0.1:{self.port}"
        return web.json_response({"configuration": {"urls": {"streaming": streaming}}})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._refused(request)) is not None:
            return refused
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b":)\n")
        listener = _Listener(request.match_info["name"], request)
        self._listeners.add(listener)
        try:
            while (event := await listener.events.get()) is not None:
                await answer.write(event)
        except ConnectionError:
            pass
        finally:
            self._listeners.discard(listener)
        return answer

    async def _timeline(self, request: web.Request) -> web.Response:
        return self._refused(request) or self._page(
            request, [status for status in self.statuses if not status.get("hidden")]
        )

    async def _status(self, request: web.Request) -> web.Response:
        found = [one for one in self.statuses if one["id"] == request.match_info["id"]]
        missing = web.json_response({"error": "introuvable"}, status=404)
        return self._refused(request) or (web.json_response(found[0]) if found else missing)

    async def _notes(self, request: web.Request) -> web.Response:
        types = request.query.getall("types[]", [])
        wanted = [note for note in self.notifications if not types or note["type"] in types]
        return self._refused(request) or self._page(request, wanted)

    def _page(self, request: web.Request, items: list[Json]) -> web.Response:
        limit, min_id = int(request.query["limit"]), request.query.get("min_id")
        after = items if min_id is None else [i for i in items if int(i["id"]) > int(min_id)]
        page = list(reversed(after[-limit:] if min_id is None else after[:limit]))
        headers = {}
        if page:
            last, first = page[-1]["id"], page[0]["id"]
            at = str(request.url.with_query(None))
            headers["Link"] = f'<{at}?max_id={last}>; rel="next", <{at}?min_id={first}>; rel="prev"'
        if self.remaining is not None:
            self.remaining -= 1
            headers["X-RateLimit-Remaining"] = str(self.remaining)
            headers["X-RateLimit-Reset"] = self.reset_at.isoformat()
        return web.json_response(page, headers=headers)

    def _refused(self, request: web.Request, *, is_open: bool = False) -> web.Response | None:
        self.requests.append(str(request.rel_url))
        for path, failures in self._failures.items():
            if request.path.startswith(path) and failures:
                status, headers = failures.pop(0)
                return web.json_response({"error": "refusé"}, status=status, headers=headers)
        given = request.headers.get("Authorization")
        if self.token is not None and not is_open and given != f"Bearer {self.token}":
            return web.json_response({"error": "jeton invalide"}, status=401)
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
