"""Open the daemon's store for one short action, while the daemon runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from veille.config import Loaded, load
from veille.store.engine import Db, SqliteStore
from veille.store.protocol import Store

T = TypeVar("T")


def with_store(path: Path | None, act: Callable[[Store, Loaded], Awaitable[T]]) -> T:
    """Return what `act` returns, given the store of the configuration."""
    loaded = load(path)

    async def run() -> T:
        database = loaded.resolve(loaded.config.veille.data_dir) / "veille.db"
        async with SqliteStore(database, group_commit=timedelta(0)) as store:
            return await act(store, loaded)

    return asyncio.run(run())


def in_store(path: Path | None, change: Callable[[Db], T]) -> T:
    """Return what one transaction returns."""
    return with_store(path, lambda store, _: store.write(change))
