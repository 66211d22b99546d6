"""Sweep: delete by age what the settings say, originals first; take old mentions into search."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

import structlog

from veille.privacy.settings import PrivacySettings
from veille.store import facets, mentions, retention
from veille.store.engine import Db
from veille.store.protocol import Store

BATCH = 50
"""Deleted in one transaction: some 70 ms in a store of 1,000,000, so that no write waits long."""

log = structlog.get_logger()


class Sweep:
    """Originals after their hours, mentions after the days of their class, then all the rest."""

    name = "sweep"

    def __init__(self, store: Store, settings: PrivacySettings, *, zone: tzinfo = UTC) -> None:
        """`zone` is whose days the audit log counts by."""
        self._store = store
        self._zone = zone
        self._originals = settings.originals_for()
        self._kept = settings.retention.durations()
        self._ages = retention.Ages(
            flagged=self._kept["flagged"],
            incident=self._kept["incident"],
            tombstones=max(retention.TOMBSTONES, *self._kept.values()),
        )

    async def step(self, now: datetime) -> bool:
        """Delete one batch of what is too old at `now`; true when there may be more.

        What an earlier version stored is taken into the search, a batch at a time too.
        """
        taken_in = await self._store.write(lambda db: facets.catch_up(db, limit=BATCH))
        return max([taken_in, *(await self.clean(now)).values()]) >= BATCH

    async def clean(self, now: datetime) -> dict[str, int]:
        """Delete one batch and return how much went, by table; it is counted for the audit log."""
        counts = await self._store.write(lambda db: self._clean(db, now))
        if counts:
            log.info("swept", **counts)
        return counts

    def _clean(self, db: Db, now: datetime) -> dict[str, int]:
        dropped = mentions.drop_originals(db, before=now - self._originals, limit=BATCH)
        expired = mentions.expire(
            db,
            neutral=now - self._kept["neutral"],
            flagged=now - self._kept["flagged"],
            incident=now - self._kept["incident"],
            now=now,
            limit=BATCH,
        )
        counts = {"originals": dropped, "texts": expired}
        counts |= retention.purge(db, self._ages, now=now, limit=BATCH)
        found = {name: count for name, count in counts.items() if count}
        retention.note(db, found, now=now, zone=self._zone)
        return found
