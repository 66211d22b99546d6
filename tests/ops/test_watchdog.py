"""Only a daemon that does its work says that it is alive."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog

from servers.supervisor import Supervisor
from veille.app import watchdog
from veille.app.systemd import READY, Systemd
from veille.app.watchdog import Health, Watchdog
from veille.domain.clock import utc_now
from veille.pipeline.runner import Runner
from veille.store import sources
from veille.store.engine import SqliteStore
from veille.telemetry.metrics import Metrics
from veille.wording.catalogue import catalogue

Seconds = Any  # of conftest.py, which importmode=importlib keeps from being imported


class Steady:
    """Stages that all move on."""

    def stuck(self) -> tuple[str, ...]:
        return ()


class Stage:
    """A stage that does as told."""

    name = "analyze"

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work

    async def step(self, now: datetime) -> bool:
        done = self._work()
        if done is not None:
            await done
        return False


@pytest.fixture
def health(tmp_path: Path, clock_s: Seconds) -> Health:
    return Health(progress=Steady(), folder=tmp_path, clock_s=clock_s, is_started=True)


@pytest.fixture
def dog(store: SqliteStore, health: Health, supervisor: Supervisor, metrics: Metrics) -> Watchdog:
    return Watchdog(
        store,
        health,
        systemd=Systemd(supervisor.address),
        say=catalogue("fr"),
        sources=frozenset({"presse", "page"}),
    )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "PING_S", 0.5)


async def test_a_good_check_reaches_systemd_with_a_status_in_french(
    dog: Watchdog, supervisor: Supervisor, now: datetime
) -> None:
    await dog.step(now)
    assert supervisor.heard() == [
        "WATCHDOG=1",
        "STATUS=À l'écoute de 2 sources ; 0 mention à analyser, 0 message à envoyer",
    ]


async def test_the_store_is_written_at_most_every_ten_seconds(
    dog: Watchdog, store: SqliteStore, clock_s: Seconds, supervisor: Supervisor, now: datetime
) -> None:
    await dog.step(now)
    version = await store.data_version()
    clock_s.now_s += 9
    await dog.step(now)
    assert await store.data_version() == version
    clock_s.now_s += 2
    await dog.step(now)
    assert await store.data_version() != version
    assert supervisor.heard().count("WATCHDOG=1") == 3


@pytest.mark.usefixtures("impatient")
async def test_a_blocked_store_stops_the_pings_and_its_return_starts_them_again(
    dog: Watchdog,
    health: Health,
    store: SqliteStore,
    clock_s: Seconds,
    supervisor: Supervisor,
    now: datetime,
) -> None:
    await dog.step(now)
    block, holds = threading.Event(), threading.Event()
    held = asyncio.ensure_future(store.write(lambda db: (holds.set(), block.wait(10))))
    await asyncio.to_thread(holds.wait, 5)
    clock_s.now_s += 30
    supervisor.heard()
    await dog.step(now)
    assert "WATCHDOG=1" in supervisor.heard()  # slow is not stuck
    assert await health.why_not_ready() == ("the store does not answer",)
    clock_s.now_s += 31
    with structlog.testing.capture_logs() as logs:
        await dog.step(now)
        await dog.step(now)
    assert (
        supervisor.heard()
        == ["STATUS=Bloqué : systemd va redémarrer le service (raison dans le journal)"] * 2
    )
    assert not health.is_live()
    assert [log["event"] for log in logs] == ["stuck"]
    block.set()
    await held
    await dog.step(now)
    assert "WATCHDOG=1" in supervisor.heard()
    assert health.is_live()
    assert await health.why_not_ready() == ()


async def test_a_stage_that_hangs_stops_the_pings(
    tmp_path: Path, store: SqliteStore, supervisor: Supervisor, metrics: Metrics, now: datetime
) -> None:
    runner, over = Runner(now=utc_now), asyncio.Event()
    runner.add(Stage(over.wait), tick_s=0.01, limit_s=0.0)
    health = Health(progress=runner, folder=tmp_path)
    dog = Watchdog(
        store,
        health,
        systemd=Systemd(supervisor.address),
        say=catalogue("en"),
        sources=frozenset({"presse"}),
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        async with asyncio.timeout(5):
            while health.is_live():
                await asyncio.sleep(0.01)
        assert health.why_stuck() == ("stage analyze is stuck",)
        await dog.step(now)
        assert "WATCHDOG=1" not in supervisor.heard()
        assert metrics.live._value.get() == 0
        runner.stop()
        over.set()


def test_a_frozen_loop_stops_the_pings(tmp_path: Path, supervisor: Supervisor) -> None:
    thaw, frozen = threading.Event(), threading.Event()
    runner = Runner(now=utc_now)

    def freeze() -> None:
        frozen.set()
        thaw.wait(10)  # in the loop's own thread: nothing else runs

    async def live() -> None:
        async with SqliteStore(tmp_path / "veille.db", is_durable=False) as store:
            health = Health(progress=runner, folder=tmp_path)
            dog = Watchdog(
                store,
                health,
                systemd=Systemd(supervisor.address),
                say=catalogue("fr"),
                sources=frozenset({"presse"}),
            )
            runner.add(dog, tick_s=0.01)
            wake = runner.add(Stage(lambda: freeze() if start.is_set() else None), tick_s=0.01)
            wake()
            await runner.run()

    start = threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(live(),))
    thread.start()
    try:
        assert "WATCHDOG=1" in supervisor.heard(within_s=10)
        start.set()
        assert frozen.wait(5)
        supervisor.heard()
        assert supervisor.heard(within_s=0.5) == []
        start.clear()
        thaw.set()
        assert "WATCHDOG=1" in supervisor.heard(within_s=5)
    finally:
        thaw.set()
        runner.stop()
        thread.join(10)


async def test_a_loop_that_lagged_shows_its_worst_delay(
    dog: Watchdog, clock_s: Seconds, metrics: Metrics, now: datetime
) -> None:
    for gap in (0.0, 1.0, 3.5, 1.0):
        clock_s.now_s += gap
        await dog.step(now)
    assert metrics.loop_lag._value.get() == pytest.approx(2.5)


async def test_a_full_disk_is_a_reason_not_to_send_work_and_none_to_restart(
    health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(total=1000, free=49)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert await health.why_not_ready() == ("less than 5% of the disk is free",)
    assert health.is_live()  # a restart frees nothing


def test_an_abstract_socket_is_heard_and_no_socket_is_no_error() -> None:
    with Supervisor("@veille-test-notify") as listening:
        Systemd(listening.address).tell(READY, status="two\nlines")
        assert listening.heard() == ["READY=1", "STATUS=two lines"]
    Systemd(None).tell(READY)


def test_a_supervisor_that_is_gone_is_told_in_the_log_once(tmp_path: Path) -> None:
    systemd = Systemd(str(tmp_path / "nobody"))
    with structlog.testing.capture_logs() as logs:
        systemd.tell(READY)
        systemd.tell(READY)
    assert [log["event"] for log in logs] == ["supervisor_not_told"]


async def test_a_source_that_cannot_be_read_is_told_as_degraded_until_it_comes_back(
    dog: Watchdog, health: Health, store: SqliteStore, clock_s: Seconds, now: datetime
) -> None:
    async def look() -> tuple[str, ...]:
        clock_s.now_s += 10
        await dog.step(now)
        return await health.why_degraded()

    assert await look() == ()
    # neither the rules folder nor what was removed from the configuration is a source
    for name in ("presse", sources.RULES, "ancienne"):
        await store.write(
            partial(sources.note_error, source=name, at=now, error="503", next_try_at=None)
        )
    assert await look() == ("sources that cannot be read: 1",)
    await store.write(
        lambda db: sources.note_read(
            db, "presse", at=now, accepted=0, unmatched=0, rejected=0, unknown_fields=0
        )
    )
    assert await look() == ()
