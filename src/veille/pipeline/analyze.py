"""Analyze: claim new mentions, read them with the model, commit what it found (T2)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from veille.domain.analysis import Analysis
from veille.domain.errors import ModelError
from veille.store import work
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.telemetry.metrics import metrics

LEASE = timedelta(minutes=5)
"""Far above the slowest batch; a batch of a killed process is taken up again at start."""
BATCH = 32
"""The optimum of benchmarks: larger batches only make the first mention wait for the last."""

READ_S = 120.0
"""A batch takes a second; a model that hangs this long is broken."""

Result = tuple[work.Work, Analysis]

log = structlog.get_logger()


class Analyst(Protocol):
    """Reads texts: one analysis each, in order, whatever stands beside them."""

    def analyze(self, texts: Sequence[str]) -> list[Analysis]: ...


class Analyze:
    """The second stage."""

    name = "analyze"

    def __init__(self, store: Store, analyst: Analyst) -> None:
        self._store = store
        self._analyst = analyst
        self.is_busy = False
        """Whether a mention waits to be tried again, so that time alone may go on with it."""

    async def step(self, now: datetime) -> bool:
        """Analyze one batch; false when nothing was waiting."""
        claimed = await self._store.write(
            lambda db: work.claim(db, limit=BATCH, now=now, lease=LEASE)
        )
        if not claimed:
            return False
        self.is_busy = False
        try:
            results = await self._read(claimed)
        except (ModelError, TimeoutError):
            raise  # the model, not a mention: a restart may help
        except Exception as error:  # noqa: BLE001 the edge of the step: find the item that fails
            log.warning("analysis_failed", count=len(claimed), error=type(error).__name__)
            await self._one_by_one(claimed, now)
        else:
            await self._store.write(lambda db: work.save(db, results, now=now))
        return True

    async def _one_by_one(self, claimed: Sequence[work.Work], now: datetime) -> None:
        """Analyze each mention of a failed batch alone; only the guilty ones are put aside.

        Raises ModelError when none of several can be read: then the model is broken, not they.
        """
        failed: dict[str, str] = {}
        for item in claimed:
            try:
                results = await self._read([item])
            except Exception as error:  # noqa: BLE001 the edge of the step: counted and stored
                failed[item.key] = f"{type(error).__name__} in analysis"
            else:
                await self._store.write(partial(_save, results, now))
        if len(claimed) > 1 and len(failed) == len(claimed):
            raise ModelError(f"none of {len(claimed)} mentions could be read: the model is broken")
        for key, cause in failed.items():
            await self._store.write(partial(_fail, key, cause, now))
        self.is_busy = bool(failed)

    async def _read(self, claimed: Sequence[work.Work]) -> list[Result]:
        texts = [item.text for item in claimed]
        with metrics().analyze_batch.time():
            async with asyncio.timeout(READ_S):
                found = await asyncio.to_thread(self._analyst.analyze, texts)
        return list(zip(claimed, found, strict=True))


def _save(results: Sequence[Result], now: datetime, db: Db) -> None:
    work.save(db, results, now=now)


def _fail(key: str, cause: str, now: datetime, db: Db) -> None:
    work.fail(db, [key], error=cause, now=now)
