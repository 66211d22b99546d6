"""The schema, as migrations: each is applied once, in the transaction that notes it."""

from __future__ import annotations

from veille.store.released import RELEASED
from veille.store.released_alerting import ALERTING

NAME = "veille"

# 0005: the queue, where the community manager on call works
_CLOCKS: tuple[str, ...] = ()
_QUEUE: tuple[str, ...] = ()
_PAGES: tuple[str, ...] = ()
_ACCESS: tuple[str, ...] = ()
_SEARCH: tuple[str, ...] = ()
_API: tuple[str, ...] = ()
_PUSH: tuple[str, ...] = ()

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *RELEASED,
    ("0004_alerting", ALERTING),
    ("0005_queue", (*_CLOCKS, *_QUEUE, *_PAGES, *_ACCESS, *_SEARCH, *_API, *_PUSH)),
)
"""Name and statements, in order. Never change one that was released: append another."""
