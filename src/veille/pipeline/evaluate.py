"""Evaluate: let the rules look, commit alert transitions with the watermark (T3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from veille.alerts.lifecycle import Step, step
from veille.domain.alert import Alert, AlertState
from veille.domain.history import HISTORY
from veille.domain.record import Observation
from veille.pipeline.recount import recount
from veille.rules.engine import PARIS, Engine
from veille.rules.model import RuleSet
from veille.store import alerts, baselines, observations, queue, watermarks
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.telemetry.metrics import metrics

BATCH = 1000
WATERMARK = "evaluate"
PRUNE_EVERY = timedelta(days=1)

log = structlog.get_logger()


class Evaluate:
    """The third stage: its windows live in memory and are rebuilt from the store at start.

    `zone` is where the hours of seasonal baselines are told. `reach` is how far back stored
    mentions are complete: before, the sweep has taken some.
    """

    name = "evaluate"

    def __init__(
        self,
        store: Store,
        ruleset: RuleSet,
        *,
        zone: ZoneInfo = PARIS,
        reach: timedelta = HISTORY,
    ) -> None:
        self._store = store
        self._ruleset = ruleset
        self._zone = zone
        self._reach = min(reach, HISTORY)
        self._engine = Engine(ruleset, zone=zone, reach=self._reach)
        self._pruned_at: datetime | None = None
        self._alerts: dict[str, Alert] = {}
        self._seq = 0
        self._next: RuleSet | None = None

    async def open(self, now: datetime) -> None:
        """Rebuild windows and alerts as they were when the last step was committed."""
        await self._store.write(partial(self._begin, now=now))
        await self._count_past(now)
        engine, ruleset = Engine(self._ruleset, zone=self._zone, reach=self._reach), self._ruleset

        def load(db: Db) -> tuple[int, list[Alert]]:
            seq = watermarks.get(db, WATERMARK)
            recent = observations.recent(db, since=now - engine.horizon, up_to=seq)
            seasonal = [rule.version for rule in ruleset.rules if rule.is_seasonal]
            histories = baselines.load(db, ruleset.versions.values(), counted=seasonal)
            engine.restore(recent, histories, now)  # here, so that never all texts are in memory
            return seq, alerts.live(db)

        self._seq, live = await self._store.read(load)
        if short := [rule.id for rule in ruleset.rules if rule.span > self._reach]:
            log.warning("rules_outlive_mentions", rules=short, kept_s=self._reach.total_seconds())
        self._engine = engine
        self._alerts = {alert.fingerprint: alert for alert in live}

    def _begin(self, db: Db, *, now: datetime) -> None:
        baselines.note_silence(db, until=now)
        baselines.enforce(db, self._ruleset.versions.values(), now=now)

    async def _count_past(self, now: datetime) -> None:
        """Rules that have never listened have a history from then on, unless nothing was heard."""
        versions = self._ruleset.versions

        def look(db: Db) -> tuple[int, set[str]]:
            seq = watermarks.get(db, WATERMARK)
            return seq, set(versions.values()) - set(baselines.since(db, versions.values()))

        seq, missing = await self._store.read(look)
        if not missing or not seq:
            return
        rules = tuple(rule for rule in self._ruleset.rules if rule.version in missing)
        tally = await recount(
            self._store,
            RuleSet(rules=rules),
            since=now - self._reach,
            up_to=seq,
            zone=self._zone,
        )
        await self._store.write(lambda db: baselines.add(db, tally))

    def take_rules(self, ruleset: RuleSet) -> None:
        """Go on with these rules from the next step on; alerts of changed ones close then."""
        self._next = ruleset

    @property
    def is_busy(self) -> bool:
        """Whether time alone can still change something."""
        return bool(self._alerts) or self._engine.is_restless

    async def step(self, now: datetime) -> bool:
        """Look once at `now`; false when no new analysis was waiting."""
        if self._next is not None and self._next.version != self._ruleset.version:
            self._ruleset, self._next = self._next, None
            await self.open(now)
        fresh = await self._store.read(lambda db: observations.after(db, self._seq, limit=BATCH))
        with metrics().rule_eval.time():
            found = await asyncio.to_thread(self._think, fresh, now)
        tally = self._engine.take_tally()
        seq = fresh[-1].seq if fresh else self._seq
        prune = self._pruned_at is None or now - self._pruned_at >= PRUNE_EVERY
        if fresh or tally or prune or found.changed or found.transitions or found.flags:

            def commit(db: Db) -> None:
                alerts.save(db, found.changed)
                alerts.add_transitions(db, found.transitions)
                baselines.add(db, tally)
                if prune:
                    baselines.prune(db, before=now - HISTORY - PRUNE_EVERY)
                queue.flag(db, found.flags)
                watermarks.set(db, WATERMARK, seq)

            await self._store.write(commit)
        self._seq = seq
        self._pruned_at = now if prune else self._pruned_at
        for alert in found.changed:
            if alert.state is AlertState.RESOLVED:
                self._alerts.pop(alert.fingerprint, None)
            else:
                self._alerts[alert.fingerprint] = alert
        return bool(fresh)

    def _think(self, fresh: Sequence[Observation], now: datetime) -> Step:
        for observation in fresh:
            self._engine.observe(observation)
        versions = {rule.id: rule.version for rule in self._ruleset.rules}
        return step(self._alerts, self._engine.readings(now), versions, now)
