"""Sweep: delete by age what the settings say, originals first."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from veille.privacy.settings import PrivacySettings
from veille.store import mentions, sources
from veille.store.engine import Db
from veille.store.protocol import Store

RECEIPTS = timedelta(days=2)
"""Far above the five minutes in which a webhook request may be replayed."""
BATCH = 200
"""Deleted in one transaction: short enough that no other write waits for it."""

log = structlog.get_logger()


class Sweep:
    """Originals after their hours, mentions after the days of their class."""

    name = "sweep"

    def __init__(self, store: Store, settings: PrivacySettings) -> None:
        self._store = store
        self._originals = settings.originals_for()
        self._kept = settings.retention.durations()

    async def step(self, now: datetime) -> bool:
        """Delete one batch of what is too old at `now`; true when there may be more."""

        def clean(db: Db) -> tuple[int, int]:
            sources.drop_receipts(db, before=now - RECEIPTS)
            dropped = mentions.drop_originals(db, before=now - self._originals)
            expired = mentions.expire(
                db,
                neutral=now - self._kept["neutral"],
                flagged=now - self._kept["flagged"],
                incident=now - self._kept["incident"],
                now=now,
                limit=BATCH,
            )
            return dropped, expired

        dropped, expired = await self._store.write(clean)
        if dropped or expired:
            log.info("swept", originals=dropped, mentions=expired)
        return expired == BATCH
