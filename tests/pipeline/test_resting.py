"""A stage that rests is stepped for news and in time, and for nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from veille.pipeline.resting import Resting
from veille.store import watermarks
from veille.store.engine import SqliteStore

START = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Counting:
    """A stage that writes when it is told to, and notes when it was stepped."""

    name = "counting"

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.wakes_at: datetime | None = None
        self.stepped: list[datetime] = []
        self.writes = 0

    async def step(self, now: datetime) -> bool:
        self.stepped.append(now)
        if not self.writes:
            return False
        self.writes -= 1
        await change(self.store, len(self.stepped))
        return True


async def change(store: SqliteStore, value: int) -> None:
    await store.write(lambda db: watermarks.set(db, "x", value))


@pytest.fixture
def stage(store: SqliteStore) -> Counting:
    return Counting(store)


@pytest.fixture
def resting(stage: Counting, store: SqliteStore) -> Resting:
    return Resting(stage, store)


async def test_it_is_stepped_once_and_then_left_alone(stage: Counting, resting: Resting) -> None:
    for minutes in range(5):
        assert not await resting.step(START + minutes * MINUTE)
    assert stage.stepped == [START]
    assert resting.name == "counting"


async def test_a_change_of_anybody_wakes_it(
    stage: Counting, resting: Resting, store: SqliteStore
) -> None:
    await resting.step(START)
    await change(store, 1)
    await resting.step(START + MINUTE)
    await resting.step(START + 2 * MINUTE)
    assert stage.stepped == [START, START + MINUTE]


async def test_what_it_wrote_itself_is_looked_at_until_nothing_follows(
    stage: Counting, resting: Resting
) -> None:
    stage.writes = 2
    assert [await resting.step(START) for _ in range(5)] == [True, True, False, False, False]
    assert len(stage.stepped) == 3


async def test_its_time_wakes_it_and_so_does_a_clock_that_was_set_back(
    stage: Counting, resting: Resting
) -> None:
    stage.wakes_at = START + 3 * MINUTE
    for minutes in (0, 1, 2, 3):
        await resting.step(START + minutes * MINUTE)
    stage.wakes_at = None
    await resting.step(START + 2 * MINUTE)
    assert stage.stepped == [START, START + 3 * MINUTE, START + 2 * MINUTE]
