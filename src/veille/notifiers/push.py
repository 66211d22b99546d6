"""Web push: each device of those meant is sent one sealed message, once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import ceil

import msgspec
import structlog

from veille.domain.errors import ConfigError, DeliveryError, InputError, VeilleError
from veille.domain.notification import TRIAL_KEY, Document, Notification, Ref
from veille.net import webpush
from veille.net.client import TRANSPORT_ERRORS, host_of
from veille.net.retry import retry_after_s
from veille.net.webpush import Subscription
from veille.notifiers.base import Tools, may_retry
from veille.notifiers.devices import Push, Target
from veille.notifiers.push_words import CALMS, RINGS, Shown, shown, shown_document
from veille.notifiers.settings import PushReceiver

PARTLY = timedelta(minutes=2)
"""How long what some devices took is tried on the others: then alerts behind it go first."""
_GONE = frozenset({404, 410})  # RFC 8030, 7.3: the subscription is no more
_PASSING = frozenset({408, 425, 429})
_CONTENT = 413
_BROKEN = 500

log = structlog.get_logger()


class PushNotifier:
    """Sends to the devices of whom a receiver means, one after the other, by net's session.

    Each device takes a notification once, also when it is tried again for another device.
    """

    def __init__(self, settings: PushReceiver, *, tools: Tools) -> None:
        if tools.push is None:
            raise ConfigError(f"receiver {settings.id}: nothing knows the devices here")
        self._settings = settings
        self._push: Push = tools.push
        self._tools = tools

    async def send(self, notification: Notification, *, ref: Ref | None) -> Ref:
        """Return nothing to remember, once every device took it or is no more.

        Two minutes after it was planned it is enough that one took it.
        """
        del ref
        facts = notification.facts
        if notification.kind not in RINGS | CALMS:
            return {}
        targets = await self._push.devices.meant(self._settings.id, facts)
        theme = self._push.devices.theme(facts)
        # opened_at: a new installation has an I12 of its own
        key = f"{notification.key}.{int(facts.opened_at.timestamp())}"
        messages = {
            target.id: shown(
                notification,
                theme=theme,
                take=self._push.devices.take(self._settings.id, target.user, facts),
                voice=self._tools.voice,
            )
            for target in targets
        }
        is_late = self._push.now() - facts.at >= PARTLY
        await self._send_all(targets, messages, key=key, is_late=is_late)
        return {}

    async def publish(self, document: Document) -> None:
        """Return once every device took that there is a document; a trial goes to one device."""
        message = shown_document(document, words=self._tools.voice.words)
        if document.key.startswith(TRIAL_KEY):
            number = int(document.key.removeprefix(TRIAL_KEY).partition(".")[0])
            targets = await self._push.devices.one(number)
            if not targets:  # revoked since it was asked for
                return
        else:
            targets = await self._push.devices.meant(self._settings.id, None)
        messages = {target.id: message for target in targets}
        await self._send_all(targets, messages, key=document.key, is_late=True)

    async def verify(self) -> str:
        """Return that the key is a key; devices are seen by `veille push devices`."""
        self._key()
        return self._tools.voice.words("push.verified")

    async def _send_all(
        self, targets: Sequence[Target], messages: Mapping[int, Shown], *, key: str, is_late: bool
    ) -> None:
        if not targets:
            raise DeliveryError(self._say("nobody"), may_retry=False)
        failures: list[DeliveryError] = []
        taken = 0
        for target in targets:
            if target.took == key:
                taken += 1
                continue
            try:
                is_there = await self._post(target, messages[target.id])
            except DeliveryError as error:
                failures.append(error)
                await self._push.devices.failed(target, str(error))
                continue
            if is_there:
                taken += 1
                await self._push.devices.took(target, key)
            else:
                await self._push.devices.gone(target)
        # a device that refuses for good says so on its owner's page: the others were told
        waiting = [error for error in failures if error.may_retry and not error.is_content]
        if taken and (is_late or not waiting):
            if failures:
                log.warning("push_partly", receiver=self._settings.id, failed=len(failures))
            return
        if failures:
            raise next(iter(waiting), failures[0])
        if not taken:
            raise DeliveryError(self._say("nobody"), may_retry=False)

    async def _post(self, target: Target, message: Shown) -> bool:
        """Return whether the device still is; DeliveryError when it may be and took nothing."""
        subscription, push = target.subscription, self._push.settings
        try:
            webpush.check(subscription, hosts=push.allow_hosts, allow_private=push.allow_private)
            body = webpush.encrypt(msgspec.json.encode(message), subscription)
        except InputError as error:  # the settings changed since it was enabled
            raise DeliveryError(str(error), may_retry=False) from error
        status, wait = await self._request(subscription, body, self._headers(target, message))
        if 200 <= status < 300:  # noqa: PLR2004 RFC 8030, 5: 201, some services say 200 or 202
            return True
        if status in _GONE:
            return False
        host = host_of(subscription.endpoint)
        if status == _CONTENT:
            raise DeliveryError(self._say("content", host=host), is_content=True)
        if status >= _BROKEN or status in _PASSING:
            key = "limited" if wait else "failed"
            said = self._say(key, host=host, wait=ceil(wait or 0), code=status)
            raise DeliveryError(said, retry_after_s=wait)
        raise DeliveryError(self._say("refused", host=host, code=status), may_retry=False)

    def _headers(self, target: Target, message: Shown) -> dict[str, str]:
        endpoint = target.subscription.endpoint
        # RFC 8030, 5.4: what waits under the same topic is replaced; the service learns no number
        topic = hashlib.sha256(f"{endpoint} {message.tag}".encode()).digest()[:24]
        signed = webpush.authorization(
            self._key(), endpoint, contact=self._push.contact, now=self._tools.now()
        )
        return {
            "Authorization": signed,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(self._settings.ttl_s),
            "Urgency": "high" if message.rings else "low",
            "Topic": base64.urlsafe_b64encode(topic).decode(),
        }

    def _key(self) -> str:
        try:
            key = self._tools.secret(self._push.settings.key)
            webpush.public_key(key)
        except ConfigError as error:
            raise DeliveryError(str(error), may_retry=False) from error
        return key

    async def _request(
        self, to: Subscription, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, float | None]:
        """Return the status and the seconds it asks to wait; the answer's body is not read."""
        session = self._tools.session(allow_private=self._push.settings.allow_private)
        host = host_of(to.endpoint)
        if session.closed:
            raise DeliveryError(self._say("unreachable", host=host))
        try:
            async with (
                asyncio.timeout(self._settings.timeout_s),
                session.post(
                    to.endpoint, data=body, headers=headers, allow_redirects=False
                ) as answer,
            ):
                wait = retry_after_s(answer.headers.get("Retry-After"), self._tools.now())
                return answer.status, wait
        except VeilleError as error:  # net's guard refuses the address or the redirect
            raise DeliveryError(str(error), may_retry=may_retry(error)) from error
        except TRANSPORT_ERRORS as error:
            # even where it arrived: the next one replaces it on the screen
            raise DeliveryError(self._say("unreachable", host=host)) from error
        except ValueError as error:  # aiohttp's InvalidURL is one; it would quote the address
            said = self._say("refused", host=host, code="url")
            raise DeliveryError(said, may_retry=False) from error

    def _say(self, key: str, **values: object) -> str:
        return self._tools.voice.words(f"push.error.{key}", receiver=self._settings.id, **values)
