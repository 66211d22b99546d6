"""MQTT: every notification as a CloudEvent, and whether veille lives as a retained status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from msgspec import json

from veille.domain.errors import ConfigError, DeliveryError
from veille.domain.notification import Document, Notification, Ref
from veille.net.mqtt import Broker, BrokerError, Link, Retained, connect
from veille.notifiers.base import Tools
from veille.notifiers.payload import EVENTS_TYPE, JSON_TYPE, document_event, event
from veille.notifiers.settings import MqttReceiver

PORT, TLS_PORT = 1883, 8883  # IANA service names: mqtt, secure-mqtt
GOODBYE_S = 3.0


class MqttNotifier:
    """One connection, held while veille runs: its breaking is what publishes the last will.

    `async with` says goodbye at its end. `keep` connects and notices a lost connection; a send
    connects too, so that an alert never waits for a stage.
    """

    def __init__(self, settings: MqttReceiver, *, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools
        self._link: Link | None = None
        self._stack = AsyncExitStack()
        self._session = 0
        # two stages use one connection: one at a time may open it or wait for a confirmation
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Publish the retained `offline`, then close; what cannot be published, the will says."""
        link = self._link
        if link is not None:
            try:
                async with asyncio.timeout(GOODBYE_S):
                    await link.publish(self._status_topic, self._status("offline"), retain=True)
            except (BrokerError, TimeoutError):
                link.cut()  # a clean end would leave "online" standing: the will says it instead
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._hang_up()

    async def send(self, notification: Notification, *, ref: Ref | None) -> Ref:
        """Return nothing to remember, once the broker took the event (QoS 1, not retained)."""
        del ref
        settings = self._settings
        content = event(notification, source=settings.mqtt_topic, quotes=settings.quotes)
        await self._publish(f"alerts/{notification.facts.severity}", content)
        return {}

    async def publish(self, document: Document) -> None:
        """Return once the broker took the document; its text only if `quotes` is set."""
        settings = self._settings
        content = document_event(
            document,
            source=settings.mqtt_topic,
            at=self._tools.now(),
            quotes=settings.quotes,
        )
        await self._publish("documents", content)

    async def keep(self) -> None:
        """Return with the connection open and `online` retained. Raises DeliveryError."""
        async with self._turn, self._said():
            await self._connected()

    async def verify(self) -> str:
        """Return that the broker takes the connection; nothing is published, no will is left."""
        broker = self._broker()
        # a name of its own: the daemon's connection must not be taken over
        visitor = replace(broker, client_id=f"{broker.client_id}-verify")
        async with self._said(), connect(visitor):
            pass
        return self._say("verified")

    @property
    def _status_topic(self) -> str:
        return f"{self._settings.mqtt_topic}/status/{self._settings.node}"

    async def _publish(self, topic: str, content: bytes) -> None:
        async with self._turn, self._said():
            link = await self._connected()
            await link.publish(
                f"{self._settings.mqtt_topic}/{topic}", content, content_type=EVENTS_TYPE
            )

    async def _connected(self) -> Link:
        if self._link is not None and not self._link.is_lost:
            return self._link
        await self._hang_up()
        # Greater at every connection, also after a restart: whoever sees an old will after a
        # newer birth can tell.
        self._session = max(self._session + 1, int(self._tools.now().timestamp()))
        will = Retained(topic=self._status_topic, payload=self._status("offline"))
        link = await self._stack.enter_async_context(connect(replace(self._broker(), will=will)))
        try:
            await link.publish(
                self._status_topic, self._status("online"), retain=True, content_type=JSON_TYPE
            )
        except BaseException:
            await self._hang_up()
            raise
        self._link = link
        return link

    async def _hang_up(self) -> None:
        stack, self._stack, self._link = self._stack, AsyncExitStack(), None
        await stack.aclose()

    def _status(self, state: str) -> bytes:
        at = self._tools.now()
        return json.encode({"state": state, "session": self._session, "at": at})

    def _broker(self) -> Broker:
        settings = self._settings
        try:
            password = None if settings.password is None else self._tools.secret(settings.password)
        except ConfigError as error:
            raise DeliveryError(str(error), may_retry=False) from error
        return Broker(
            host=settings.host,
            port=settings.port or (TLS_PORT if settings.tls else PORT),
            client_id=settings.client,
            tls=settings.tls,
            user=settings.user,
            password=password,
            allow_private=settings.allow_private,
            timeout_s=settings.timeout_s,
        )

    @asynccontextmanager
    async def _said(self) -> AsyncIterator[None]:
        """Turn what the broker refuses into a sentence."""
        try:
            yield
        except BrokerError as error:
            raise DeliveryError(
                self._say(error.why),
                may_retry=error.may_retry,
                is_unknown=error.why == "unknown",
            ) from error

    def _say(self, key: str) -> str:
        settings = self._settings
        return self._tools.voice.words(
            f"notify.mqtt.{key}",
            host=settings.host,
            port=settings.port or (TLS_PORT if settings.tls else PORT),
            receiver=settings.id,
            user=settings.user,
            secret=settings.password,
            mqtt_topic=settings.mqtt_topic,
        )
