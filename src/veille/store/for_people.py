"""The store as pages see it: what people change goes before what the stages change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from veille.store.engine import Db, SqliteStore
from veille.store.writer import Lane

T = TypeVar("T")


class ForPeople:
    """A `Store` whose changes are taken first, of those that wait for the writer."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.read = store.read
        self.data_version = store.data_version

    async def write(self, change: Callable[[Db], T]) -> T:
        """Return the change's result once it is committed; what it raises undoes it alone."""
        return await self._store.write(change, lane=Lane.PEOPLE)
