"""What watches over the daemon: its check, its metrics, its sign of life, and how it ends."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from prometheus_client import ProcessCollector

from veille.app.analyst_process import AnalystProcess
from veille.app.exposition import Exposition, Names
from veille.app.heartbeat import ANSWER_S, Heartbeat
from veille.app.systemd import READY, STOPPING, Systemd
from veille.app.watchdog import TICK_S, Health, Watchdog
from veille.config import Loaded, notify_socket
from veille.domain.durations import parse_duration
from veille.domain.errors import VeilleError
from veille.net.client import Client
from veille.pipeline.chain import Chain
from veille.pipeline.runner import Runner
from veille.store.engine import SqliteStore
from veille.telemetry.metrics import begin
from veille.wording.catalogue import catalogue

FRAMES = 3

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Health for the probes, figures for the monitor, words for systemd."""

    health: Health
    exposition: Exposition
    systemd: Systemd

    def started(self) -> None:
        """The web listens and the store has taken a write: systemd and probes hear of it."""
        self.health.is_started = True
        self.systemd.tell(READY)


async def watch_over(
    loaded: Loaded,
    store: SqliteStore,
    runner: Runner,
    analyst: AnalystProcess,
    stack: AsyncExitStack,
    *,
    now: Callable[[], datetime],
) -> Operations:
    """Add the stages that check and report; what they open closes with the stack."""
    database = loaded.resolve(loaded.config.veille.data_dir) / "veille.db"
    names = _names(loaded)
    metrics = begin(names.receivers)
    ProcessCollector("veille_analyst", lambda: analyst.pid, registry=metrics.registry)
    exposition = Exposition(store, metrics, names=names, database=database, now=now)
    await exposition.open()
    health = check(loaded, store, runner, systemd=(systemd := Systemd(notify_socket())))
    runner.add(Chain(store, say=catalogue(loaded.config.veille.language)), tick_s=10.0)
    settings = loaded.config.heartbeat
    if settings.url:
        limit = timedelta(seconds=ANSWER_S)
        client = await stack.enter_async_context(
            Client(allow_private=settings.allow_private, time_limit=limit)
        )
        every = parse_duration(settings.every)
        runner.add(Heartbeat(client, health, url=settings.url, every=every), tick_s=1.0)
    return Operations(health=health, exposition=exposition, systemd=systemd)


def check(loaded: Loaded, store: SqliteStore, runner: Runner, *, systemd: Systemd) -> Health:
    """Return the health that a new watchdog of this runner keeps."""
    folder: Path = loaded.resolve(loaded.config.veille.data_dir)
    health = Health(progress=runner, folder=folder)
    watchdog = Watchdog(
        store,
        health,
        systemd=systemd,
        say=catalogue(loaded.config.veille.language),
        sources=frozenset(source.id for source in loaded.config.source),
    )
    runner.add(watchdog, tick_s=TICK_S)
    return health


def stopper(loaded: Loaded, runner: Runner) -> Callable[[], None]:
    """Return what a signal calls: systemd hears that the stop is meant, the stages end."""
    stopping = catalogue(loaded.config.veille.language)("operations.stopping")

    def stop() -> None:
        Systemd(notify_socket()).tell(STOPPING, status=stopping)
        runner.stop()

    return stop


async def run(runner: Runner) -> None:
    """Run until stopped. What a stage raised is logged without its texts, then a VeilleError."""
    try:
        await runner.run()
    except ExceptionGroup as group:
        for error in _leaves(group):
            _report(error)
        raise VeilleError("veille ended because a stage failed: the log says where") from None


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _report(error: Exception) -> None:
    # what others raise may quote a text or an address: type and place find the line all the same
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    log.critical(
        "stage_failed",
        error=type(error).__name__,
        cause=str(error) if isinstance(error, VeilleError) else None,
        at=[f"{frame.name}:{frame.lineno}" for frame in frames],
    )


def _names(loaded: Loaded) -> Names:
    config = loaded.config
    return Names(
        sources={s.id: str(s.__struct_config__.tag) for s in config.source},
        receivers={r.id: str(r.__struct_config__.tag) for r in config.receiver},
    )
