"""What every change of a task commits with itself: the key of the request that asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from veille.store.engine import Db

T = TypeVar("T")
_NOTE: ContextVar[Callable[[Db], None] | None] = ContextVar("note", default=None)


@contextmanager
def noting(note: Callable[[Db], None]) -> Iterator[None]:
    """Each change that this task writes meanwhile is one transaction with `note`."""
    before = _NOTE.set(note)
    try:
        yield
    finally:
        _NOTE.reset(before)


def joined(change: Callable[[Db], T]) -> Callable[[Db], T]:
    """Return the change with what is noted now, where something is."""
    note = _NOTE.get()
    if note is None:
        return change

    def both(db: Db) -> T:
        result = change(db)
        note(db)
        return result

    return both
