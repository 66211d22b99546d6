"""Unsnooze: what was put off comes back by itself, in time or when its author writes again."""

from __future__ import annotations

from datetime import datetime

from veille.alerts import items
from veille.alerts.handling import Handled
from veille.domain.incident import QueueItem
from veille.pipeline.work import item_facts
from veille.store import audit, queue, timeline
from veille.store.engine import Db
from veille.store.protocol import Store

BATCH = 200
ACTOR = "veille"


class Unsnooze:
    """Ends snoozes that are over; each is back in its old place, and its timeline says so."""

    name = "unsnooze"

    def __init__(self, store: Store) -> None:
        self._store = store

    async def step(self, now: datetime) -> bool:
        """Wake one batch; true when there was one."""
        if not await self._store.read(lambda db: queue.wakes(db, by=now, limit=1)):
            return False
        return await self._store.write(lambda db: _wake(db, now)) > 0


def bring_back(db: Db, number: int, heard_at: datetime, now: datetime) -> None:
    """The item is to do again if its author wrote since it was put away; twice is once."""
    item = queue.get(db, number)
    if item is not None:
        _keep(db, item, items.heard(item, heard_at, now))


def _wake(db: Db, now: datetime) -> int:
    found = queue.wakes(db, by=now, limit=BATCH)
    for item in found:
        _keep(db, item, items.wake(item, now))
    return len(found)


def _keep(db: Db, item: QueueItem, done: Handled[QueueItem]) -> None:
    if done.event is None:
        return
    kept = queue.save(db, done.subject, expected_version=item.version)
    timeline.add(db, [done.event])
    audit.add(
        db, at=done.event.at, actor=ACTOR, action=done.event.kind, target=done.event.target,
        before=item_facts(item), after=item_facts(kept),
    )  # fmt: skip
