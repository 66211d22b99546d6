"""What stages and pages ask of the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from veille.store.engine import Db

T = TypeVar("T")


class Store(Protocol):
    """Runs functions of a connection where they may block."""

    async def write(self, change: Callable[[Db], T]) -> T:
        """Return the change's result once it is committed; what it raises undoes it alone."""

    async def read(self, query: Callable[[Db], T]) -> T:
        """Return what the query reads from one snapshot."""

    async def data_version(self) -> int:
        """Return a number that changes when any process commits a change, and only then."""
