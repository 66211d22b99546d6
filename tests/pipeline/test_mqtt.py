"""A broker stopped, started and killed under load, through the stream stage into the store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from servers.broker import DURABLE, BrokerStandIn, requires_mosquitto
from veille.collectors.base import MqttSource
from veille.collectors.mqtt import MqttCollector
from veille.pipeline.stream import Stream
from veille.store import mentions

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import SqliteStore

TOPIC = "veille/v1/saint-aubin/mentions/bus"
TOTAL = 400

pytestmark = requires_mosquitto


def line(number: int, **more: object) -> bytes:
    at = "2026-01-18T02:00:00+01:00"
    whole = {"id": f"m{number}", "text": f"Message numéro {number}", "created_at": at}
    return json.dumps(whole | more).encode()


def source(broker: BrokerStandIn) -> MqttSource:
    return MqttSource(
        id="bus", host=broker.host, port=broker.port, mqtt_topic=TOPIC, allow_private=True
    )


def stream(town: Town, broker: BrokerStandIn) -> Stream:
    settings = source(broker)
    return Stream(
        town.store,
        town.collect,
        origin=settings,
        collector=MqttCollector(settings),
        jitter=lambda: 0.05,
    )


async def stored(store: SqliteStore) -> int:
    return sum((await store.read(mentions.counts)).values())


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerStandIn]:
    async with BrokerStandIn(tmp_path) as broker:
        yield broker


class Publisher:
    """Publishes numbered mentions; one that was not confirmed is published again."""

    def __init__(self, broker: BrokerStandIn) -> None:
        self._broker = broker
        self.confirmed = 0
        self.repeated = 0

    async def run(self, total: int) -> None:
        while self.confirmed < total:
            try:
                async with self._broker.client(timeout=0.5) as client:
                    while self.confirmed < total:
                        await client.publish(TOPIC, line(self.confirmed), qos=1)
                        self.confirmed += 1
            except aiomqtt.MqttError:
                self.repeated += 1
                await asyncio.sleep(0.05)


async def run(town: Town, flowing: Stream, until: int) -> None:
    """Step on the real clock, as the runner would, until so many mentions are stored."""
    async with asyncio.timeout(15):
        while await stored(town.store) < until:
            await flowing.step(datetime.now(UTC))
            await asyncio.sleep(0.005)


async def test_what_a_publisher_was_confirmed_is_stored_once_over_three_broker_restarts(
    town: Town, store: SqliteStore, broker: BrokerStandIn
) -> None:
    flowing = stream(town, broker)
    await flowing.step(datetime.now(UTC))
    publisher = Publisher(broker)

    async def trouble() -> None:
        for part in (1, 2, 3):
            while publisher.confirmed < part * TOTAL // 4:
                await asyncio.sleep(0.01)
            await broker.stop()
            await broker.start()

    async with asyncio.TaskGroup() as group:
        group.create_task(publisher.run(TOTAL))
        group.create_task(trouble())
        await run(town, flowing, TOTAL)
    await flowing.step(datetime.now(UTC))
    await flowing.close()
    assert publisher.confirmed == TOTAL
    assert publisher.repeated >= 1
    assert await stored(store) == TOTAL


async def test_a_killed_broker_has_lost_no_more_than_docs_say(
    town: Town, store: SqliteStore, broker: BrokerStandIn
) -> None:
    flowing = stream(town, broker)
    await flowing.step(datetime.now(UTC))
    await flowing.close()
    await broker.publish(TOPIC, *(line(n) for n in range(200)))
    await broker.kill()
    await broker.start()
    # twenty changes, and as many again while they are being written
    await run(town, flowing, 160)
    await flowing.close()


def test_the_broker_of_the_tests_is_set_as_the_docs_recommend() -> None:
    page = Path(__file__).parents[2] / "docs" / "mqtt.md"
    assert DURABLE.strip() in page.read_text(encoding="utf-8")


async def test_a_veille_that_is_cut_before_its_commit_gets_everything_again(
    town: Town, store: SqliteStore, broker: BrokerStandIn
) -> None:
    settings = source(broker)
    cut = MqttCollector(settings).flow(None)
    await anext(cut)
    await broker.publish(TOPIC, *(line(n) for n in range(50)))
    seen = 0
    async with asyncio.timeout(10):
        while not seen:
            seen = len((await anext(cut)).mentions)
    await cut.aclose()  # taken from the broker, and never committed
    assert await stored(store) == 0
    flowing = stream(town, broker)
    await run(town, flowing, 50)
    await flowing.close()
    assert await stored(store) == 50


async def test_an_edit_and_a_deletion_arrive(
    town: Town, store: SqliteStore, broker: BrokerStandIn
) -> None:
    flowing = stream(town, broker)
    await flowing.step(datetime.now(UTC))
    await broker.publish(TOPIC, line(1), line(2))
    await run(town, flowing, 2)
    edited = line(1, text="Message corrigé", edited_at="2026-01-18T02:05:00+01:00")
    await broker.publish(TOPIC, edited, line(2, deleted=True, text=""))
    async with asyncio.timeout(10):
        while (await store.read(mentions.counts)).get("deleted") != 1:
            await flowing.step(datetime.now(UTC))
    await flowing.close()
    found = await store.read(lambda db: mentions.search(db, "corrigé", 10))
    assert len(found) == 1
