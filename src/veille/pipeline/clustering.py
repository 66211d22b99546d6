"""Clusters in memory and in the store: the same after any kill, deletion or edit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from veille.domain.analysis import Analysis
from veille.domain.record import ClusterMember
from veille.nlp.clusters import Clusters
from veille.store import clusters, observations, work
from veille.store.engine import Db
from veille.store.protocol import Store

NAME, VERSION = "cluster", "cluster.fr.v1"
PLACE_S = 60.0
"""A batch takes some 20 ms; what hangs this long is broken."""

Result = tuple[work.Work, Analysis]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A mention that was read, its cluster among the findings, and where it stands there.

    `was_member`: an edit, that stood elsewhere before.
    """

    item: work.Work
    analysis: Analysis
    member: ClusterMember
    was_member: bool


class Clustering:
    """What the analyze stage knows of the mentions before: a copy of what the store keeps.

    From `place` until `save` has committed it is unsure what the store holds. When that fails,
    memory is given up and read again from the store by the next `follow`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._clusters: Clusters | None = None
        self._placing: Clusters | None = None
        self._seq = 0

    async def follow(self) -> None:
        """Stand as the store does: what was deleted since is in memory no more."""
        held, seq = self._clusters, self._seq
        if held is None:
            self._clusters, self._seq = await self._store.read(_restored)
            return
        gone, self._seq = await self._store.read(lambda db: clusters.left(db, seq))
        for key in gone:
            held.remove(key)

    async def place(self, results: Sequence[Result]) -> list[Placed]:
        """Return the results with their clusters, in order; after `follow`, and before `save`."""
        held, self._clusters, self._placing = self._clusters, None, None
        if held is None:
            raise RuntimeError("nothing was followed: call follow() before place()")
        async with asyncio.timeout(PLACE_S):
            placed = await asyncio.to_thread(_place, held, results)
        self._placing = held
        return placed

    async def save(self, placed: Sequence[Placed], now: datetime) -> None:
        """Analyses, observations and places in clusters are committed together (T2).

        One that was edited or deleted meanwhile is not saved, and leaves its cluster again.
        """
        held, self._placing = self._placing, None
        if held is None:
            raise RuntimeError("nothing was placed: call place() before save()")

        def commit(db: Db) -> list[Placed]:
            late = [one for one in placed if not _save(db, one, now)]
            for one in late:
                held.remove(one.member.key)
            if held.oldest is not None:
                clusters.forget_before(db, held.oldest)
            return late

        late = await self._store.write(commit)
        # where the store still has it as it was before, or who was forgotten for it: read again
        if held.oldest is not None and not any(one.was_member for one in late):
            self._clusters = held


def _restored(db: Db) -> tuple[Clusters, int]:
    seq = observations.last_seq(db)  # first: what is deleted meanwhile is forgotten by the next
    return Clusters.restored(clusters.members(db)), seq


def _place(held: Clusters, results: Sequence[Result]) -> list[Placed]:
    placed = []
    for item, analysis in results:
        author = None if item.own else item.author  # the institution is no voice in a rumour
        was_member = held.of(item.key) is not None
        held.remove(item.key)  # an edit comes anew
        found = held.add(item.key, item.text, author, item.received_at, version=item.version)
        analyzers = {**analysis.analyzers, NAME: VERSION}
        analysis = replace(analysis, cluster=analysis.cluster or found, analyzers=analyzers)
        member = held.member(item.key)
        placed.append(Placed(item=item, analysis=analysis, member=member, was_member=was_member))
    return placed


def _save(db: Db, one: Placed, now: datetime) -> bool:
    is_saved = work.save(db, [(one.item, one.analysis)], now=now) > 0
    if is_saved:
        clusters.put(db, one.member)
    return is_saved
