"""The store is looked after, and sources wait while the disk is nearly full."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from veille.domain.errors import StoreError
from veille.pipeline import upkeep as stage
from veille.pipeline.upkeep import Upkeep
from veille.store import upkeep, watermarks
from veille.store.engine import Db, SqliteStore, connect

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)


class Intake:
    """Something that takes mentions in, and was told to wait or not."""

    is_held: bool | None = None

    def hold(self, *, is_disk_low: bool) -> None:
        self.is_held = is_disk_low


class Disk:
    """A disk with this part free."""

    free = 0.5

    def __call__(self, folder: Path) -> float:
        return self.free


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "veille.db"


async def test_sources_wait_while_the_disk_is_low_and_go_on_when_it_is_well_again(
    database: Path,
) -> None:
    disk, intake = Disk(), Intake()
    async with SqliteStore(database, is_durable=False) as store:
        keeper = Upkeep(store, intake, database=database, free=disk)
        with capture_logs() as logs:
            for free, held in ((0.5, False), (0.049, True), (0.055, True), (0.07, False)):
                disk.free = free
                await keeper.step(NOW)
                assert intake.is_held is held
    assert [e["event"] for e in logs if "sources" in e["event"]] == [
        "sources_held",
        "sources_released",
    ]


def test_the_disk_itself_can_be_asked(tmp_path: Path) -> None:
    assert 0 < stage.free_ratio(tmp_path) < 1


async def test_the_log_is_folded_at_the_start_and_by_the_hour(database: Path) -> None:
    async with SqliteStore(database) as store:
        keeper = Upkeep(store, Intake(), database=database, free=Disk())
        for minutes, is_folded in ((0, True), (59, False), (60, True)):
            await store.write(lambda db: watermarks.set(db, "x", 1))
            assert upkeep.wal_bytes(database) > 0
            await keeper.step(NOW + timedelta(minutes=minutes))
            assert (upkeep.wal_bytes(database) == 0) is is_folded


async def test_a_log_that_is_too_long_is_folded_at_once_or_said_to_be_stuck(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "WAL_LIMIT", 1)
    reads, release = threading.Event(), threading.Event()

    def linger(db: Db) -> None:
        db.value("SELECT count(*) FROM mentions")
        reads.set()
        release.wait(10)

    async with SqliteStore(database) as store:
        keeper = Upkeep(store, Intake(), database=database, free=Disk())
        await keeper.step(NOW)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(store.read(linger))
            await asyncio.to_thread(reads.wait, 10)
            await store.write(lambda db: watermarks.set(db, "x", 1))
            with capture_logs() as logs:
                await keeper.step(NOW)
            assert [e["event"] for e in logs] == ["wal_not_folded"]
            release.set()
            await reading
        await keeper.step(NOW)
    assert upkeep.wal_bytes(database) == 0


async def test_a_damaged_file_stops_the_daemon_with_the_remedy(database: Path) -> None:
    async with SqliteStore(database) as store:
        await store.write(_fill)
    with database.open("r+b") as body:
        body.seek(database.stat().st_size - 3 * 4096)
        body.write(b"\xff" * 4096)
    async with SqliteStore(database) as store:
        keeper = Upkeep(store, Intake(), database=database, free=Disk())
        with pytest.raises(StoreError, match="restore a backup"):
            await keeper.step(NOW)


class Full(SqliteStore):
    """A store on a disk that is full."""

    async def checkpoint(self) -> bool:
        raise StoreError("the disk is full")


async def test_a_full_disk_does_not_end_the_daemon(database: Path) -> None:
    async with Full(database) as store:
        with capture_logs() as logs:
            assert not await Upkeep(store, Intake(), database=database, free=Disk()).step(NOW)
    assert [e["event"] for e in logs] == ["store_checked", "upkeep_failed"]


def _fill(db: Db) -> None:
    db.many("INSERT INTO watermarks VALUES (?, ?)", [(f"{n}" * 50, n) for n in range(2000)])


def test_a_file_too_large_to_be_looked_through_in_time_is_let_be(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_STEP", 1)
    db = connect(database, is_durable=False)
    _fill(db)
    assert upkeep.quick_check(db, limit_s=60)
    assert not upkeep.quick_check(db, limit_s=-1)
    assert db.value("SELECT count(*) FROM watermarks") == 2000, "the limit holds no longer"
    db.close()


async def test_what_a_restore_replaced_is_removed_after_a_month(database: Path) -> None:
    old = "veille.db.before-20261001T000000Z"
    names = [old, f"{old}-wal", "veille.db.before-20261120T000000Z", "notes.before-lunch"]
    for name in names:
        database.with_name(name).touch()
    async with SqliteStore(database) as store:
        await Upkeep(store, Intake(), database=database, free=Disk()).step(NOW)
        assert [name for name in names if database.with_name(name).exists()] == names[2:]
