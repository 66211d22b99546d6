"""MQTT out: events with a stable id, and a status that tells whether veille lives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from servers.broker import BrokerStandIn, password_file, requires_mosquitto
from veille.domain.errors import DeliveryError
from veille.domain.notification import Document, Notification, NotificationKind
from veille.net.mqtt import BrokerError
from veille.notifiers.base import Tools
from veille.notifiers.mqtt import MqttNotifier
from veille.notifiers.settings import MqttReceiver

BASE = "veille/v1/saint-aubin"
STATUS = f"{BASE}/status/veille"
Note = Callable[..., Notification]

pytestmark = requires_mosquitto


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerStandIn]:
    async with BrokerStandIn(tmp_path) as broker:
        yield broker


def notifier(broker: BrokerStandIn, tools: Tools, **changes: Any) -> MqttNotifier:
    values: dict[str, Any] = {
        "id": "bus",
        "host": broker.host,
        "port": broker.port,
        "mqtt_topic": BASE,
        "allow_private": True,
        "timeout": "2s",
    }
    return MqttNotifier(MqttReceiver(**(values | changes)), tools=tools)


async def refusal(sending: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await sending
    return caught.value


async def status(broker: BrokerStandIn) -> dict[str, Any]:
    found = await broker.retained(STATUS)
    return {} if found is None else json.loads(found)


async def status_becomes(broker: BrokerStandIn, state: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while (found := await status(broker)).get("state") != state:
            pass
    return found


async def hear(client: aiomqtt.Client) -> aiomqtt.Message:
    async with asyncio.timeout(5):
        return await anext(client.messages)


async def test_a_notification_is_an_event_under_its_severity(
    broker: BrokerStandIn, tools: Tools, note: Note
) -> None:
    async with broker.client() as tool, notifier(broker, tools) as sender:
        await tool.subscribe(f"{BASE}/alerts/#", qos=1)
        assert await sender.send(note(), ref=None) == {}
        heard = await hear(tool)
    assert str(heard.topic) == f"{BASE}/alerts/critical"
    assert (heard.qos, heard.retain) == (1, False)
    event = json.loads(heard.payload)
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "subject")} == {
        "specversion": "1.0",
        "id": "I12-opened-1.1768698300",
        "source": BASE,
        "type": "fr.veille.incident.opened.v1",
        "subject": "incidents/I12",
    }
    assert event["data"]["value"] == 12
    assert {"quotes", "places"} & event["data"].keys() == set(), "texts are not for the bus"


async def test_texts_go_on_the_bus_only_where_somebody_wrote_so(
    broker: BrokerStandIn, tools: Tools, note: Note
) -> None:
    async with broker.client() as tool, notifier(broker, tools, quotes=True) as sender:
        await tool.subscribe(f"{BASE}/alerts/#", qos=1)
        await sender.send(note(NotificationKind.REDACTED), ref={})
        event = json.loads((await hear(tool)).payload)
    assert event["type"] == "fr.veille.incident.redacted.v1"
    assert len(event["data"]["quotes"]) == 2


@pytest.mark.parametrize(("quotes", "text"), [(False, None), (True, "Calme.")])
async def test_a_document_is_published_with_its_text_where_texts_may_be(
    broker: BrokerStandIn, tools: Tools, quotes: bool, text: str | None
) -> None:
    document = Document(key="weekly-2026-W03", subject="Semaine 3", text="Calme.", html="<p>")
    async with broker.client() as tool, notifier(broker, tools, quotes=quotes) as sender:
        await tool.subscribe(f"{BASE}/documents", qos=1)
        await sender.publish(document)
        event = json.loads((await hear(tool)).payload)
    assert (event["id"], event["data"].get("text")) == ("weekly-2026-W03", text)


async def test_the_status_is_retained_online_then_offline(
    broker: BrokerStandIn, tools: Tools
) -> None:
    async with notifier(broker, tools) as sender:
        assert await status(broker) == {}
        await sender.keep()
        born = await status(broker)
        await sender.keep()
        assert await status(broker) == born, "a connection that holds is not born again"
    gone = await status(broker)
    assert (born["state"], gone["state"]) == ("online", "offline")
    assert born["session"] == gone["session"]


async def test_a_dead_veille_is_announced_by_the_broker(
    broker: BrokerStandIn, tools: Tools
) -> None:
    sender = notifier(broker, tools)
    await sender.keep()
    assert sender._link is not None
    # what a kill does: the socket ends without a goodbye
    sender._link.cut()
    dead = await status_becomes(broker, "offline")
    await sender.keep()
    back = await status_becomes(broker, "online")
    assert back["session"] > dead["session"], "an old will can be told from a newer birth"
    async with sender:
        pass


async def test_a_goodbye_that_is_refused_is_said_by_the_will(
    broker: BrokerStandIn, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise BrokerError("no", why="refused")

    async with notifier(broker, tools) as sender:
        await sender.keep()
        monkeypatch.setattr(sender._link, "publish", refuse)
    await status_becomes(broker, "offline")


async def test_a_broker_that_comes_back_is_told_that_veille_lives(
    broker: BrokerStandIn, tools: Tools, note: Note
) -> None:
    async with notifier(broker, tools) as sender:
        await sender.keep()
        before = await status(broker)
        await broker.stop()
        error = await refusal(sender.keep())
        assert error.may_retry
        assert "gardée" in str(error)
        assert (await refusal(sender.send(note(), ref=None))).may_retry
        await broker.start()
        await sender.send(note(), ref=None)
        after = await status(broker)
        assert after["state"] == "online"
        assert after["session"] > before["session"]


async def test_verify_leaves_no_trace_and_the_daemon_connected(
    broker: BrokerStandIn, tools: Tools
) -> None:
    async with notifier(broker, tools) as daemon:
        await daemon.keep()
        assert str(broker.port) in await notifier(broker, tools).verify()
        assert daemon._link is not None
        assert not daemon._link.is_lost
        assert (await status(broker))["state"] == "online"


async def test_what_the_broker_refuses_is_no_delivery(
    tmp_path: Path, tools: Tools, note: Note
) -> None:
    users = password_file(tmp_path / "users", [("veille", "juste")])
    rights = tmp_path / "acl"
    rights.write_text(f"user veille\ntopic write {BASE}/status/#\n")
    access = f"allow_anonymous false\npassword_file {users}\nacl_file {rights}"
    keyed = replace(tools, secret={"BUS": "juste", "WRONG": "faux"}.__getitem__)
    async with BrokerStandIn(tmp_path, access=access) as broker:
        async with notifier(broker, keyed, user="veille", password="WRONG") as sender:
            login = await refusal(sender.send(note(), ref=None))
        async with notifier(broker, keyed, user="veille", password="BUS") as sender:
            rights_missing = await refusal(sender.send(note(), ref=None))
    assert not login.may_retry
    assert "WRONG" in str(login)
    assert "faux" not in str(login)
    assert not rights_missing.may_retry
    assert BASE in str(rights_missing)


async def test_a_private_broker_must_be_meant(broker: BrokerStandIn, tools: Tools) -> None:
    error = await refusal(notifier(broker, tools, allow_private=False).verify())
    assert not error.may_retry
    assert "allow_private = true" in str(error)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mqtt_topic": "veille/#"}, "publish under"),
        ({"mqtt_topic": "/veille"}, "publish under"),
        ({"node": "Mairie 1"}, "no name"),
        ({"user": "veille"}, "go together"),
        ({"user": "v", "password": "P"}, "tls = true"),
        ({"port": 0}, "no server"),
        ({"port": 70000}, "no server"),
        ({"host": "mqtt://x"}, "no server"),
    ],
)
def test_settings_that_could_never_work_are_refused(changes: dict[str, Any], said: str) -> None:
    values = {"kind": "mqtt", "id": "bus", "host": "bus.example", "mqtt_topic": BASE}
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert(values | changes, MqttReceiver)
