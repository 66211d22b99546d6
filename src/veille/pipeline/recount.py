"""A new or changed rule counts what is stored, so that it does not start without a past."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from veille.domain.history import Tally
from veille.domain.record import Observation
from veille.rules.engine import Engine
from veille.rules.model import Rule, RuleKind, RuleSet
from veille.store import baselines, memories, observations, watermarks
from veille.store.engine import Db
from veille.store.protocol import Store

LIMIT = 100_000
"""Newest observations that are counted again: 45 s of one core for all shipped rules."""
PIECE = 500
"""Observations at a time: evaluation waits for one piece, 0.1 to 0.3 s of one core."""
_LEARNING = {RuleKind.NEW_TERM, RuleKind.SILENCE}


def learns(rule: Rule) -> bool:
    """Whether what it says depends on what came before its window."""
    return rule.is_remembering or rule.kind in _LEARNING


class Recount:
    """The histories of some rules over what is stored, until they have caught up.

    They begin with the first observation that is counted, so that what was swept, lies beyond LIMIT
    or came before there were clusters is not taken for silence. Nothing is stored before the end:
    what is stopped halfway is begun again.
    """

    def __init__(
        self,
        rules: tuple[Rule, ...],
        *,
        seq: int,
        feeds: frozenset[str],
        zone: ZoneInfo,
        territories: Mapping[str, frozenset[str]] = MappingProxyType({}),
    ) -> None:
        """`seq` is the last observation before the first that counts; what is remembered of these
        `feeds` is counted, of others it is known and goes further back.
        """
        self.rules = rules
        self.versions = frozenset(rule.version for rule in rules)
        self.feeds = feeds
        self._engine = Engine(RuleSet(rules=rules), zone=zone, territories=territories)
        self._seq = seq

    async def step(self, store: Store, *, up_to: int) -> bool:
        """Count the next piece; true once all that rules have dealt with, `up_to`, is counted."""
        seq = self._seq
        found = await store.read(lambda db: observations.after(db, seq, limit=PIECE))
        seen = [observation for observation in found if observation.seq <= up_to]
        if seen:
            await asyncio.to_thread(self._count, seen)
            self._seq = seen[-1].seq
        return len(seen) < PIECE

    def save(self, db: Db) -> None:
        """What was counted stands in the histories, and what was learnt in the memories."""
        tally = self._engine.take_tally()
        baselines.add(db, tally)
        memories.save(db, {k: state for k, state in tally.memory.items() if k[0] in self.feeds})

    def without(self, tally: Tally) -> Tally:
        """Return what others tell: what these rules tell meanwhile will be counted here."""
        return Tally(
            counts={k: n for k, n in tally.counts.items() if k[0] not in self.versions},
            since={v: at for v, at in tally.since.items() if v not in self.versions},
            memory={k: state for k, state in tally.memory.items() if k[0] not in self.feeds},
        )

    def _count(self, seen: list[Observation]) -> None:
        for observation in seen:
            self._engine.observe(observation)
        self._engine.slide(seen[-1].received_at)


def first_counted(db: Db, since: datetime, up_to: int) -> int:
    """Return the number before that of the first observation received from `since` on to count."""
    clustered = watermarks.get(db, watermarks.CLUSTERS_AFTER)
    return max(observations.first_since(db, since) - 1, up_to - LIMIT, clustered)
