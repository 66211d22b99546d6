"""Open the unmasked text of an urgent mention: one tap, in the audit trail before it is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from veille.privacy.seal import unseal
from veille.store import audit, mentions
from veille.store.engine import Db
from veille.store.protocol import Store


class Originals:
    """Without a sealing key nothing was sealed and nothing opens."""

    def __init__(self, store: Store, *, key: bytes | None, now: Callable[[], datetime]) -> None:
        self._store = store
        self._key = key
        self._now = now

    async def open(self, key: str, *, actor: str) -> str | None:
        """Return the unmasked text, audited; None when it no longer exists."""
        if self._key is None:
            return None
        now = self._now()

        def take(db: Db) -> bytes | None:
            sealed = mentions.original(db, key)
            if sealed is not None:
                audit.add(
                    db,
                    at=now,
                    actor=actor,
                    action="original.open",
                    target=key,
                    before=None,
                    after=None,
                )
            return sealed

        sealed = await self._store.write(take)
        return None if sealed is None else unseal(sealed, self._key, key)
