"""Upkeep: the file is looked after, and sources wait while the disk is nearly full."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from veille.domain.errors import StoreError
from veille.store import upkeep
from veille.store.protocol import Store

DISK_LOW_RATIO = 0.05
"""Free space below which nothing is taken in (`docs/operations.md`): alerts still go out."""
DISK_FINE_RATIO = 0.06
"""Free space above which it is again: not the same, so that it does not flap."""
WAL_LIMIT = 64 * 1024 * 1024
"""Of the write-ahead log: what the store keeps of it after a fold (`journal_size_limit`)."""
CHECK_S = 10.0
"""The look at the start holds one reader; 200,000 mentions (138 MB) took 1.4 s (measured)."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ASIDE_FOR = timedelta(days=30)
"""A store that a restore replaced is kept this long: erasures never reach it."""

log = structlog.get_logger()


class Folding(Store, Protocol):
    """A store that can fold its write-ahead log."""

    async def checkpoint(self) -> bool: ...


class Intake(Protocol):
    """What takes mentions in, and can be told to wait."""

    def hold(self, *, is_disk_low: bool) -> None: ...


def free_ratio(folder: Path) -> float:
    """Return the part of the disk, in [0, 1], that a program without privileges may still fill."""
    usage = shutil.disk_usage(folder)
    return usage.free / usage.total


class Upkeep:
    """Looks at the disk each step, cleans up by the day, folds the log by the hour."""

    name = "upkeep"

    def __init__(
        self,
        store: Folding,
        intake: Intake,
        *,
        database: Path,
        free: Callable[[Path], float] = free_ratio,
    ) -> None:
        self._store = store
        self._intake = intake
        self._database = database
        self._free = free
        self._is_low = False
        self._is_checked = False
        self._folded_at: datetime | None = None
        self._cleaned_at: datetime | None = None

    async def step(self, now: datetime) -> bool:
        """Do what is due at `now`; false, since nothing follows from it.

        Raises StoreError when the first step finds the file damaged: writing on would harm it.
        """
        await self._hold()
        if not self._is_checked:
            self._is_checked = True
            check = partial(upkeep.quick_check, limit_s=CHECK_S)
            log.info("store_checked", is_complete=await self._store.read(check))
        try:
            await self._look_after(now)
        except (StoreError, OSError) as error:  # a full disk, most often: it is tried again later
            log.warning("upkeep_failed", cause=str(error))
        return False

    async def _look_after(self, now: datetime) -> None:
        if _is_due(self._cleaned_at, now, DAY):
            self._cleaned_at = now
            await self._store.write(upkeep.optimize)
            drop = partial(upkeep.drop_asides, before=now - ASIDE_FOR)
            if dropped := await asyncio.to_thread(drop, self._database.parent):
                log.info("replaced_stores_removed", files=dropped)
        wal = await asyncio.to_thread(upkeep.wal_bytes, self._database)
        if wal > WAL_LIMIT or _is_due(self._folded_at, now, HOUR):
            self._folded_at = now
            if not await self._store.checkpoint() and wal > WAL_LIMIT:
                log.warning("wal_not_folded", bytes=wal)

    async def _hold(self) -> None:
        free = await asyncio.to_thread(self._free, self._database.parent)
        is_low = free < (DISK_FINE_RATIO if self._is_low else DISK_LOW_RATIO)
        if is_low != self._is_low:
            say = log.warning if is_low else log.info
            say("sources_held" if is_low else "sources_released", free_ratio=round(free, 3))
        self._is_low = is_low
        self._intake.hold(is_disk_low=is_low)


def _is_due(last: datetime | None, now: datetime, every: timedelta) -> bool:
    """A clock that was set back makes it due, too."""
    return last is None or not timedelta(0) <= now - last < every
