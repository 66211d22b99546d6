"""A connection to an MQTT 5 broker: checked host, acknowledgement by hand, bounded waits."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import aiomqtt
from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from veille.domain.errors import ConfigError, SourceError
from veille.net.guard import check_host
from veille.net.mqtt_client import FAILED, LOG, Client

MAX_PACKET_BYTES = 2 * 1024 * 1024
"""A broker sends nothing larger."""
KEEPALIVE_S = 30
"""A broker notices a dead client after one and a half of these (MQTT 5.0, 3.1.2.10)."""

_ADDRESSES = 2
_PASSING = frozenset({0x83, 0x88, 0x89, 0x97, 0x9C, 0x9D, 0x9F})
"""Refusals of CONNECT that may pass: busy, unavailable, quota, moved, rate (MQTT 5.0, 3.2.2.2)."""
_LOGIN = frozenset({0x86, 0x87, 0x8A, 0x8C})
_OLD = frozenset({0x84})

Why = Literal["unreachable", "certificate", "login", "refused", "old", "lost", "unknown"]


class BrokerError(SourceError):
    """The broker could not be reached, refused, or is gone; `why` in one word."""

    def __init__(self, message: str, *, why: Why, may_retry: bool = True) -> None:
        super().__init__(message, may_retry=may_retry)
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """A message that the broker keeps as the last word on its topic."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where to connect, and as whom.

    With a `session` the broker keeps what it could not deliver for that long after a disconnect.
    `context` None means the system's certificates. `will` is published when the connection breaks.
    """

    host: str
    port: int
    client_id: str
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    allow_private: bool = False
    timeout_s: float = 10.0
    session: timedelta = timedelta(0)
    receive_maximum: int = 100
    will: Retained | None = None
    context: ssl.SSLContext | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it came. `mid` identifies it on its own connection only; 0 with QoS 0."""

    payload: bytes
    mid: int = 0
    content_type: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


