"""Mentions from an MQTT broker, acknowledged once they are committed."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Mapping, Sequence

from veille.collectors.base import MqttSource
from veille.collectors.interchange import parse_lines
from veille.collectors.webhook import MAX_MENTIONS, split
from veille.domain.durations import parse_duration
from veille.domain.mention import Batch, Rejection
from veille.net.mqtt import Broker, Message, connect

MAX_PAYLOAD_BYTES = 1024 * 1024
WAIT_S = 1.0
PORT, TLS_PORT = 1883, 8883  # IANA service names: mqtt, secure-mqtt

Attributes = Mapping[str, object]


class MqttCollector:
    """A StreamCollector of one topic filter. The broker's session is its cursor."""

    def __init__(self, settings: MqttSource, *, password: str | None = None) -> None:
        self._source = settings.id
        self._filter = settings.mqtt_topic
        self._broker = Broker(
            host=settings.host,
            port=settings.port or (TLS_PORT if settings.tls else PORT),
            client_id=settings.client,
            tls=settings.tls,
            user=settings.user,
            password=password,
            allow_private=settings.allow_private,
            session=parse_duration(settings.session),
            receive_maximum=settings.receive_maximum,
        )

    async def flow(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Yield what arrived, at least every second; acknowledge it when resumed.

        What was yielded and not resumed is sent again by the broker at the next connection.
        Raises BrokerError.
        """
        del cursor
        async with connect(self._broker) as link:
            await link.subscribe(self._filter)
            yield Batch()
            while True:
                messages = await link.arrived(WAIT_S)
                yield await asyncio.to_thread(read, messages, self._source)
                link.acknowledge(messages)


def read(messages: Sequence[Message], source: str) -> Batch:
    """Return the mentions of these messages; what is none is rejected, and stops no other."""
    batches = [_read(message, number, source) for number, message in enumerate(messages, start=1)]
    return Batch(
        mentions=tuple(mention for batch in batches for mention in batch.mentions),
        rejected=tuple(one for batch in batches for one in batch.rejected),
        unknown_field_count=sum(batch.unknown_field_count for batch in batches),
    )


def _read(message: Message, number: int, source: str) -> Batch:
    """Return the mentions of one message; its rejections carry the message's number."""
    if len(message.payload) > MAX_PAYLOAD_BYTES:
        return _rejected(number, f"larger than {MAX_PAYLOAD_BYTES} bytes: send less at a time")
    lines = split(message.payload)
    if len(lines) > MAX_MENTIONS:
        return _rejected(number, f"more than {MAX_MENTIONS} mentions: send less at a time")
    outer = message.properties if "specversion" in message.properties else {}
    found = parse_lines([part for line in lines for part in _unwrapped(line, outer)], source)
    return Batch(
        mentions=found.mentions,
        rejected=tuple(Rejection(line=number, reason=each.reason) for each in found.rejected),
        unknown_field_count=found.unknown_field_count,
    )


def _rejected(number: int, reason: str) -> Batch:
    return Batch(rejected=(Rejection(line=number, reason=reason),))


def _unwrapped(line: bytes, outer: Attributes) -> Sequence[bytes]:
    """Return the JSON of the mentions in a CloudEvent; any other line as it is.

    `outer` are the attributes of a binary mode event: the line is its data then. Source:
    CloudEvents 1.0.2, JSON format 3; MQTT binding 3.
    """
    if not outer and b'"specversion"' not in line:
        return (line,)
    try:
        event = json.loads(line)  # unlike msgspec it takes lone surrogates: parse_lines repairs
    except (ValueError, RecursionError):
        return (line,)  # parse_lines says what is wrong with it
    if not isinstance(event, dict):
        return (line,)
    if outer:
        return (_completed(event, outer),)
    if "specversion" not in event:
        return (line,)
    data = _data(event)
    mentions = data if isinstance(data, list) else [data]
    return [_completed(one, event) if isinstance(one, dict) else b"0" for one in mentions]


def _data(event: Attributes) -> object:
    """Return the data of a structured event, None when it holds no JSON."""
    data = event.get("data")
    encoded = event.get("data_base64")
    try:
        if isinstance(encoded, str):
            return json.loads(base64.b64decode(encoded, validate=True))
        return json.loads(data) if isinstance(data, str) else data
    except (ValueError, RecursionError):
        return None


def _completed(mention: Mapping[str, object], event: Attributes) -> bytes:
    """Return the mention with the event's id, source and time where it has no id or date.

    The mention's own id comes first: an edit or a deletion is another event about the same one.
    """
    whole = dict(mention)
    if "id" not in whole:
        whole["id"] = event.get("id")
        whole.setdefault("source", event.get("source"))
    whole.setdefault("created_at", event.get("time"))
    return json.dumps(whole).encode()
