"""One stream source on a real store, stepped by hand until a test has heard enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from veille.collectors.base import Source, StreamCollector
from veille.domain.clock import utc_now
from veille.domain.query import Matcher
from veille.domain.record import StoredMention
from veille.domain.watch import Watch
from veille.pipeline.collect import Collect
from veille.pipeline.stream import Stream
from veille.privacy.protect import Protector
from veille.privacy.pseudonym import Pseudonyms
from veille.store import mentions, sources
from veille.store.engine import SqliteStore
from veille.store.sources import SourceHealth

LIMIT_S = 10.0


@dataclass
class Listener:
    """The collect stage of one source; `collector` makes what reads it, once a process."""

    store: SqliteStore
    source: Source
    collector: Callable[[], StreamCollector]
    query: str = ""

    def __post_init__(self) -> None:
        self._pseudonyms = Pseudonyms(mention_key=b"m" * 32, author_key=b"a" * 32)
        self._stream = self._new()

    async def hear(self, is_enough: Callable[[], Awaitable[bool]]) -> None:
        """Step until it is enough; ten seconds at most."""
        async with asyncio.timeout(LIMIT_S):
            while not await is_enough():
                await self._stream.step(utc_now())

    async def steps(self, count: int) -> None:
        """Step so many times."""
        for _ in range(count):
            await self._stream.step(utc_now())

    async def connect(self) -> None:
        """Step until the source is read without an error."""

        async def is_well() -> bool:
            health = await self.health()
            return health is not None and health.failures == 0

        await self.steps(1)
        await self.hear(is_well)

    async def close(self) -> None:
        """End the connection, as a stop does."""
        await self._stream.close()

    async def restart(self) -> None:
        """Forget everything that is not in the store, as a killed process does."""
        await self._stream.close()
        self._stream = self._new()

    async def health(self) -> SourceHealth | None:
        """Return how the source is, None before its first step."""
        found = {one.source: one for one in await self.store.read(sources.health)}
        return found.get(self.source.id)

    async def cursor(self) -> str | None:
        """Return the committed cursor."""
        return await self.store.read(lambda db: sources.cursor(db, self.source.id))

    async def stored(self, *ids: str) -> list[StoredMention]:
        """Return the mentions of these native ids that are stored, deleted ones too."""
        keys = [self._pseudonyms.mention_key(self.source.id, id_) for id_ in ids]
        found = await self.store.read(lambda db: mentions.stored(db, keys))
        return [found[key] for key in keys if key in found]

    async def texts(self, *ids: str) -> list[str]:
        """Return the texts of these native ids, "" for a deleted one."""
        return [mention.text for mention in await self.stored(*ids)]

    async def count(self) -> int:
        """Return how many mentions stand in the store, deleted ones too."""
        return sum((await self.store.read(mentions.counts)).values())

    def holds(self, *ids: str) -> Callable[[], Awaitable[bool]]:
        """Return the condition that all of these are stored."""

        async def is_enough() -> bool:
            return len(await self.stored(*ids)) == len(ids)

        return is_enough

    def reads(self, id_: str, text: str) -> Callable[[], Awaitable[bool]]:
        """Return the condition that this mention has this text; "" once deleted."""

        async def is_enough() -> bool:
            return await self.texts(id_) == [text]

        return is_enough

    def _new(self) -> Stream:
        protector = Protector(
            self._pseudonyms, sealing_key=None, keep=frozenset(), nonce=lambda: b"n" * 12
        )
        watches = (Watch(id="mairie", query=self.query),)
        collect = Collect(self.store, matcher=Matcher(watches), protector=protector)
        return Stream(
            self.store,
            collect,
            origin=self.source,
            collector=self.collector(),
            jitter=lambda: 0.0,
        )


@asynccontextmanager
async def open_store(folder: Path) -> AsyncIterator[SqliteStore]:
    """Yield a store on disk that is fast rather than durable."""
    async with SqliteStore(
        folder / "veille.db", group_commit=timedelta(0), is_durable=False
    ) as store:
        yield store
