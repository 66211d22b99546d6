"""One source that is polled: read from its cursor, accept, wait; a failing source is data."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from veille.domain.errors import SourceError
from veille.domain.mention import Batch
from veille.net.retry import backoff_s
from veille.pipeline.collect import HIGH_MARK, Collect, Origin
from veille.store import sources, work
from veille.store.engine import Db
from veille.store.protocol import Store

READ_S = 120.0
CAP_S = 3600.0
PAUSE = timedelta(seconds=5)
LOGGED = 20
STOPPED = timedelta(hours=6)
"""A source that answers 410 or 401 is asked again this rarely: only a person can mend it."""

log = structlog.get_logger()


class Collector(Protocol):
    """Reads one batch after a cursor; raises SourceError."""

    async def read(self, cursor: str | None) -> Batch: ...


class Pull:
    """The poll loop of one source, one step at a time."""

    def __init__(
        self,
        store: Store,
        collect: Collect,
        *,
        origin: Origin,
        collector: Collector,
        poll: timedelta,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = f"collect.{origin.id}"
        self._store = store
        self._collect = collect
        self._origin = origin
        self._collector = collector
        self._poll = poll
        self._jitter = jitter
        self._failures = 0
        self._since: datetime | None = None
        self._pause = timedelta(0)

    async def step(self, now: datetime) -> bool:
        """Read once if it is time; true when more may be read at once."""
        if self._is_waiting(now):
            return False
        source = self._origin.id

        def look(db: Db) -> tuple[str | None, int]:
            return sources.cursor(db, source), work.backlog(db).count

        cursor, waiting = await self._store.read(look)
        if waiting >= HIGH_MARK:
            self._wait(now, PAUSE)
            log.warning("source_paused", source=source, backlog=waiting)
            return False
        try:
            async with asyncio.timeout(READ_S):
                batch = await self._collector.read(cursor)
        except TimeoutError:
            await self._failed(SourceError(f"no answer within {READ_S:.0f} s"), now)
            return False
        except SourceError as error:
            await self._failed(error, now)
            return False
        except Exception as error:  # noqa: BLE001 the edge of a source: it must end no other
            await self._failed(SourceError(f"{type(error).__name__} in the collector"), now)
            return False
        self._failures = 0
        accepted = await self._collect.accept(self._origin, batch, now=now)
        for rejection in batch.rejected[:LOGGED]:
            log.warning(
                "item_rejected", source=source, line=rejection.line, reason=rejection.reason
            )
        self._wait(now, timedelta(0) if batch.has_more else self._poll)
        if accepted.stored or accepted.deleted:
            log.info("batch_stored", source=source, new=accepted.stored, seen=accepted.seen)
        return batch.has_more or bool(accepted.stored or accepted.deleted)

    def _wait(self, now: datetime, pause: timedelta) -> None:
        self._since, self._pause = now, pause

    def _is_waiting(self, now: datetime) -> bool:
        """Whether it is too early; a clock that was set back does not make it longer."""
        return self._since is not None and timedelta(0) <= now - self._since < self._pause

    async def _failed(self, error: SourceError, now: datetime) -> None:
        self._failures += 1
        wait_s = STOPPED.total_seconds()
        if error.may_retry:
            wait_s = error.retry_after_s or backoff_s(
                self._failures, base=5.0, cap=CAP_S, jitter=self._jitter
            )
        self._wait(now, timedelta(seconds=wait_s))
        due_at, cause = now + self._pause, str(error)
        await self._store.write(
            lambda db: sources.note_error(
                db, self._origin.id, at=now, error=cause, next_try_at=due_at
            )
        )
        log.warning("source_failed", source=self._origin.id, wait_s=round(wait_s, 1))
