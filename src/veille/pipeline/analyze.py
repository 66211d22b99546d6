"""Analyze: claim new mentions, read them with the model, commit what it found (T2)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from veille.domain.analysis import Analysis, Passage
from veille.domain.errors import AnalystLostError, ModelError, StoreError
from veille.pipeline.clustering import Clustering, Placed, Result
from veille.pipeline.passages import Surroundings
from veille.store import work
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.telemetry.metrics import metrics

LEASE = timedelta(minutes=5)
"""Far above the slowest batch; a batch of a killed process is taken up again at start."""
BATCH = 64
"""The optimum of benchmarks: larger batches only make the first mention wait for the last."""

READ_S = 120.0
"""A batch takes a second; a model that hangs this long is broken."""

PLAIN = "La mairie est ouverte demain."
"""What every model reads."""

log = structlog.get_logger()


class Analyst(Protocol):
    """Reads texts: one analysis each, in order, whatever stands beside them."""

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]: ...


class Analyze:
    """The second stage."""

    name = "analyze"

    def __init__(
        self, store: Store, analyst: Analyst, *, around: Surroundings | None = None
    ) -> None:
        self._store = store
        self._analyst = analyst
        self._around = around or Surroundings()
        self._clustering = Clustering(store)
        self.is_busy = False
        """Whether a mention waits to be tried again, so that time alone may go on with it."""

    @property
    def analyst(self) -> Analyst:
        """The model, for texts that are not stored."""
        return self._analyst

    async def step(self, now: datetime) -> bool:
        """Analyze one batch; false when nothing was waiting."""
        await self._clustering.follow()
        claimed = await self._store.write(
            lambda db: work.claim(db, limit=BATCH, now=now, lease=LEASE)
        )
        if not claimed:
            return False
        self.is_busy = False
        try:
            await self._clustering.save(await self._read(claimed), now)
        except (ModelError, StoreError, TimeoutError):
            raise  # the model or the store, not a mention: a restart may help
        except Exception as error:  # noqa: BLE001 the edge of the step: find the item that fails
            log.warning("analysis_failed", count=len(claimed), error=type(error).__name__)
            await self._one_by_one(claimed, now)
        return True

    async def _one_by_one(self, claimed: Sequence[work.Work], now: datetime) -> None:
        """Analyze each mention of a failed batch alone; only the guilty ones are put aside.

        After one that kills the model the rest is left to the next step. Raises ModelError when a
        plain sentence cannot be read either: then the model is broken, not they.
        """
        failed: dict[str, str] = {}
        is_well = False
        for item in sorted(claimed, key=lambda item: item.attempts):  # new ones wait for none
            await self._clustering.follow()
            try:
                await self._clustering.save(await self._read([item]), now)
                is_well = True
            except (ModelError, StoreError):
                raise
            except AnalystLostError as error:
                await self._require_well(now)
                is_well = True
                failed[item.key] = _cause(error)
                # two starts of the model by now, of 3 to 15 s: the watchdog gives a step a minute
                await self._store.write(work.release)
                break
            except Exception as error:  # noqa: BLE001 the edge of the step: counted and stored
                failed[item.key] = _cause(error)
        if not is_well:
            await self._require_well(now)
        for key, cause in failed.items():
            await self._store.write(partial(_fail, key, cause, now))
        self.is_busy = bool(failed)

    async def _require_well(self, now: datetime) -> None:
        """Raise ModelError when a plain sentence cannot be read, placed and stored."""
        plain = work.Work(key="", version=0, text=PLAIN, created_at=now, received_at=now)
        try:
            await self._clustering.follow()
            (placed,) = await self._read([plain])  # never saved: the next follow() forgets it
            work.encode(plain.key, placed.analysis)
        except StoreError:
            raise
        except Exception as error:
            raise ModelError(
                f"a plain sentence cannot be read ({type(error).__name__}): the model is broken; "
                "veille doctor looks at its files and its scores"
            ) from error

    async def _read(self, claimed: Sequence[work.Work]) -> list[Placed]:
        found = await self.analyses(claimed)
        results: list[Result] = list(zip(claimed, found, strict=True))
        return await self._clustering.place(results)

    async def analyses(self, claimed: Sequence[work.Work]) -> list[Analysis]:
        """Return what the model reads in each, in order; a backtest knows some of it already."""
        passages = [self._passage(item) for item in claimed]
        with metrics().analyze_batch.time():
            async with asyncio.timeout(READ_S):
                return await asyncio.to_thread(self._analyst.analyze, passages)

    def _passage(self, item: work.Work) -> Passage:
        return self._around.passage(
            item.text, at=item.created_at, watches=item.watches, has_media=item.has_media
        )


def _cause(error: Exception) -> str:
    return f"{type(error).__name__} in analysis"


def _fail(key: str, cause: str, now: datetime, db: Db) -> None:
    work.fail(db, [key], error=cause, now=now)
