"""aiomqtt with what it does not offer, for which its inside is used: see `Client`."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from contextlib import suppress
from typing import Any

import aiomqtt
from paho.mqtt.client import Client as Paho
from paho.mqtt.client import MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""With more than this, or twice the Receive Maximum, not yet taken, the socket is not read.

Receive Maximum should do: mosquitto 2.0.11 was seen to send ten times as much after an
acknowledgement, and everything at once when a session is resumed; and QoS 0 knows no limit.
"""
FAILED = 0x80
"""Reason codes from here on are failures (MQTT 5.0, 2.4)."""

# paho logs topics at DEBUG, where names may stand, and errors that are handled, and said, here.
LOG = logging.getLogger("veille.mqtt")
LOG.setLevel(logging.CRITICAL)


class Client(aiomqtt.Client):
    """One connection.

    What aiomqtt 2.5 lacks: acknowledgement by hand, an inbox of which a cancelled wait loses
    nothing (its own may lose one message) and that holds the broker back, the reasons of refused
    publications and subscriptions, a half-open connection that is closed.
    """

    def __init__(
        self,
        hostname: str,
        port: int,
        *,
        room: int,
        **options: Any,  # aiomqtt's own
    ) -> None:
        super().__init__(hostname, port, **options)
        self._inbox: deque[MQTTMessage] = deque()
        self._inbox_bytes = 0
        self._room = 2 * room
        self._is_paused = False
        self.refusal: int | None = None
        self.granted: int | None = None
        self.news = asyncio.Event()
        self._client.manual_ack_set(True)  # noqa: FBT003 paho's signature
        self._client.connect_timeout = min(self.timeout, 5.0)

    def watch(self) -> None:
        """Let the loss of this connection be noticed at once."""
        self._disconnected.add_done_callback(lambda _: self.news.set())

    @property
    def is_lost(self) -> bool:
        return self._disconnected.done()

    def take(self) -> list[MQTTMessage]:
        """Return all that waits; a socket that was not read any more is read again."""
        found = list(self._inbox)
        self._inbox.clear()
        self._inbox_bytes = 0
        sock = self._client.socket()
        if self._is_paused and sock is not None:
            self._is_paused = False
            self._loop.add_reader(sock.fileno(), self._read)
            self._loop.call_soon(self._read)  # what TLS decoded already wakes no reader
        return found

    def _read(self) -> None:
        try:
            self._client.loop_read()
        except Exception as error:  # noqa: BLE001 as aiomqtt does: whatever it is, it is over
            if not self._disconnected.done():
                self._disconnected.set_exception(error)

    @property
    def has_some(self) -> bool:
        return bool(self._inbox)

    def ask_for(self, topic_filter: str) -> None:
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        self._client.subscribe(topic_filter, options=options)

    def acknowledge(self, mid: int) -> None:
        self._client.ack(mid, 1)

    def cut(self) -> None:
        sock = self._client.socket()
        if isinstance(sock, socket.socket):  # TLS too; paho's type allows for more
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Close a connection that may be half open; aiomqtt would leave its socket."""
        self._client.disconnect()
        for future in (self._connected, self._disconnected):
            if future.done() and not future.cancelled():
                future.exception()  # looked at, or the loop logs it at its end

    def _on_message(
        self,
        client: Paho,  # noqa: ARG002 paho's signature
        userdata: Any,  # noqa: ARG002 the same
        message: MQTTMessage,
    ) -> None:
        self._inbox.append(message)
        self._inbox_bytes += len(message.payload)
        self.news.set()
        is_full = len(self._inbox) >= self._room or self._inbox_bytes >= MAX_WAITING_BYTES
        sock = self._client.socket()
        if is_full and not self._is_paused and sock is not None:
            self._is_paused = True
            self._loop.remove_reader(sock.fileno())

    def _on_subscribe(
        self,
        client: Paho,  # noqa: ARG002 paho's signature
        userdata: Any,  # noqa: ARG002 the same
        mid: int,  # noqa: ARG002 one subscription a connection
        reason_codes: list[ReasonCode],
        properties: Properties | None = None,  # noqa: ARG002 paho's signature
    ) -> None:
        self.granted = max(code.value for code in reason_codes)
        self.news.set()

    def _on_publish(
        self,
        client: Paho,
        userdata: Any,  # paho's signature
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        if reason_code.value >= FAILED:
            self.refusal = reason_code.value
        super()._on_publish(client, userdata, mid, reason_code, properties)
