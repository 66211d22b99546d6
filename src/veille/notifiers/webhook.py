"""A webhook: each notification POSTed once as signed JSON, as Standard Webhooks says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import ceil
from urllib.parse import urlsplit

from veille.domain.errors import ConfigError, DeliveryError, VeilleError
from veille.domain.notification import Document, Notification, Ref
from veille.net.client import TRANSPORT_ERRORS
from veille.net.retry import retry_after_s
from veille.net.signature import sign
from veille.notifiers.base import Tools, may_retry, never_connected
from veille.notifiers.payload import JSON_TYPE, body, document_body, id_of
from veille.notifiers.settings import WebhookReceiver

_GONE = 410  # Standard Webhooks: the endpoint is to be disabled
_BAD_CONTENT = frozenset({400, 413, 422})  # this one message is refused, the next one may pass
_PASSING = frozenset({408, 425, 429})
_BROKEN = 500


class WebhookNotifier:
    """POSTs to one address through net's guarded session; no redirect is followed.

    The `webhook-id` stays the same when one is repeated: whoever keeps it takes it only once.
    """

    def __init__(self, settings: WebhookReceiver, *, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools

    async def send(self, notification: Notification, *, ref: Ref | None) -> Ref:
        """Return nothing to remember, once the address answered 2xx."""
        del ref
        await self._post(id_of(notification), body(notification, quotes=self._settings.quotes))
        return {}

    async def publish(self, document: Document) -> None:
        """Return once the address answered 2xx."""
        at, quotes = self._tools.now(), self._settings.quotes
        await self._post(document.key, document_body(document, at=at, quotes=quotes))

    async def verify(self) -> str:
        """Return that the address answers a HEAD; the secret is well formed, nothing is posted."""
        self._headers("verify", b"")
        status, _ = await self._request("HEAD", None, {})
        if status >= _BROKEN:
            raise DeliveryError(self._say("failed", code=status))
        if status == _GONE:
            raise DeliveryError(self._say("gone", code=status), may_retry=False)
        return self._say("verified", code=status)

    async def _post(self, key: str, content: bytes) -> None:
        status, headers = await self._request("POST", content, self._headers(key, content))
        if 200 <= status < 300:  # noqa: PLR2004 RFC 9110, 15.3: success
            return
        if status == _GONE:
            raise DeliveryError(self._say("gone", code=status), may_retry=False)
        if status in _BAD_CONTENT:
            raise DeliveryError(self._say("content", code=status), is_content=True)
        if status >= _BROKEN or status in _PASSING:
            wait_s = retry_after_s(headers.get("Retry-After"), self._tools.now())
            key = "limited" if wait_s else "failed"
            text = self._say(key, code=status, wait=ceil(wait_s or 0))
            raise DeliveryError(text, retry_after_s=wait_s)
        raise DeliveryError(self._say("refused", code=status), may_retry=False)

    def _headers(self, key: str, content: bytes) -> Mapping[str, str]:
        try:
            secret = self._tools.secret(self._settings.secret)
            signed = sign(secret, key, self._tools.now(), content)
        except ConfigError as error:
            raise DeliveryError(str(error), may_retry=False) from error
        return signed | {"Content-Type": JSON_TYPE}

    async def _request(
        self, method: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str]]:
        """Return status and headers; the answer's body is not read."""
        settings = self._settings
        session = self._tools.session(allow_private=settings.allow_private)
        if session.closed:
            raise DeliveryError(self._say("stopping"))
        try:
            async with (
                asyncio.timeout(settings.timeout_s),
                session.request(
                    method, settings.url, data=content, headers=headers, allow_redirects=False
                ) as answer,
            ):
                return answer.status, answer.headers
        except VeilleError as error:  # net's guard refuses the address or the redirect
            raise DeliveryError(str(error), may_retry=may_retry(error)) from error
        except TRANSPORT_ERRORS as error:
            if content is None or never_connected(error):
                raise DeliveryError(self._say("unreachable")) from error
            raise DeliveryError(self._say("unknown"), is_unknown=True) from error
        except ValueError as error:  # aiohttp's InvalidURL is one
            raise DeliveryError(self._say("refused", code="url"), may_retry=False) from error

    def _say(self, key: str, **values: object) -> str:
        settings = self._settings
        # the host only: paths and queries of webhook addresses often hold a secret
        host = urlsplit(settings.url).hostname
        return self._tools.voice.words(
            f"notify.webhook.{key}", host=host, receiver=settings.id, **values
        )
