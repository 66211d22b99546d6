"""A stand-in for Slack on 127.0.0.1: checks what Slack checks, keeps what it was given."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from veille.demo.slack_checks import find_fault, find_pings
from veille.demo.slack_page import SlackPage
from veille.demo.slack_people import SlackPeople, Whisper
from veille.domain.clock import monotonic_s

_BODY_MAX = 1 << 20
_GAP_S = 0.9  # Slack says "about" one a second per channel: a tenth is left to the network
_LINGER_S = 0.1

Body = Mapping[str, Any]  # Any: JSON of Block Kit, as a client sent it


@dataclass(slots=True, kw_only=True)
class SlackMessage:
    """One message as Slack holds it. `edits` counts chat.update calls."""

    channel: str
    ts: str
    body: Body
    edits: int = 0
    history: list[Body] = field(default_factory=list)

    @property
    def thread_ts(self) -> str | None:
        """The ts of the message this one answers, None for a message of the channel."""
        thread_ts = self.body.get("thread_ts")
        return thread_ts if isinstance(thread_ts, str) else None

    @property
    def key(self) -> str:
        """The idempotency key in its metadata, empty when there is none."""
        payload = self.body.get("metadata", {}).get("event_payload", {})
        return str(payload.get("key", ""))


class _RefusedError(Exception):
    """What Slack answers instead of ok."""

    def __init__(self, code: str, *, status: int = 200, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.retry_after = retry_after


class SlackStandIn:
    """A Slack workspace of one bot; `async with` listens on a free port until the block ends."""

    def __init__(
        self,
        *,
        token: str = "xoxb-stand-in",  # noqa: S107 known on purpose: it opens nothing
        channels: Sequence[str] = ("C0000000001",),
        paces: bool = True,
        clock: Callable[[], float] = monotonic_s,
        people: SlackPeople | None = None,
    ) -> None:
        self.token = token
        self.people = people or SlackPeople()
        self._page = SlackPage(self)
        self._whispers: list[Whisper] = []
        self._channels = frozenset(channels)
        self._paces = paces
        self._clock = clock
        self._messages: list[SlackMessage] = []
        self._last_post_s: dict[str, float] = {}
        self._keys: Counter[str] = Counter()
        self._faults: list[_RefusedError] = []
        self._lost_answers = 0
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._stopping = asyncio.Event()

    @property
    def url(self) -> str:
        """The address to set as `api_url`."""
        return f"{self.page}api/"

    @property
    def page(self) -> str:
        """The address at which a person looks into the channel."""
        return f"http://127.0.0.1:{self._port}/"

    async def __aenter__(self) -> Self:
        await self.come_back()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.go_down()

    async def come_back(self) -> None:
        """Listen, on the same port as before if there was one; messages are kept."""
        app = web.Application(client_max_size=_BODY_MAX)
        app.router.add_post("/api/{method}", self._serve)
        self._page.add_to(app)
        runner = web.AppRunner(app, shutdown_timeout=_LINGER_S, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._stopping.clear()
        self._runner, self._port = runner, runner.addresses[0][1]

    async def go_down(self) -> None:
        """Refuse connections until `come_back`."""
        runner, self._runner = self._runner, None
        self._stopping.set()
        if runner is not None:
            await runner.cleanup()

    def fail_next(self, status: int, times: int = 1, *, retry_after: int | None = None) -> None:
        """Answer the next requests with an HTTP status and store nothing."""
        self._faults += [_RefusedError("", status=status, retry_after=retry_after)] * times

    def refuse_next(self, code: str, times: int = 1) -> None:
        """Answer the next requests with `ok: false` and an error code, and store nothing."""
        self._faults += [_RefusedError(code)] * times

    def lose_answers(self, times: int = 1) -> None:
        """Do the next requests and never answer them: the caller cannot know."""
        self._lost_answers += times

    def received(self) -> list[SlackMessage]:
        """Return the messages of all channels, oldest first, as they stand after edits."""
        return list(self._messages)

    def whispers(self) -> list[Whisper]:
        """Return what single members were told alone, oldest first."""
        return list(self._whispers)

    def thread(self, ts: str) -> list[SlackMessage]:
        """Return the answers to a message, oldest first."""
        return [message for message in self._messages if message.thread_ts == ts]

    def posts_by_key(self) -> Mapping[str, int]:
        """Return how many messages were posted per idempotency key; edits do not count."""
        return dict(self._keys)

    def pings(self) -> list[str]:
        """Return every broadcast, user, channel or group reference anybody would be pinged by."""
        bodies = [body for each in self._messages for body in (*each.history, each.body)]
        return [ping for body in bodies for ping in find_pings(body)]

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            if self._faults:
                raise self._faults.pop(0)
            answer = await self._do(request)
        except _RefusedError as refused:
            return _refusal(refused)
        if self._lost_answers:
            self._lost_answers -= 1
            await self._stopping.wait()
            if request.transport is not None:
                request.transport.abort()
        return web.json_response({"ok": True, **answer})

    async def _do(self, request: web.Request) -> dict[str, object]:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise _RefusedError("invalid_auth")
        if request.match_info["method"] == "auth.test":
            return {"team": "Saint-Aubin", "user": "veille"}
        methods = {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.postEphemeral": self._whisper,
        }
        method = methods.get(request.match_info["method"])
        if method is None:
            raise _RefusedError("unknown_method")
        if request.content_type != "application/json":
            raise _RefusedError("invalid_post_type")
        try:
            body = await request.json()
        except ValueError:
            raise _RefusedError("invalid_json") from None
        if not isinstance(body, dict):
            raise _RefusedError("json_not_object")
        if body.get("channel") not in self._channels:
            raise _RefusedError("channel_not_found")
        fault = find_fault(body)
        if fault:
            raise _RefusedError(fault)
        return method(body)

    def _post(self, body: Body) -> dict[str, object]:
        channel, thread_ts = body["channel"], body.get("thread_ts")
        if thread_ts is not None and self._find(channel, thread_ts) is None:
            raise _RefusedError("thread_not_found")
        self._take_turn(channel)
        ts = f"17000000{len(self._messages) // 100:02}.{len(self._messages) % 100:02}0000"
        message = SlackMessage(channel=channel, ts=ts, body=body)
        self._messages.append(message)
        self._keys[message.key] += 1
        return {"channel": channel, "ts": ts, "message": dict(body)}

    def _update(self, body: Body) -> dict[str, object]:
        message = self._find(body["channel"], body.get("ts"))
        if message is None:
            raise _RefusedError("message_not_found")
        message.history.append(message.body)
        message.body = {**message.body, **body}
        message.edits += 1
        return {"channel": message.channel, "ts": message.ts, "text": body.get("text", "")}

    def _whisper(self, body: Body) -> dict[str, object]:
        user, text = body.get("user"), body.get("text")
        if not isinstance(user, str) or not user.startswith(("U", "W")):
            raise _RefusedError("user_not_in_channel")
        self._whispers.append(Whisper(channel=body["channel"], user=user, text=str(text)))
        return {"message_ts": f"17100000{len(self._whispers):02}.000000"}

    def _find(self, channel: str, ts: object) -> SlackMessage | None:
        return next((m for m in self._messages if (m.channel, m.ts) == (channel, ts)), None)

    def _take_turn(self, channel: str) -> None:
        now_s = self._clock()
        if self._paces and now_s - self._last_post_s.get(channel, now_s - 1) < _GAP_S:
            raise _RefusedError("ratelimited", status=429, retry_after=1)
        self._last_post_s[channel] = now_s


def _refusal(refused: _RefusedError) -> web.Response:
    wait = refused.retry_after
    headers = {} if wait is None else {"Retry-After": str(wait)}
    if not refused.code:
        return web.Response(status=refused.status, text="unavailable", headers=headers)
    body = {"ok": False, "error": refused.code}
    return web.json_response(body, status=refused.status, headers=headers)
