"""Whether the daemon does its work: its loop turns, its store takes writes, its stages move on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

import structlog

from veille.app.systemd import ALIVE, Systemd
from veille.domain.alert import is_silence
from veille.domain.clock import monotonic_s
from veille.domain.errors import StoreError
from veille.pipeline.upkeep import DISK_LOW_RATIO, free_ratio
from veille.store import alerts, outbox, watermarks, work
from veille.store.codec import micros
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.store.surroundings import circumstances
from veille.telemetry.metrics import metrics
from veille.wording.catalogue import Catalogue

TICK_S = 1.0
PING_EVERY_S = 10.0
"""Each ping is a write to the disk: rare enough, and three times within systemd's 30 s."""
PING_S = 5.0
STUCK_S = 60.0
"""Without a beat of the loop or a write for this long, a restart is better than hope (B.5 P11)."""
LAGS = 60

log = structlog.get_logger()


class Progress(Protocol):
    """Knows the stages."""

    def stuck(self) -> tuple[str, ...]:
        """Return the stages whose step lasts longer than it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What the store said at the last ping."""

    mentions: int
    notifications: int
    failing: int
    silent: int


@dataclass(slots=True)
class Health:
    """How the daemon is, as its watchdog saw it last."""

    progress: Progress
    folder: Path
    clock_s: Callable[[], float] = monotonic_s
    is_started: bool = False
    beat_s: float = field(init=False)
    written_s: float = field(init=False)
    hardships: tuple[str, ...] = ()
    """As read from the store at the last ping."""

    def __post_init__(self) -> None:
        self.beat_s = self.written_s = self.clock_s()

    def why_stuck(self) -> tuple[str, ...]:
        """Return what does not move any more, empty when all does."""
        now_s = self.clock_s()
        found = [f"stage {name} is stuck" for name in self.progress.stuck()]
        if now_s - self.written_s > STUCK_S:
            found.append("the store takes no write")
        if now_s - self.beat_s > STUCK_S:
            found.append("the loop was frozen")
        return tuple(found)

    def is_live(self) -> bool:
        """Whether nothing is stuck for longer than a minute."""
        return not self.why_stuck()

    async def why_not_ready(self) -> tuple[str, ...]:
        """Return why no work should be sent here, empty when ready."""
        if not self.is_started:
            return ("starting",)
        free = await asyncio.to_thread(free_ratio, self.folder)
        # without names: anybody may ask
        reasons = ["a stage, the store or the loop is stuck"] if self.why_stuck() else []
        if self.clock_s() - self.written_s > PING_EVERY_S + PING_S + TICK_S:
            reasons.append("the store does not answer")
        if free < DISK_LOW_RATIO:
            reasons.append(f"less than {DISK_LOW_RATIO:.0%} of the disk is free")
        return tuple(reasons)

    async def why_degraded(self) -> tuple[str, ...]:
        """Return what works less well than it should, without names; empty when all does."""
        return self.hardships


class Watchdog:
    """The stage that checks all others; only a good check reaches systemd."""

    name = "watchdog"

    def __init__(
        self,
        store: Store,
        health: Health,
        *,
        systemd: Systemd,
        say: Catalogue,
        sources: frozenset[str],
    ) -> None:
        self._store = store
        self._health = health
        self._systemd = systemd
        self._say = say
        self._sources = sources
        self._lags: deque[float] = deque(maxlen=LAGS)
        self._stepped_s: float | None = None
        self._tried_s = float("-inf")
        self._is_silent = False
        self._reasons: tuple[str, ...] = ()

    async def step(self, now: datetime) -> bool:
        """Measure the loop, write to the store if it is time, and tell systemd if all is well."""
        clock_s = self._health.clock_s
        self._measure(clock_s())
        status = None
        if clock_s() - self._tried_s >= PING_EVERY_S:
            waiting = await self._ping(now)
            status = None if waiting is None else self._status(waiting)
            self._tried_s = float("-inf") if waiting is None else clock_s()
        self._health.beat_s = clock_s()
        self._judge(status)
        self._stepped_s = clock_s()
        return False

    def _measure(self, now_s: float) -> None:
        if self._stepped_s is not None:
            self._lags.append(max(0.0, now_s - self._stepped_s - TICK_S))
            metrics().loop_lag.set(max(self._lags))

    def _judge(self, status: str | None) -> None:
        reasons = self._health.why_stuck()
        if reasons != self._reasons:
            log.error("stuck", reasons=list(reasons)) if reasons else log.info("moving_again")
        self._reasons = reasons
        metrics().live.set(0 if reasons else 1)
        if reasons:
            self._systemd.tell(status=self._say("operations.stuck"))
        else:
            self._systemd.tell(ALIVE, status=status)

    async def _ping(self, now: datetime) -> Waiting | None:
        """Write, and return what waits; None when the store did not answer in time."""

        def write(db: Db) -> Waiting:
            watermarks.set(db, watermarks.PULSE, micros(now))
            return Waiting(
                mentions=work.backlog(db).count,
                notifications=sum(outbox.depth(db).values()),
                failing=len(circumstances(db, (), sources=self._sources).failing),
                silent=sum(map(is_silence, alerts.live(db))),
            )

        try:
            async with asyncio.timeout(PING_S):
                waiting = await self._store.write(write)
        except (TimeoutError, StoreError) as error:
            if not self._is_silent:
                log.warning("store_silent", error=type(error).__name__)
            self._is_silent = True
            return None
        self._is_silent = False
        self._health.written_s = self._health.clock_s()
        self._health.hardships = tuple(
            reason
            for count, reason in (
                (waiting.failing, f"sources that cannot be read: {waiting.failing}"),
                (waiting.silent, f"silences where something is usually heard: {waiting.silent}"),
            )
            if count
        )
        return waiting

    def _status(self, waiting: Waiting) -> str:
        say = self._say
        return say(
            "operations.status",
            sources=say.count("operations.sources", len(self._sources)),
            mentions=say.count("operations.mentions", waiting.mentions),
            notifications=say.count("operations.notifications", waiting.notifications),
        )
