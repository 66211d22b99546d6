"""A new or changed rule counts what is stored, so that it does not start without a past."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType
from zoneinfo import ZoneInfo

from veille.domain.history import Tally
from veille.domain.record import Observation
from veille.rules.engine import Engine
from veille.rules.model import RuleSet
from veille.store import observations, watermarks
from veille.store.protocol import Store

LIMIT = 100_000
"""Newest observations that are counted again, some seconds' work: evaluation waits for it."""
BATCH = 2000


async def recount(
    store: Store,
    ruleset: RuleSet,
    *,
    since: datetime,
    up_to: int,
    zone: ZoneInfo,
    territories: Mapping[str, frozenset[str]] = MappingProxyType({}),
) -> Tally:
    """Return the histories of these rules over the observations received from `since` on.

    `up_to` is the last `seq` they have dealt with. A history begins with the first observation that
    was counted, so that what was swept, lies beyond LIMIT or came before there were clusters is not
    taken for silence.
    """
    engine = Engine(ruleset, zone=zone, territories=territories)
    first = await store.read(lambda db: observations.first_since(db, since))
    clustered = await store.read(lambda db: watermarks.get(db, watermarks.CLUSTERS_AFTER))
    seq = max(first - 1, up_to - LIMIT, clustered)
    while seq < up_to:
        found = await store.read(partial(observations.after, seq=seq, limit=BATCH))
        seen = [observation for observation in found if observation.seq <= up_to]
        if not seen:
            break
        await asyncio.to_thread(_count, engine, seen)
        seq = seen[-1].seq
    return engine.take_tally()


def _count(engine: Engine, seen: list[Observation]) -> None:
    for observation in seen:
        engine.observe(observation)
    engine.slide(seen[-1].received_at)
