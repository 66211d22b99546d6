"""Intake: mentions pushed to `POST /hooks/<source>`, answered only after their commit."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from veille.collectors import webhook
from veille.domain.errors import ConflictError, IntakeRefused
from veille.domain.mention import Rejection
from veille.domain.record import Receipt
from veille.pipeline.collect import Collect, Origin
from veille.store import sources, work
from veille.store.engine import Db
from veille.store.protocol import Store

RETRY_AFTER_S = 30.0


class Door(Protocol):
    """One webhook source with its secret looked up."""

    @property
    def origin(self) -> Origin: ...
    @property
    def secret(self) -> str: ...


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a 202 says: mentions taken in, matched by a watch or not, and lines that were not."""

    accepted: int
    rejected: tuple[Rejection, ...]


class Intake:
    """All webhook sources."""

    def __init__(
        self,
        store: Store,
        collect: Collect,
        doors: Mapping[str, Door],
        *,
        now: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._collect = collect
        self._doors = doors
        self._now = now
        self._wake = wake

    async def accept(self, source_id: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Return the JSON of a 202, after commit; IntakeRefused with the status otherwise."""
        door = self._doors.get(source_id)
        if door is None:
            raise IntakeRefused("no webhook source of this name", status=404)
        now = self._now()
        webhook_id = webhook.verify(door.secret, headers, body, now)
        body_hash = hashlib.sha256(body).hexdigest()

        def look(db: Db) -> tuple[Receipt | None, int]:
            return sources.receipt(db, source_id, webhook_id), work.backlog(db).count

        earlier, waiting = await self._store.read(look)
        if earlier is not None:
            return _same(earlier, body_hash)
        if (cause := self._collect.why_full(waiting)) is not None:
            raise IntakeRefused(
                f"the {cause} is full: send it again later",
                status=503,
                retry_after_s=RETRY_AFTER_S,
            )
        batch = await asyncio.to_thread(webhook.parse, body, source_id)
        answer = msgspec.json.encode(Answer(accepted=len(batch.mentions), rejected=batch.rejected))
        receipt = Receipt(
            source=source_id,
            webhook_id=webhook_id,
            body_hash=body_hash,
            answer=answer.decode(),
            at=now,
        )
        try:
            await self._collect.accept(door.origin, batch, now=now, receipt=receipt)
        except ConflictError as error:  # the same id arrived twice at once, with two bodies
            raise _conflict() from error
        self._wake()
        return answer


def _same(earlier: Receipt, body_hash: str) -> bytes:
    if earlier.body_hash != body_hash:
        raise _conflict()
    return earlier.answer.encode()


def _conflict() -> IntakeRefused:
    return IntakeRefused("this webhook-id was used with another body", status=409)
