from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from veille.domain.errors import InputError
from veille.reports.schedule import Schedule, week_of
from veille.reports.settings import ReportsSettings
from veille.store import outbox

if TYPE_CHECKING:
    from veille.store.engine import Db, SqliteStore

PARIS = ZoneInfo("Europe/Paris")
INSTALLED = datetime(2026, 11, 4, 12, tzinfo=UTC)
DUE = datetime(2026, 11, 23, 8, tzinfo=PARIS)
SECOND = timedelta(seconds=1)


def schedule(store: SqliteStore, *, weekly: str = "mon 08:00", to: str = "courriel") -> Schedule:
    when = ReportsSettings(weekly=weekly).when
    assert when is not None
    return Schedule(store, when=when, zone=PARIS, receivers=to.split())


async def planned(store: SqliteStore) -> list[tuple[str, str]]:
    def read(db: Db) -> list[tuple[str, str]]:
        rows = db.rows("SELECT key, receiver FROM outbox ORDER BY id")
        return [(row["key"], row["receiver"]) for row in rows]

    return await store.read(read)


@pytest.fixture
async def running(store: SqliteStore) -> Schedule:
    stage = schedule(store)
    assert not await stage.step(INSTALLED)
    return stage


async def test_it_is_planned_once_at_its_hour_over_any_number_of_restarts(
    store: SqliteStore,
) -> None:
    assert not await schedule(store).step(INSTALLED)
    assert not await schedule(store).step(DUE - SECOND - timedelta(days=7))
    assert await schedule(store).step(DUE)
    for later in range(5):
        assert not await schedule(store).step(DUE + later * SECOND)
    assert await planned(store) == [("weekly-2026-W47", "courriel")]


async def test_two_daemons_that_look_at_once_plan_it_once(store: SqliteStore) -> None:
    await schedule(store).step(INSTALLED)
    one, other = schedule(store, to="a b"), schedule(store, to="a b")
    await one.step(DUE)
    await other.step(DUE)
    assert await planned(store) == [("weekly-2026-W47", "a"), ("weekly-2026-W47", "b")]


async def test_every_week_has_its_own(store: SqliteStore) -> None:
    stage = schedule(store)
    await stage.step(INSTALLED)
    for week in range(-1, 3):
        await stage.step(DUE + week * timedelta(days=7))
    assert [key for key, _ in await planned(store)] == [
        f"weekly-2026-W{number}" for number in (46, 47, 48, 49)
    ]


async def test_a_daemon_that_was_down_on_monday_sends_it_when_it_returns(
    store: SqliteStore,
) -> None:
    await schedule(store).step(INSTALLED)
    assert await schedule(store).step(DUE + timedelta(days=5))
    assert await planned(store) == [("weekly-2026-W47", "courriel")]


async def test_a_daemon_that_was_down_for_weeks_sends_only_the_last_one(
    store: SqliteStore,
) -> None:
    await schedule(store).step(INSTALLED)
    assert await schedule(store).step(DUE + timedelta(days=28))
    assert await planned(store) == [("weekly-2026-W51", "courriel")]


async def test_a_fresh_installation_has_nothing_to_tell_of_last_week(store: SqliteStore) -> None:
    stage = schedule(store)
    tuesday = DUE + timedelta(days=1)
    assert not await stage.step(tuesday)
    assert not await schedule(store).step(tuesday + timedelta(days=2))
    assert await stage.step(DUE + timedelta(days=7))
    assert await planned(store) == [("weekly-2026-W48", "courriel")]


async def test_what_arrived_before_the_first_start_is_worth_a_summary(store: SqliteStore) -> None:
    def arrive(db: Db) -> None:
        db.execute(
            """INSERT INTO mentions (key, source, watches, kind, text, created_at, received_at,
            content_hash, media, metrics, own, masked) VALUES
            ('k', 's', '[]', 'post', '', 0, 0, '', '[]', 'null', 0, '[]')"""
        )
        at = int(INSTALLED.timestamp() * 1e6)
        db.execute(
            """INSERT INTO observations (mention, version, key, source, watches, kind, created_at,
            received_at, own) VALUES (1, 1, 'k', 's', '[]', 'post', 0, ?, 0)""",
            (at,),
        )

    await store.write(arrive)
    assert await schedule(store).step(DUE)


