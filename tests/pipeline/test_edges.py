"""What misbehaves outside ends nobody else: notifiers, collectors, a second daemon, a slow stop."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from veille.app.lock import alone
from veille.domain.clock import utc_now
from veille.domain.errors import ConfigError, DeliveryError
from veille.domain.mention import Batch, Mention
from veille.domain.notification import Notification, Ref
from veille.domain.record import MaskedMention
from veille.pipeline import runner as runner_module
from veille.pipeline.deliver import Deliver, Sender
from veille.pipeline.pull import Pull
from veille.pipeline.runner import Outside, Runner
from veille.privacy.protect import Protector
from veille.store import outbox, sources, watermarks

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import SqliteStore


class Moody:
    """A notifier that fails as told, then takes what it is given."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.taken: list[str] = []

    async def send(self, notification: Notification, *, ref: Ref | None) -> Ref:
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(notification.key)
        return {"ts": "1"}


def _deliver(store: SqliteStore, notifier: Moody) -> Deliver:
    sender = Sender(institution="Saint-Aubin", public_url="http://127.0.0.1")
    return Deliver(
        store, receiver="astreinte", notifier=notifier, sender=sender, jitter=lambda: 1.0
    )


async def test_a_notifier_that_breaks_is_tried_again(town: Town, store: SqliteStore) -> None:
    await town.say("au secours")
    await town.work()
    moody = Moody(UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "bad"))
    stage = _deliver(store, moody)
    await stage.step(town.now)
    assert not await stage.step(town.now), "it waits"
    await stage.step(town.now + timedelta(minutes=1))
    assert len(moody.taken) == 1


async def test_a_message_refused_for_what_it_says_lets_the_next_one_go(
    town: Town, store: SqliteStore
) -> None:
    await town.say("au secours")
    await town.work()
    moody = Moody(DeliveryError("invalid_blocks", is_content=True))
    stage = _deliver(store, moody)
    await stage.step(town.now)
    await town.run(timedelta(minutes=11))
    while await stage.step(town.now):
        pass
    assert [key.split("-")[1] for key in moody.taken] == ["resolved"]
    assert "astreinte" not in await store.read(outbox.depth)


class Broken:
    """A collector with a bug."""

    async def read(self, cursor: str | None) -> Batch:
        raise ValueError("a bug")


async def test_a_collector_that_breaks_is_shown_and_ends_nobody(
    town: Town, store: SqliteStore
) -> None:
    pull = Pull(
        store, town.collect, origin=town.source, collector=Broken(), poll=timedelta(seconds=1)
    )
    assert not await pull.step(town.now)
    (health,) = await store.read(sources.health)
    assert health.error == "ValueError in the collector"


def test_a_second_daemon_on_the_same_store_is_refused(tmp_path: Path) -> None:
    with (
        alone(tmp_path / "veille.lock"),
        pytest.raises(ConfigError, match="another veille"),
        alone(tmp_path / "veille.lock"),
    ):
        pass


class Counting:
    """A stage that counts its steps."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps = 0

    async def step(self, now: datetime) -> bool:
        self.steps += 1
        return False


async def test_a_commit_wakes_who_waits_for_others_and_nobody_else(store: SqliteStore) -> None:
    runner = Runner(now=utc_now)
    waiting, idle = Counting("waiting"), Counting("idle")
    wake = runner.add(waiting, tick_s=60.0)
    runner.add(idle, tick_s=60.0)
    runner.add(Outside(store), tick_s=0.02, then=[wake])
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        number = 0
        while waiting.steps < 4:
            number += 1
            await store.write(partial(watermarks.set, name="cli", value=number))
            await asyncio.sleep(0.01)
        assert idle.steps == 1
        runner.stop()


async def test_a_stop_does_not_wait_for_a_step_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Hanging:
        name = "hanging"

        async def step(self, now: datetime) -> bool:
            await asyncio.sleep(3600)
            return False

    monkeypatch.setattr(runner_module, "STOP_S", 0.05)
    runner = Runner(now=lambda: datetime.now().astimezone())
    runner.add(Hanging(), tick_s=1.0)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        await asyncio.sleep(0)
        runner.stop()


async def test_what_hangs_while_it_closes_holds_up_no_other_that_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Hanging:
        def __init__(self, name: str) -> None:
            self.name = name

        async def step(self, now: datetime) -> bool:
            await all_three.wait()
            await asyncio.sleep(3600)
            return False

    async def close() -> None:
        await all_three.wait()  # one after another they would wait for ever
        closed.append("closed")

    monkeypatch.setattr(runner_module, "STOP_S", 0.05)
    all_three, closed = asyncio.Barrier(4), list[str]()
    runner = Runner(now=utc_now)
    for name in ("one", "two", "three"):
        runner.add(Hanging(name), tick_s=0.01, close=close)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        await all_three.wait()
        runner.stop()
        await all_three.wait()
    assert closed == ["closed"] * 3


async def test_one_mention_that_breaks_the_masking_stops_no_other(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Protector.protect

    def breaks(self: Protector, mention: Mention, **more: Any) -> MaskedMention:
        if mention.text == "poison":
            raise ValueError("a bug")
        return whole(self, mention, **more)

    monkeypatch.setattr(Protector, "protect", breaks)
    batch = Batch(mentions=(town.mention("poison"), town.mention("bonjour")))
    accepted = await town.collect.accept(town.source, batch, now=town.now)
    assert (accepted.stored, accepted.rejected) == (1, 1)
