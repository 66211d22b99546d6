"""Slack: one message an incident, kept up to date; its thread holds the history."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from math import ceil

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from veille.domain.alert import Severity
from veille.domain.errors import ConfigError, DeliveryError, VeilleError
from veille.domain.notification import Document, Notification, NotificationKind, Ref
from veille.net.client import TRANSPORT_ERRORS
from veille.net.retry import retry_after_s
from veille.notifiers.base import Tools, may_retry, never_connected
from veille.notifiers.message import Message, compose
from veille.notifiers.settings import SlackReceiver
from veille.notifiers.slack_blocks import card, fallback, metadata, page, thread_line
from veille.notifiers.slack_buttons import Json, buttons, view

# What only a person can put right, and the sentence that says how (chat.postMessage, Errors).
_REMEDIES = {
    **dict.fromkeys(
        (
            "invalid_auth",
            "not_authed",
            "account_inactive",
            "token_revoked",
            "token_expired",
            "no_permission",
        ),
        "token",
    ),
    **dict.fromkeys(("missing_scope", "not_allowed_token_type", "access_denied"), "scope"),
    "channel_not_found": "channel",
    "not_in_channel": "invite",
    **dict.fromkeys(
        (
            "is_archived",
            "restricted_action",
            "restricted_action_read_only_channel",
            "ekm_access_denied",
        ),
        "closed",
    ),
}
_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
# Slack says of these that some of the work may be done all the same.
_UNKNOWN = frozenset({"internal_error", "fatal_error", "request_timeout"})
# This one message is refused, whatever is tried: the next one may pass.
_CONTENT = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text"}
)
# The first message is gone, or belongs to a channel that was left: a new one is needed.
_GONE = frozenset(
    {
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "thread_not_found",
    }
)
_QUIET = (NotificationKind.REFRESHED, NotificationKind.REDACTED)
_BROADCAST = (NotificationKind.REPEATED, NotificationKind.ESCALATED)
_TOO_MANY = 429
_NAME_MAX = 80
_WAIT_S = 30.0  # when Slack limits without saying how long

# The SDK logs whole requests at DEBUG, mention texts included: its logger stops above that.
_LOG = logging.getLogger("veille.slack_sdk")
_LOG.setLevel(logging.WARNING)


class SlackNotifier:
    """Posts to one channel with the official client, without the retries of its own.

    Its connection retry would post twice blindly, and its rate-limit handler reads only the first
    digit of Retry-After; the outbox retries instead, where it is seen.
    """

    def __init__(self, settings: SlackReceiver, *, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools
        self._words = tools.voice.words
        self._pace_key = ("slack", settings.api_url, settings.token, settings.channel)

    async def send(self, notification: Notification, *, ref: Ref | None) -> Ref:
        """Return channel and ts of the incident's first message, now in its newest state.

        Without `ref` the first message is posted. With it, that message is edited and the news
        posted in its thread, unless only numbers grew or a quote was deleted; a first message that
        is gone is posted anew, except to take back a quote.
        """
        message = compose(notification, voice=self._tools.voice, quotes=self._settings.quotes)
        client = self._client()
        if ref is None or not {"channel", "ts"} <= ref.keys():
            if notification.kind is NotificationKind.REDACTED:
                return {}
            return await self._open(client, notification, message)
        try:
            # edit before the thread: an edit may be repeated, a post may not
            await self._update(client, notification, message, ref)
            if notification.kind not in _QUIET:
                await self._reply(client, notification, message, ref)
        except _GoneError:
            if notification.kind is NotificationKind.REDACTED:
                return ref
            return await self._open(client, notification, message)
        return {"channel": ref["channel"], "ts": ref["ts"]}

    async def publish(self, document: Document) -> None:
        """Return once the document is in the channel, its text cut to what one message holds."""
        client = self._client()
        await self._turn()
        await self._call(
            lambda: client.chat_postMessage(
                channel=self._settings.channel,
                text=fallback(document.subject),
                blocks=page(document),
                metadata={"event_type": "veille", "event_payload": {"key": document.key}},
                mrkdwn=False,
                link_names=False,
                unfurl_links=False,
                unfurl_media=False,
            )
        )

    async def whisper(self, *, channel: str, user: str, text: str) -> None:
        """Return once `user` alone sees `text` in the channel. Raises DeliveryError."""
        client = self._client()
        await self._call(
            lambda: client.chat_postEphemeral(channel=channel, user=user, text=fallback(text))
        )

    async def verify(self) -> str:
        """Return the workspace and the bot the token belongs to, having posted nothing."""
        client = self._client()
        answer = await self._call(client.auth_test, is_repeatable=True)
        team, bot = answer.get("team"), answer.get("user")
        return self._say("verified", team=str(team)[:_NAME_MAX], bot=str(bot)[:_NAME_MAX])

    def _card(self, notification: Notification, message: Message) -> list[Json]:
        shown = [view(message)] if message.link else []
        if self._tools.has_buttons:
            facts, receiver = notification.facts, self._settings.id
            shown = buttons(facts, message, receiver=receiver, words=self._words)
        return card(message, shown)

    def _client(self) -> AsyncWebClient:
        settings = self._settings
        session = self._tools.session(allow_private=settings.allow_private)
        if session.closed:  # the SDK would open one of its own, without net's guard
            raise DeliveryError(self._say("stopping"))
        try:
            token = self._tools.secret(settings.token)
        except ConfigError as error:
            raise DeliveryError(str(error), may_retry=False) from error
        client = AsyncWebClient(
            token,
            base_url=settings.api_url,
            session=session,
            retry_handlers=[],
            logger=_LOG,
        )
        client.proxy = None  # it reads HTTPS_PROXY; only config reads the environment
        return client

    async def _open(
        self, client: AsyncWebClient, notification: Notification, message: Message
    ) -> Ref:
        await self._turn()
        answer = await self._call(
            lambda: client.chat_postMessage(
                channel=self._settings.channel,
                text=fallback(*filter(None, (message.notice, message.headline, message.counts))),
                blocks=self._card(notification, message),
                metadata=metadata(notification),
                mrkdwn=False,
                link_names=False,
                unfurl_links=False,
                unfurl_media=False,
            )
        )
        channel, ts = answer.get("channel"), answer.get("ts")
        if not (isinstance(channel, str) and isinstance(ts, str)):
            raise DeliveryError(self._say("unknown"), is_unknown=True)
        return {"channel": channel, "ts": ts}

    async def _update(
        self, client: AsyncWebClient, notification: Notification, message: Message, ref: Ref
    ) -> None:
        await self._call(
            lambda: client.chat_update(
                channel=ref["channel"],
                ts=ref["ts"],
                text=fallback(*filter(None, (message.notice, message.headline, message.counts))),
                blocks=self._card(notification, message),
                metadata=metadata(notification),
                link_names=False,
            ),
            gone=_GONE,
            is_repeatable=True,
        )

    async def _reply(
        self, client: AsyncWebClient, notification: Notification, message: Message, ref: Ref
    ) -> None:
        await self._turn()
        await self._call(
            lambda: client.chat_postMessage(
                channel=ref["channel"],
                thread_ts=ref["ts"],
                reply_broadcast=_is_broadcast(notification),
                text=fallback(*filter(None, (message.notice, message.news))),
                blocks=thread_line(message),
                metadata=metadata(notification),
                mrkdwn=False,
                link_names=False,
                unfurl_links=False,
                unfurl_media=False,
            ),
            gone=_GONE,
        )

    async def _turn(self) -> None:
        wait_s = await self._tools.pace.turn(self._pace_key)
        if wait_s:
            raise self._limited(wait_s)

    async def _call(
        self,
        request: Callable[[], Awaitable[AsyncSlackResponse]],
        *,
        gone: frozenset[str] = frozenset(),
        is_repeatable: bool = False,
    ) -> AsyncSlackResponse:
        """Return Slack's answer; DeliveryError says what the outbox may do about a failure."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await request()
        except SlackApiError as error:
            raise self._refused(error, gone) from error
        except VeilleError as error:  # net's guard refuses the address
            raise DeliveryError(str(error), may_retry=may_retry(error)) from error
        except TRANSPORT_ERRORS as error:
            if never_connected(error):
                raise DeliveryError(self._say("unreachable")) from error
            raise DeliveryError(self._say("unknown"), is_unknown=not is_repeatable) from error
        except AttributeError as error:  # the SDK expects an object; a proxy may say anything
            raise DeliveryError(self._say("failed", code="200")) from error

    def _refused(self, error: SlackApiError, gone: frozenset[str]) -> VeilleError:
        status, code, header = _answer(error)
        if status == _TOO_MANY or code in _LIMITED:
            wait_s = retry_after_s(header, self._tools.now()) or _WAIT_S
            self._tools.pace.hold(self._pace_key, wait_s)
            return self._limited(wait_s)
        if code in gone:
            return _GoneError(code)
        remedy = _REMEDIES.get(code)
        if remedy:
            return DeliveryError(self._say(remedy, code=code), may_retry=False)
        return DeliveryError(
            self._say("failed", code=code),
            is_unknown=code in _UNKNOWN,
            is_content=code in _CONTENT,
        )

    def _limited(self, wait_s: float) -> DeliveryError:
        return DeliveryError(self._say("limited", wait=ceil(wait_s)), retry_after_s=wait_s)

    def _say(self, key: str, **values: object) -> str:
        settings = self._settings
        return self._words(
            f"notify.slack.{key}",
            channel=settings.channel,
            receiver=settings.id,
            secret=settings.token,
            url=settings.api_url,
            **values,
        )


class _GoneError(VeilleError):
    """The incident's first message can no longer be edited or answered."""


def _is_broadcast(notification: Notification) -> bool:
    """Whether it is seen in the channel too: who left the thread must see another call for help."""
    kind, severity = notification.kind, notification.facts.severity
    is_graver = kind is NotificationKind.UPDATED and severity is Severity.CRITICAL
    return is_graver or kind in _BROADCAST


def _answer(error: SlackApiError) -> tuple[int, str, str | None]:
    """Return HTTP status, error code and the Retry-After header, None when there is none."""
    response = error.response
    if not isinstance(response, AsyncSlackResponse):  # a body that is no JSON: aiohttp's own
        return response.status, str(response.status), None
    data = response.data
    code = data.get("error") if isinstance(data, dict) else None
    if not isinstance(code, str):
        code = str(response.status_code)
    header = next((v for k, v in response.headers.items() if k.lower() == "retry-after"), None)
    return response.status_code, code, header