async def test_a_summary_is_not_sent_again_when_retention_deletes_its_row(
    store: SqliteStore,
) -> None:
    await schedule(store).step(INSTALLED)
    await schedule(store).step(DUE)
    await store.write(lambda db: db.execute("DELETE FROM outbox"))
    assert not await schedule(store).step(DUE + timedelta(days=3))


async def test_a_clock_set_back_sends_nothing_twice(store: SqliteStore) -> None:
    stage = schedule(store)
    await stage.step(INSTALLED)
    await stage.step(DUE)
    await stage.step(DUE - timedelta(hours=2))
    await schedule(store).step(DUE + timedelta(minutes=5))
    assert len(await planned(store)) == 1


async def test_a_first_start_with_a_clock_far_ahead_does_not_silence_it(
    store: SqliteStore,
) -> None:
    await schedule(store).step(INSTALLED + timedelta(days=4000))
    await schedule(store).step(INSTALLED)
    assert await schedule(store).step(DUE)


async def test_a_week_planned_by_a_clock_that_ran_ahead_is_planned_again_at_its_hour(
    store: SqliteStore,
) -> None:
    stage = schedule(store, to="a b")
    await stage.step(INSTALLED)
    await stage.step(DUE)  # it is the week before
    assert [key for key, _ in await planned(store)] == 2 * ["weekly-2026-W47"]
    for again in (stage, schedule(store, to="a b")):
        await again.step(DUE - timedelta(days=2))
        assert [key for key, _ in await planned(store)] == 2 * ["weekly-2026-W46"]
    assert await stage.step(DUE)
    assert [key for key, _ in await planned(store)][2:] == 2 * ["weekly-2026-W47"]


async def test_a_clock_set_back_for_weeks_repeats_nothing_that_was_sent(
    store: SqliteStore,
) -> None:
    stage = schedule(store)
    await stage.step(INSTALLED)
    await stage.step(DUE)
    await store.write(lambda db: db.execute("UPDATE outbox SET state = 'sent', attempts = 1"))
    await schedule(store).step(DUE - timedelta(days=200))
    assert not await schedule(store).step(DUE + timedelta(minutes=5))
    assert await planned(store) == [("weekly-2026-W47", "courriel")]


@pytest.mark.parametrize(
    ("weekly", "due"),
    [
        ("sun 02:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # an hour that clocks skip
        ("sun 02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # the first of two
        ("mon 00:00", datetime(2026, 3, 29, 22, 0, tzinfo=UTC)),
        ("fri 17:00", datetime(2026, 11, 27, 16, 0, tzinfo=UTC)),
    ],
)
async def test_its_hour_is_that_of_the_towns_clocks(
    store: SqliteStore, weekly: str, due: datetime
) -> None:
    stage = schedule(store, weekly=weekly)
    await stage.step(datetime(2026, 1, 4, tzinfo=UTC))
    await stage.step(due - SECOND)  # the week before, unless it is due on a Monday at midnight
    before = len(await planned(store))
    assert not await stage.step(due - SECOND)
    assert await stage.step(due)
    assert len(await planned(store)) == before + 1


async def test_a_receiver_added_on_wednesday_gets_the_week_too(store: SqliteStore) -> None:
    await schedule(store).step(INSTALLED)
    await schedule(store).step(DUE)
    assert await schedule(store, to="courriel elus").step(DUE + timedelta(days=2))
    assert await planned(store) == [
        ("weekly-2026-W47", "courriel"),
        ("weekly-2026-W47", "elus"),
    ]


async def test_a_waiting_summary_holds_up_no_incident(
    store: SqliteStore, running: Schedule
) -> None:
    await running.step(DUE)
    row = await store.write(
        lambda db: outbox.claim(db, "courriel", now=DUE, lease=timedelta(minutes=2))
    )
    assert row is not None
    assert (row.facts, row.incident, row.kind) == (None, 0, "weekly")


def test_a_key_of_something_else_is_refused() -> None:
    with pytest.raises(InputError):
        week_of("I12-opened-1", PARIS)
    with pytest.raises(InputError):
        week_of("weekly-2026-W99", PARIS)
    assert week_of("weekly-2026-W47", PARIS).number == 47
