"""A store whose process ends at a commit of the test's choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from veille.store.engine import Db, SqliteStore

T = TypeVar("T")


class KilledError(Exception):
    """The process ended here."""


class MortalStore:
    """A store whose process is killed right after its n-th commit."""

    def __init__(self, store: SqliteStore, lives: int) -> None:
        self._store = store
        self.lives = lives

    async def write(self, change: Callable[[Db], T]) -> T:
        result = await self._store.write(change)
        self.lives -= 1
        if self.lives == 0:
            raise KilledError
        return result

    async def read(self, query: Callable[[Db], T]) -> T:
        return await self._store.read(query)
