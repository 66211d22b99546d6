"""One source that flows: accept what comes as it comes; a broken stream is data."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from veille.domain.errors import SourceError
from veille.domain.mention import Batch
from veille.pipeline.collect import Collect, Origin
from veille.pipeline.patience import Patience
from veille.pipeline.pull import find_place, log_rejections, note_failure
from veille.store.protocol import Store

SILENCE_S = 60.0
"""A collector yields every two seconds, empty or not: one that does not for this long hangs."""
BASE_S, CAP_S = 1.0, 120.0
SEEN_EVERY = timedelta(minutes=1)
"""How often a quiet stream is noted as read: each note is a write to the disk."""
HELD = timedelta(minutes=1)
"""A connection that held this long is well, however quiet; four heartbeats of a Mastodon server,
two of a Jetstream. A server that takes connections only to end them is left alone for longer."""
CLOSE_S = 5.0

log = structlog.get_logger()


class Collector(Protocol):
    """Yields batches for as long as its connection holds; raises SourceError."""

    def flow(self, cursor: str | None) -> AsyncGenerator[Batch, None]: ...


class Stream:
    """The connection to one source, one batch a step; `close` when the steps are over."""

    def __init__(
        self,
        store: Store,
        collect: Collect,
        *,
        origin: Origin,
        collector: Collector,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = f"collect.{origin.id}"
        self._store = store
        self._collect = collect
        self._origin = origin
        self._collector = collector
        self._patience = Patience(base_s=BASE_S, cap_s=CAP_S, jitter=jitter)
        self._flow: AsyncGenerator[Batch, None] | None = None
        self._opened_at: datetime | None = None
        self._noted_at: datetime | None = None

    async def step(self, now: datetime) -> bool:
        """Accept the next batch; true when something was stored or deleted.

        With the backlog or the disk full nothing is taken: the source's own flow control holds it.
        """
        place = await find_place(self._store, self._collect, self._origin.id, self._patience, now)
        if place is None:
            return False
        if self._flow is None:
            self._flow = self._collector.flow(place.cursor)
            self._opened_at = now
        try:
            async with asyncio.timeout(SILENCE_S):
                batch = await anext(self._flow)
        except StopAsyncIteration:
            await self._failed(SourceError("the stream ended"), now)
        except TimeoutError:
            await self._failed(SourceError(f"nothing within {SILENCE_S:.0f} s"), now)
        except SourceError as error:
            await self._failed(error, now)
        except Exception as error:  # noqa: BLE001 the edge of a source: it must end no other
            await self._failed(SourceError(f"{type(error).__name__} in the collector"), now)
        else:
            return await self._take(batch, now)
        return False

    async def close(self) -> None:
        """The connection is closed; what was yielded and not committed is not acknowledged."""
        flow, self._flow = self._flow, None
        if flow is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                await flow.aclose()
        except Exception as error:  # noqa: BLE001 a broken connection may fail to close, too
            log.warning("source_not_closed", source=self._origin.id, error=type(error).__name__)

    async def _take(self, batch: Batch, now: datetime) -> bool:
        if self._opened_at is not None and abs(now - self._opened_at) >= HELD:
            self._patience.succeed()
        is_due = self._noted_at is None or abs(now - self._noted_at) >= SEEN_EVERY
        is_well = not self._patience.has_failed  # else a connection is no good read yet
        if not ((is_due and is_well) or _has_something(batch)):
            return False
        accepted = await self._collect.accept(self._origin, batch, now=now)
        self._noted_at = now
        log_rejections(self._origin.id, batch)
        if not (accepted.stored or accepted.deleted):
            return False
        self._patience.succeed()  # pages that are read again at each connection bring nothing
        log.info("batch_stored", source=self._origin.id, new=accepted.stored, seen=accepted.seen)
        return True

    async def _failed(self, error: SourceError, now: datetime) -> None:
        await self.close()
        self._noted_at = None
        await note_failure(
            self._store, self._origin.id, error, now, self._patience.fail(error, now)
        )


def _has_something(batch: Batch) -> bool:
    return bool(
        batch.mentions
        or batch.cursor
        or batch.rejected
        or batch.unknown_field_count
        or batch.gone_authors
    )