class Link:
    """An open connection; made by `connect`. One publication at a time."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    @property
    def is_lost(self) -> bool:
        """Whether the connection broke; what is not acknowledged by then comes again."""
        return self._client.is_lost

    async def subscribe(self, topic_filter: str) -> None:
        """Receive what matches, with QoS 1; a retained message only the first time."""
        client = self._client
        client.ask_for(topic_filter)
        with suppress(TimeoutError):
            async with asyncio.timeout(client.timeout):
                # messages of an earlier session may come first, so many that reading pauses
                while not (client.has_some or client.is_lost or client.granted is not None):
                    client.news.clear()
                    await client.news.wait()
        self._check()
        if not client.has_some and client.granted is None:
            raise self._lost()

    async def arrived(self, within_s: float) -> Sequence[Message]:
        """Return all that came and is not yet taken, after waiting at most this long for it."""
        client = self._client
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not (client.has_some or client.is_lost):
                    client.news.clear()
                    await client.news.wait()
        self._check()
        found = [_message(raw) for raw in client.take()]
        if not found and client.is_lost:
            raise self._lost()
        return found

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Let the broker forget these messages of this connection, in the order they came."""
        for message in messages:
            if message.mid and not self._client.is_lost:
                self._client.acknowledge(message.mid)

    async def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, content_type: str = ""
    ) -> None:
        """Return once the broker took the message (QoS 1)."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has none
        if content_type:
            properties.ContentType = content_type
        self._client.refusal = None
        try:
            await self._client.publish(topic, payload, 1, retain, properties)
        except aiomqtt.MqttCodeError as error:
            raise self._lost() from error
        except aiomqtt.MqttError as error:
            raise BrokerError(f"{self._name} confirmed nothing", why="unknown") from error
        if self._client.refusal is not None:
            text = f"{self._name} refuses the message (code {self._client.refusal})"
            raise BrokerError(text, why="refused", may_retry=False)

    def cut(self) -> None:
        """End without a goodbye, so that the broker publishes the will."""
        self._client.cut()

    def _check(self) -> None:
        code = self._client.granted
        if code is not None and code >= FAILED:
            text = f"{self._name} refuses the subscription (code {code}): give the user the right "
            raise BrokerError(f"{text}to read mqtt_topic", why="refused", may_retry=False)

    def _lost(self) -> BrokerError:
        return BrokerError(f"{self._name}: the connection is lost", why="lost")


@asynccontextmanager
async def connect(broker: Broker) -> AsyncIterator[Link]:
    """Hold a connection; BrokerError when there is none. A clean end publishes no will."""
    name = f"broker {broker.host}:{broker.port}"
    client = await _open(broker, name)
    client.watch()
    try:
        yield Link(client, name)
    finally:
        try:
            with suppress(aiomqtt.MqttError):
                await client.__aexit__(None, None, None)
        finally:
            client.drop()


async def _open(broker: Broker, name: str) -> Client:
    failure: BrokerError | None = None
    context = await _context(broker)
    for host in await _hosts(broker, name):
        client = _new(broker, host, context)
        try:
            await client.__aenter__()
            return client
        except aiomqtt.MqttError as error:
            client.drop()
            failure = _failure(error, name)
        except BaseException:  # cancelled half-way: the socket must not stay
            client.drop()
            raise
        if not failure.may_retry:
            break
    raise failure or BrokerError(f"{name} has no address", why="unreachable")


async def _hosts(broker: Broker, name: str) -> Sequence[str]:
    """Return what to connect to: the checked addresses, or the name where TLS proves it."""
    try:
        async with asyncio.timeout(broker.timeout_s):
            found = await check_host(broker.host, broker.port, allow_private=broker.allow_private)
    except ConfigError as error:
        raise BrokerError(str(error), why="refused", may_retry=False) from error
    except OSError as error:  # an unknown name; TimeoutError is one
        raise _unreachable(name) from error
    return (broker.host,) if broker.tls else found[:_ADDRESSES]


async def _context(broker: Broker) -> ssl.SSLContext | None:
    if not broker.tls:
        return None
    # reads the system's certificates from disk
    return broker.context or await asyncio.to_thread(ssl.create_default_context)


def _new(broker: Broker, host: str, context: ssl.SSLContext | None) -> Client:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho gives none
    properties.SessionExpiryInterval = int(broker.session.total_seconds())
    properties.ReceiveMaximum = broker.receive_maximum
    properties.MaximumPacketSize = MAX_PACKET_BYTES
    will = broker.will
    return Client(
        host,
        broker.port,
        room=broker.receive_maximum,
        username=broker.user,
        password=broker.password,
        logger=LOG,
        identifier=broker.client_id,
        protocol=aiomqtt.ProtocolVersion.V5,
        will=will and aiomqtt.Will(will.topic, will.payload, qos=1, retain=True),
        clean_start=not broker.session,
        timeout=broker.timeout_s,
        keepalive=KEEPALIVE_S,
        properties=properties,
        tls_context=context,
    )


def _failure(error: aiomqtt.MqttError, name: str) -> BrokerError:
    if isinstance(error, aiomqtt.MqttCodeError):
        return _refusal(error.rc, name)
    if isinstance(error.__context__, ssl.SSLError):
        text = f"{name}: TLS failed: correct its certificate, or host, port and tls"
        return BrokerError(text, why="certificate")
    return _unreachable(name)


def _refusal(rc: int | ReasonCode | None, name: str) -> BrokerError:
    code = rc.value if isinstance(rc, ReasonCode) else rc
    what = f"{name} refuses the connection (code {code})"
    if code in _LOGIN:
        text = f"{what}: correct user and password"
        return BrokerError(text, why="login", may_retry=False)
    if code in _OLD:
        text = f"{what}: it does not speak MQTT 5; mosquitto does from 1.6 on"
        return BrokerError(text, why="old", may_retry=False)
    return BrokerError(what, why="refused", may_retry=code in _PASSING)


def _unreachable(name: str) -> BrokerError:
    return BrokerError(f"{name} does not answer: check host, port and tls", why="unreachable")


def _message(raw: MQTTMessage) -> Message:
    properties = raw.properties
    pairs = getattr(properties, "UserProperty", ())
    return Message(
        payload=bytes(raw.payload),
        mid=raw.mid if raw.qos else 0,
        content_type=str(getattr(properties, "ContentType", "")),
        properties={str(key).lower(): str(value) for key, value in pairs},
    )
