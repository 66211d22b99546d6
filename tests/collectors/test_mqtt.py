"""MQTT in: acknowledged after the commit, redelivered otherwise; a real mosquitto."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.broker import BrokerStandIn, password_file, requires_mosquitto
from veille.collectors.base import MqttSource
from veille.collectors.mqtt import MAX_PAYLOAD_BYTES, MqttCollector, read
from veille.domain.mention import Batch
from veille.net.mqtt import BrokerError, Message

TOPIC = "veille/v1/saint-aubin/mentions/bus"
EVENTS = "application/cloudevents+json"


def mention(number: int, text: str = "L'eau monte rue du Lavoir", **more: object) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": f"m{number}",
        "text": text,
        "created_at": "2026-01-18T02:00:00+01:00",
        "author": {"id": f"auteur-{number}"},
    }
    return values | more


def event(data: object, **more: object) -> dict[str, object]:
    head = {"specversion": "1.0", "id": "e1", "source": "urn:formulaire", "type": "mention"}
    return head | {"time": "2026-01-18T01:00:00Z", "data": data} | more


def payload(value: object) -> bytes:
    return json.dumps(value).encode()


def ids(batch: Batch) -> list[str]:
    return [one.id for one in batch.mentions]


def source(broker: BrokerStandIn, **changes: Any) -> MqttSource:
    values: dict[str, Any] = {
        "id": "bus",
        "host": broker.host,
        "port": broker.port,
        "mqtt_topic": "veille/v1/saint-aubin/mentions/#",
        "allow_private": True,
    }
    return MqttSource(**(values | changes))


# What a payload says


@pytest.mark.parametrize(
    "body",
    [
        payload(mention(1)),
        payload([mention(1)]),
        payload(mention(1)) + b"\n",
        json.dumps(mention(1), indent=2).encode(),
        payload(event(mention(1))),
        payload(event(None, data_base64=base64.b64encode(payload(mention(1))).decode())),
        payload(event(payload(mention(1)).decode())),
        payload([event(mention(1))]),
    ],
)
def test_a_mention_is_read_in_each_of_its_forms(body: bytes) -> None:
    batch = read([Message(payload=body)], "bus")
    assert ids(batch) == ["m1"]
    assert batch.mentions[0].source == "bus"
    assert batch.rejected == ()


def test_the_attributes_of_a_binary_event_complete_its_mention() -> None:
    bare = {"text": "Merci aux agents", "created_at": "2026-01-18T02:00:00+01:00"}
    properties = {"specversion": "1.0", "id": "e7", "source": "urn:formulaire", "type": "x"}
    batch = read([Message(payload=payload(bare), properties=properties)], "bus")
    assert ids(batch) == ["urn:formulaire/e7"]


def test_the_id_of_a_mention_comes_before_that_of_its_event() -> None:
    first = read([Message(payload=payload(event(mention(1), id="e1")))], "bus")
    gone = event({"id": "m1", "deleted": True}, id="e2")
    second = read([Message(payload=payload(gone))], "bus")
    assert ids(first) == ids(second) == ["m1"]
    assert second.mentions[0].deleted


def test_the_source_of_a_payload_leads_the_id_as_in_a_webhook() -> None:
    batch = read([Message(payload=payload(mention(1, source="facebook")))], "bus")
    assert (batch.mentions[0].source, ids(batch)) == ("bus", ["facebook/m1"])


@pytest.mark.parametrize(
    "body",
    [
        b"pas du JSON : Mme Durand",
        b"[1, 2",
        payload({"id": "m1"}),
        payload(event("Mme Durand")),
        payload(event(None, data_base64="@@@")),
        payload(event([["Mme Durand"]])),
        payload(event(event(mention(1)))),
        b'{"specversion":' + b"[" * 100_000,
        b'"' + b"x" * MAX_PAYLOAD_BYTES + b'"',
    ],
)
def test_what_is_no_mention_is_counted_without_its_text_and_stops_no_other(body: bytes) -> None:
    batch = read([Message(payload=body), Message(payload=payload(mention(2)))], "bus")
    assert ids(batch) == ["m2"]
    assert [one.line for one in batch.rejected] == [1]
    assert "Durand" not in batch.rejected[0].reason


def test_a_lone_surrogate_in_an_event_is_repaired() -> None:
    batch = read([Message(payload=payload(event(mention(1, text="Bravo \ud83d !"))))], "bus")
    assert batch.mentions[0].text == "Bravo \ufffd !"


@given(st.binary(max_size=200), st.dictionaries(st.text(max_size=12), st.text(max_size=12)))
def test_no_payload_breaks_the_reader(body: bytes, properties: dict[str, str]) -> None:
    message = Message(payload=body, properties=properties | {"specversion": "1.0"})
    batch = read([message, Message(payload=body)], "bus")
    assert len(batch.mentions) + len(batch.rejected) <= 2 + body.count(b"\n") * 2 + body.count(b",")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mqtt_topic": "veille/#/x"}, "stands last"),
        ({"mqtt_topic": "a+/b"}, "alone in its level"),
        ({"mqtt_topic": "a\nb"}, "topic filter"),
        ({"user": "veille"}, "go together"),
        ({"user": "v", "password": "P", "allow_private": False}, "tls = true"),
        ({"session": "0s"}, "longer than zero"),
        ({"session": "400d"}, "365d"),
        ({"receive_maximum": 0}, "receive_maximum"),
        ({"host": "mqtt://x"}, "host"),
    ],
)
def test_settings_that_could_never_work_are_refused(changes: dict[str, Any], said: str) -> None:
    values = {"kind": "mqtt", "id": "bus", "host": "localhost", "mqtt_topic": "a/#"}
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert(values | {"allow_private": True} | changes, MqttSource)


@pytest.mark.parametrize("topic", ["#", "a/#", "+/a/+", "a", "/a", "a//b", "$share/g/a/#"])
def test_every_filter_of_the_specification_is_taken(topic: str) -> None:
    assert MqttSource(id="bus", host="::1", mqtt_topic=topic).mqtt_topic == topic


# Against mosquitto


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerStandIn]:
    async with BrokerStandIn(tmp_path) as broker:
        yield broker


async def until(flow: Any, enough: Callable[[list[str]], bool]) -> list[str]:
    """Take batches until what came is enough; the last one is not acknowledged."""
    found: list[str] = []
    async with asyncio.timeout(10):
        async for batch in flow:
            found += ids(batch)
            if enough(found):
                return found
    raise AssertionError("the flow ended")


@requires_mosquitto
async def test_what_was_not_resumed_comes_again_and_what_was_does_not(
    broker: BrokerStandIn,
) -> None:
    collector = MqttCollector(source(broker))
    async with aclosing(collector.flow(None)) as flow:
        assert await anext(flow) == Batch(), "connected, and empty"
        await broker.publish(TOPIC, payload(mention(1)))
        assert await until(flow, bool) == ["m1"]
        await broker.publish(TOPIC, payload(mention(2)))
        assert await until(flow, bool) == ["m2"]  # resumed: m1 is acknowledged
    await broker.publish(TOPIC, payload(mention(3)))
    async with aclosing(collector.flow(None)) as flow:
        assert await until(flow, lambda found: "m3" in found) == ["m2", "m3"]


@requires_mosquitto
async def test_what_came_while_nobody_listened_is_kept_by_the_broker(
    broker: BrokerStandIn,
) -> None:
    collector = MqttCollector(source(broker))
    async with aclosing(collector.flow(None)) as flow:
        await anext(flow)
    await broker.publish(TOPIC, *(payload(mention(n)) for n in range(250)))
    async with aclosing(collector.flow(None)) as flow:
        found = await until(flow, lambda found: len(found) >= 250)
    assert found == [f"m{n}" for n in range(250)]


@requires_mosquitto
async def test_a_broker_is_held_back_even_if_it_exceeds_receive_maximum(
    broker: BrokerStandIn,
) -> None:
    collector = MqttCollector(source(broker, receive_maximum=10))
    async with aclosing(collector.flow(None)) as flow:
        await anext(flow)
        await broker.publish(TOPIC, *(payload(mention(n)) for n in range(35)))
        sizes = []
        async with asyncio.timeout(10):
            async for batch in flow:
                sizes.append(len(batch.mentions))
                if sum(sizes) == 35:
                    break
    assert max(sizes) <= 20


@requires_mosquitto
async def test_a_payload_that_is_no_mention_is_acknowledged_and_blocks_nothing(
    broker: BrokerStandIn,
) -> None:
    collector = MqttCollector(source(broker, receive_maximum=1))
    async with aclosing(collector.flow(None)) as flow:
        await anext(flow)
        await broker.publish(TOPIC, b"nonsense", payload(mention(1)))
        assert await until(flow, bool) == ["m1"]


@requires_mosquitto
async def test_a_retained_message_is_read_once_in_a_session(broker: BrokerStandIn) -> None:
    await broker.publish(TOPIC, payload(mention(1)), retain=True)
    collector = MqttCollector(source(broker))
    async with aclosing(collector.flow(None)) as flow:
        assert await until(flow, bool) == ["m1"]
        await anext(flow)
    await broker.publish(TOPIC, payload(mention(2)))
    async with aclosing(collector.flow(None)) as flow:
        assert await until(flow, bool) == ["m2"]


@requires_mosquitto
async def test_user_properties_make_a_binary_event(broker: BrokerStandIn) -> None:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.UserProperty = [("specversion", "1.0"), ("id", "e1"), ("source", "urn:x")]
    properties.ContentType = "application/json"
    bare = {"text": "Trou dans la chaussée", "created_at": "2026-01-18T02:00:00Z"}
    async with aclosing(MqttCollector(source(broker)).flow(None)) as flow:
        await anext(flow)
        async with broker.client() as client:
            await client.publish(TOPIC, payload(bare), qos=1, properties=properties)
        assert await until(flow, bool) == ["urn:x/e1"]


@requires_mosquitto
async def test_a_broker_that_stops_breaks_the_flow_and_may_be_retried(
    broker: BrokerStandIn,
) -> None:
    collector = MqttCollector(source(broker))
    async with aclosing(collector.flow(None)) as flow:
        await anext(flow)
        await broker.stop()
        with pytest.raises(BrokerError) as lost:
            await until(flow, bool)
    assert (lost.value.why, lost.value.may_retry) == ("lost", True)
    async with aclosing(collector.flow(None)) as flow:
        with pytest.raises(BrokerError) as down:
            await anext(flow)
    assert (down.value.why, down.value.may_retry) == ("unreachable", True)


@requires_mosquitto
async def test_a_wrong_password_waits_for_a_person(tmp_path: Path) -> None:
    users = password_file(tmp_path / "users", [("veille", "juste")])
    access = f"allow_anonymous false\npassword_file {users}"
    async with BrokerStandIn(tmp_path, access=access) as broker:
        settings = source(broker, user="veille", password="BUS")
        with pytest.raises(BrokerError, match="correct user and password") as refused:
            await anext(MqttCollector(settings, password="faux").flow(None))
        assert not refused.value.may_retry
        assert "faux" not in str(refused.value)
        async with aclosing(MqttCollector(settings, password="juste").flow(None)) as flow:
            assert await anext(flow) == Batch()


@requires_mosquitto
async def test_a_private_broker_must_be_meant(broker: BrokerStandIn) -> None:
    with pytest.raises(BrokerError, match="allow_private = true") as refused:
        await anext(MqttCollector(source(broker, allow_private=False)).flow(None))
    assert not refused.value.may_retry
