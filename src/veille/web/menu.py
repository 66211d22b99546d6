"""The menu: every page of its own, in the order people need them, with who may see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from veille.domain.access import Access
from veille.domain.queue_filter import QueueFilter
from veille.store import calls, ledger, ranking
from veille.store.engine import Db

MANY = 1000
"""Counted at most: the menu stands on every page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A page in the menu; `is_main` where it stands at the thumb on a phone, else under "more"."""

    path: str
    name: str
    access: Access = Access.READ
    is_main: bool = False

    def holds(self, path: str) -> bool:
        """Whether `path` is this page or one under it."""
        return path == self.path or (self.path != "/" and path.startswith(self.path + "/"))


MENU: tuple[Entry, ...] = (
    Entry(path="/", name="menu.now", is_main=True),
    Entry(path="/queue", name="menu.queue", is_main=True),
    Entry(path="/search", name="menu.search", is_main=True),
    Entry(path="/ledger", name="menu.ledger"),
    Entry(path="/sources", name="menu.sources"),
    Entry(path="/rules", name="menu.rules"),
    Entry(path="/silences", name="menu.silences"),
    Entry(path="/on-call", name="menu.oncall"),
    Entry(path="/audit", name="menu.audit", access=Access.AUDIT),
    Entry(path="/users", name="menu.users", access=Access.ADMIN),
    Entry(path="/account", name="menu.account"),
)
"""Each name is a key of the catalogue."""


def counts(db: Db, name: str, *, now: datetime) -> dict[str, int]:
    """Return how much waits on pages of the menu, by path, for the user of this name."""
    # who is called by a note finds it on top of the queue
    waiting = calls.count_for(db, name) + ranking.count(db, QueueFilter(), now=now, limit=MANY)
    return {"/queue": waiting, "/ledger": ledger.count(db)}
