"""Unsnooze: what was put off comes back to the queue when its time is over, by itself."""

from __future__ import annotations

from datetime import datetime

from veille.alerts import items
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


def _wake(db: Db, now: datetime) -> int:
    found = queue.wakes(db, by=now, limit=BATCH)
    for item in found:
        done = items.wake(item, now)
        kept = queue.save(db, done.subject, expected_version=item.version)
        if done.event is not None:
            timeline.add(db, [done.event])
        audit.add(
            db, at=now, actor=ACTOR, action="queue.woken", target=f"Q{item.id}",
            before=item_facts(item), after=item_facts(kept),
        )  # fmt: skip
    return len(found)
