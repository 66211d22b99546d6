"""The evaluate stage leaves the store alone while nothing can change, and sees what does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest

from veille.domain.alert import AlertState
from veille.rules.parse import parse_rules
from veille.store import alerts
from veille.store.engine import Db, SqliteStore

if TYPE_CHECKING:
    from conftest import Town

T = TypeVar("T")
TICK = timedelta(seconds=10)


class Counted:
    """A store that counts what is asked of it."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.reads = self.writes = 0

    async def write(self, change: Callable[[Db], T]) -> T:
        self.writes += 1
        return await self._store.write(change)

    async def read(self, query: Callable[[Db], T]) -> T:
        self.reads += 1
        return await self._store.read(query)


@pytest.fixture
async def counted(store: SqliteStore) -> Counted:
    return Counted(store)


@pytest.fixture
async def town(counted: Counted, stages: Callable[..., Town]) -> Town:
    town = stages(counted)
    await town.evaluate.open(town.now)
    return town


async def ticks(town: Town, lasting: timedelta) -> None:
    for _ in range(lasting // TICK):
        town.now += TICK
        assert not await town.evaluate.step(town.now)


async def test_a_quiet_look_is_one_read_and_the_end_of_a_window_is_seen(
    town: Town, counted: Counted, store: SqliteStore
) -> None:
    await town.say("au secours")
    await town.work()
    reads, writes = counted.reads, counted.writes
    await ticks(town, timedelta(minutes=9, seconds=50))
    assert (counted.reads - reads, counted.writes) == (59, writes)
    (alert,) = await store.read(alerts.live)
    assert alert.state is AlertState.FIRING
    await ticks(town, TICK)
    assert await store.read(alerts.live) == []


async def test_new_rules_are_looked_at_in_the_same_step(town: Town) -> None:
    await town.say("au secours")
    await town.work()
    changed = b"rules: [{id: other, kind: count, min_count: 1, severity: info}]"
    town.evaluate.take_rules(parse_rules({"rules.yml": changed}))
    await town.evaluate.step(town.now + TICK)
    assert [alert.rule for alert in town.evaluate.live] == ["other"]


async def test_rules_that_were_taken_are_asked_when_they_wake(town: Town) -> None:
    short = b"rules: [{id: other, kind: count, min_count: 1, window: 30s, severity: info}]"
    town.evaluate.take_rules(parse_rules({"rules.yml": short}))
    await town.say("bonjour")
    await town.work()
    assert town.evaluate.wakes_at == town.now + timedelta(seconds=30)
    await ticks(town, timedelta(seconds=30))
    assert not town.evaluate.live
    assert town.evaluate.wakes_at is None
