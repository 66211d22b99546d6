"""One source that is polled: read from its cursor, accept, wait; a failing source is data."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from veille.domain.errors import SourceError
from veille.domain.mention import Batch
from veille.pipeline.collect import Collect, Origin
from veille.pipeline.patience import Patience
from veille.store import sources, work
from veille.store.engine import Db
from veille.store.protocol import Store

READ_S = 120.0
BASE_S, CAP_S = 5.0, 3600.0
PAUSE = timedelta(seconds=5)
LOGGED = 20

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
        self._patience = Patience(base_s=BASE_S, cap_s=CAP_S, jitter=jitter)

    async def step(self, now: datetime) -> bool:
        """Read once if it is time; true when more may be read at once."""
        source = self._origin.id
        place = await find_place(self._store, self._collect, source, self._patience, now)
        if place is None:
            return False
        try:
            async with asyncio.timeout(READ_S):
                batch = await self._collector.read(place.cursor)
        except TimeoutError:
            await self._failed(SourceError(f"no answer within {READ_S:.0f} s"), now)
            return False
        except SourceError as error:
            await self._failed(error, now)
            return False
        except Exception as error:  # noqa: BLE001 the edge of a source: it must end no other
            await self._failed(SourceError(f"{type(error).__name__} in the collector"), now)
            return False
        self._patience.succeed()
        accepted = await self._collect.accept(self._origin, batch, now=now)
        log_rejections(source, batch)
        self._patience.wait(now, timedelta(0) if batch.has_more else self._poll)
        if accepted.stored or accepted.deleted:
            log.info("batch_stored", source=source, new=accepted.stored, seen=accepted.seen)
        return batch.has_more or bool(accepted.stored or accepted.deleted)

    async def _failed(self, error: SourceError, now: datetime) -> None:
        pause = self._patience.fail(error, now)
        await note_failure(self._store, self._origin.id, error, now, pause)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source is to be read on; None: from its beginning."""

    cursor: str | None


async def find_place(
    store: Store, collect: Collect, source: str, patience: Patience, now: datetime
) -> Place | None:
    """Return where to read on, None while it is too early or the backlog or the disk is full."""
    if patience.is_waiting(now):
        return None

    def look(db: Db) -> tuple[str | None, int]:
        return sources.cursor(db, source), work.backlog(db).count

    cursor, waiting = await store.read(look)
    if (cause := collect.why_full(waiting)) is not None:
        patience.wait(now, PAUSE)
        log.warning("source_paused", source=source, cause=cause, backlog=waiting)
        return None
    return Place(cursor)


async def note_failure(
    store: Store, source: str, error: SourceError, now: datetime, pause: timedelta
) -> None:
    """The failure is shown with the source, and logged once."""
    due_at, cause = now + pause, str(error)
    await store.write(
        lambda db: sources.note_error(db, source, at=now, error=cause, next_try_at=due_at)
    )
    log.warning("source_failed", source=source, wait_s=round(pause.total_seconds(), 1))


def log_rejections(source: str, batch: Batch) -> None:
    """What could not be read is in the log, up to a limit, without its text."""
    for rejection in batch.rejected[:LOGGED]:
        log.warning("item_rejected", source=source, line=rejection.line, reason=rejection.reason)
