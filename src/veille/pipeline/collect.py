"""Collect: match, mask and store what a source gave, with its cursor, in one transaction (T1)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

import structlog

from veille.domain.mention import Batch, GoneAuthor, Mention
from veille.domain.query import Matcher
from veille.domain.record import MaskedMention, Receipt, Tombstone
from veille.privacy.protect import Protector
from veille.store import mentions, sources
from veille.store.engine import Db
from veille.store.protocol import Store

log = structlog.get_logger()

PIECE = 500
"""Mentions written in one transaction: about a quarter of a second."""
GONE_PIECE = 100
"""Mentions of a gone author deleted in one transaction, as an erasure does."""
HIGH_MARK = 20_000
"""Mentions waiting for analysis above which sources pause: under two minutes of work at 200/s."""


class Origin(Protocol):
    """What collect needs to know of a source."""

    @property
    def id(self) -> str: ...
    @property
    def watches(self) -> list[str] | None: ...
    @property
    def trusted(self) -> bool: ...
    @property
    def own(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of a batch."""

    stored: int
    seen: int
    unmatched: int
    deleted: int
    rejected: int
    opposed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sorted:
    masked: tuple[MaskedMention, ...]
    tombstones: tuple[Tombstone, ...]
    unmatched: int
    refused: int


class Collect:
    """Takes batches. It cannot be built without the protector that masks them.

    Mentions arrive now, whatever they say; in a replay they arrive when they say they did.
    """

    def __init__(
        self,
        store: Store,
        *,
        matcher: Matcher,
        protector: Protector,
        is_replay: bool = False,
    ) -> None:
        self._store = store
        self._is_replay = is_replay
        self._matcher = matcher
        self._protector = protector
        self._is_disk_low = False

    def hold(self, *, is_disk_low: bool) -> None:
        """While the disk is low, `why_full` says so to every source."""
        self._is_disk_low = is_disk_low

    def why_full(self, waiting_count: int) -> str | None:
        """Return why nothing should be taken in with so many mentions waiting: disk, backlog."""
        if self._is_disk_low:
            return "disk"
        return "backlog" if waiting_count >= HIGH_MARK else None

    async def accept(
        self,
        origin: Origin,
        batch: Batch,
        *,
        now: datetime,
        receipt: Receipt | None = None,
        origins: Mapping[str, Origin] | None = None,
    ) -> Accepted:
        """Store what matches a watch, once, with the batch's cursor and the request's receipt.

        `origins` says which source's settings hold for a mention whose `source` it names: a replay
        mixes sources in one file.
        """
        sorted_ = await asyncio.to_thread(self._sort, (origin, origins or {}), batch, now)
        gone = await self._delete_gone(origin.id, batch.gone_authors, now)
        stored = seen = opposed = 0
        # in pieces, so that no other write waits long; a killed piece is only seen again
        while len(sorted_.masked) > PIECE:
            added = await self._store.write(partial(_add, sorted_.masked[:PIECE], now))
            stored, seen = stored + added.new + added.edited, seen + added.seen
            opposed += added.opposed
            sorted_ = replace(sorted_, masked=sorted_.masked[PIECE:])

        def commit(db: Db) -> Accepted:
            added = mentions.add(
                db,
                mentions=sorted_.masked,
                tombstones=sorted_.tombstones,
                now=now,
                is_ordered=batch.is_ordered,
            )
            if batch.cursor is not None:
                sources.set_cursor(db, origin.id, batch.cursor, now)
            if receipt is not None:
                sources.add_receipt(db, receipt)
            accepted = Accepted(
                stored=stored + added.new + added.edited,
                seen=seen + added.seen,
                deleted=added.deleted + gone,
                unmatched=sorted_.unmatched,
                rejected=len(batch.rejected) + sorted_.refused,
                opposed=opposed + added.opposed,
            )
            sources.note_read(
                db,
                origin.id,
                at=now,
                accepted=accepted.stored,
                unmatched=accepted.unmatched,
                rejected=accepted.rejected,
                unknown_fields=batch.unknown_field_count,
                opposed=accepted.opposed,
            )
            return accepted

        return await self._store.write(commit)

    async def _delete_gone(self, source: str, gone: Sequence[GoneAuthor], now: datetime) -> int:
        """Before anything of the batch is stored: what they write later stays.

        In pieces, so that no other write waits long; a killed one is repeated with the batch.
        """
        authors = [(self._protector.author(source, one.id), one.at) for one in gone]

        def delete(db: Db) -> int:
            count = 0
            for author, at in authors:
                if author is not None:
                    left = GONE_PIECE - count
                    count += mentions.delete_author(
                        db, source, author, until=at, limit=left, now=now
                    )
            return count

        count = 0
        while authors and (piece := await self._store.write(delete)):
            count += piece
        return count

    def _sort(
        self,
        whence: tuple[Origin, Mapping[str, Origin]],
        batch: Batch,
        now: datetime,
    ) -> _Sorted:
        origin, origins = whence
        masked: list[MaskedMention] = []
        tombstones: list[Tombstone] = []
        unmatched = 0
        refused = 0
        for mention in batch.mentions:
            at = self._arrival(mention, now)
            try:
                if mention.deleted:
                    gone = self._protector.tombstone(mention.source, mention.id, at)
                    tombstones.append(gone)
                    if batch.is_ordered:  # it may have come earlier in this very batch
                        masked = [m for m in masked if m.key != gone.key]
                    continue
                whose = origins.get(mention.source, origin)
                watches = matching(self._matcher, whose, mention.text)
                if not watches:
                    unmatched += 1
                    continue
                masked.append(self._protector.protect(mention, watches=watches, received_at=at))
            except Exception as error:  # noqa: BLE001 one item must not stop a source for ever
                refused += 1
                # no traceback: it may hold the text
                log.warning("mention_refused", source=origin.id, error=type(error).__name__)
        return _Sorted(
            masked=tuple(masked),
            tombstones=tuple(tombstones),
            unmatched=unmatched,
            refused=refused,
        )

    def _arrival(self, mention: Mention, now: datetime) -> datetime:
        return (mention.received_at if self._is_replay else None) or now


def matching(matcher: Matcher, origin: Origin, text: str) -> tuple[str, ...]:
    """Return the watches that a text of this source belongs to; empty: it is not kept."""
    if origin.trusted:
        return tuple(origin.watches or matcher.ids)
    found = matcher.match(text)
    if origin.watches is None:
        return found
    return tuple(watch for watch in found if watch in origin.watches)


def _add(masked: Sequence[MaskedMention], now: datetime, db: Db) -> mentions.Added:
    return mentions.add(db, mentions=masked, tombstones=(), now=now)
