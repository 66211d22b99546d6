"""Evaluate: let the rules look, commit alert transitions with the watermark (T3)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from zoneinfo import ZoneInfo

import structlog

from veille.alerts.lifecycle import Step, step, wakes_at
from veille.alerts.operational import is_operational
from veille.domain.alert import Alert, AlertState
from veille.domain.calendar import Region
from veille.domain.circumstances import Circumstances
from veille.domain.history import HISTORY, History
from veille.domain.record import Observation
from veille.pipeline.proof import Proof, Scene, prove
from veille.pipeline.recount import Recount, first_counted, learns
from veille.rules.engine import PARIS, Engine
from veille.rules.model import Rule, RuleSet
from veille.rules.view import Around
from veille.store import (
    alerts,
    baselines,
    examples,
    memories,
    observations,
    queue,
    watermarks,
)
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.store.surroundings import circumstances
from veille.telemetry.metrics import metrics

BATCH = 1000
WATERMARK = "evaluate"
PRUNE_EVERY = timedelta(days=1)

log = structlog.get_logger()


class Evaluate:
    """The third stage: its windows live in memory and are rebuilt from the store at start.

    `zone` is where hours are told, public holidays are those of `region`; `territories` holds the
    codes of each watch's, `sources` the ids of those that are read. `reach` is how far back stored
    mentions are complete: before, the sweep has taken some.
    """

    name = "evaluate"

    def __init__(
        self,
        store: Store,
        ruleset: RuleSet,
        *,
        zone: ZoneInfo = PARIS,
        region: Region = Region.METROPOLE,
        reach: timedelta = HISTORY,
        territories: Mapping[str, frozenset[str]] = MappingProxyType({}),
        sources: frozenset[str] | None = None,
    ) -> None:
        self._store = store
        self._ruleset = ruleset
        self._zone = zone
        self._region = region
        self._reach = min(reach, HISTORY)
        self._territories = territories
        self._sources = sources
        self._engine = self._built()
        self._pruned_at: datetime | None = None
        self._alerts: dict[str, Alert] = {}
        self._seq = 0
        self._next: RuleSet | None = None
        self._heard_until: datetime | None = None
        self._around: Circumstances | None = None
        self._looked_at: datetime | None = None
        self._wakes_at: datetime | None = None
        self._is_reckoned = False
        self._recounts: list[Recount] = []

    async def open(self, now: datetime) -> None:
        """Rebuild windows and alerts as they were when the last step was committed.

        Rules that have never listened count what is stored during the next steps. Until then those
        that compare with their past say nothing, and what they say of alerts stays as it is.
        """
        await self._rebuild(self._built(), now)

    async def _rebuild(self, engine: Engine, now: datetime) -> None:
        await self._store.write(partial(self._begin, now=now))
        ruleset = self._ruleset

        def load(db: Db) -> tuple[int, list[Alert], list[Recount]]:
            seq = watermarks.get(db, WATERMARK)
            recent = observations.recent(db, since=now - engine.horizon, up_to=seq)
            # here, so that never all texts are in memory
            engine.restore(
                recent,
                _histories(db, ruleset.rules),
                now,
                memories=memories.load(db, ruleset.feeds),
            )
            return seq, alerts.live(db), self._recounted(db, seq, now)

        self._seq, live, self._recounts = await self._store.read(load)
        if short := [rule.id for rule in ruleset.rules if rule.span > self._reach]:
            log.warning("rules_outlive_mentions", rules=short, kept_s=self._reach.total_seconds())
        if self._recounts:
            log.info("past_counting", rules=sum(len(each.rules) for each in self._recounts))
        self._engine = engine
        self._defer()
        self._looked_at = None  # what was restored has not been looked at
        self._alerts = {a.fingerprint: a for a in live if not is_operational(a)}

    def _built(self, like: Engine | None = None) -> Engine:
        return Engine(
            self._ruleset,
            zone=self._zone,
            region=self._region,
            reach=self._reach,
            territories=self._territories,
            like=like,
        )

    def _begin(self, db: Db, *, now: datetime) -> None:
        baselines.note_silence(db, until=now)
        baselines.enforce(db, self._ruleset.versions.values(), now=now)
        memories.enforce(db, self._ruleset.feeds)

    def _recounted(self, db: Db, seq: int, now: datetime) -> list[Recount]:
        """Return what rules that have never listened have to count, unless nothing was heard."""
        heard = baselines.since(db, self._ruleset.versions.values())
        missing = [rule for rule in self._ruleset.rules if rule.version not in heard]
        before = first_counted(db, now - self._reach, seq) if missing and seq else seq
        if before >= seq:
            return []
        # what an edited rule has learnt of the same mentions goes further back than these
        known = memories.known(db, {rule.feed for rule in missing})
        # those that say nothing meanwhile come first
        parts = [r for r in missing if learns(r)], [r for r in missing if not learns(r)]
        return [
            Recount(
                tuple(rules),
                seq=before,
                feeds=frozenset(rule.feed for rule in rules) - known,
                zone=self._zone,
                territories=self._territories,
            )
            for rules in parts
            if rules
        ]

    def _defer(self) -> None:
        waiting = frozenset(v for recount in self._recounts for v in recount.versions)
        rules = (rule for rule in self._ruleset.rules if rule.version in waiting)
        self._engine.defer({rule.id for rule in rules if learns(rule)})

    async def _count_on(self) -> None:
        """Count another piece; at the end of the past it is stored, and who waited for it looks."""
        recount = self._recounts[0]
        if not await recount.step(self._store, up_to=self._seq):
            return

        def write(db: Db) -> tuple[Mapping[str, History], Mapping[str, Mapping[str, str]]]:
            recount.save(db)
            return _histories(db, recount.rules), memories.load(db, recount.feeds)

        histories, kept = await self._store.write(write)
        self._engine.learn(histories, {feed: {} for feed in recount.feeds} | dict(kept))
        del self._recounts[0]
        log.info("past_counted", rules=len(recount.rules), left=len(self._recounts))
        self._defer()
        self._looked_at = None

    @property
    def ruleset(self) -> RuleSet:
        """The rules in force."""
        return self._ruleset

    @property
    def live(self) -> Collection[Alert]:
        """The alerts that are pending or fire."""
        return self._alerts.values()

    def take_rules(self, ruleset: RuleSet) -> None:
        """Go on with these rules from the next step on; alerts of changed ones close then."""
        self._next = ruleset

    @property
    def wakes_at(self) -> datetime | None:
        """When time alone may change what was decided at the last look, at the earliest."""
        if not self._is_reckoned:  # only when asked: while mentions come it looks anyway
            wakes = (self._engine.wakes_at, wakes_at(self._alerts.values()))
            self._wakes_at = min((at for at in wakes if at is not None), default=None)
            self._is_reckoned = True
        return self._wakes_at

    def hear_until(self, end: datetime) -> None:
        """Nothing can come after that, so that nothing is silent because nothing does."""
        self._heard_until = end

    async def step(self, now: datetime) -> bool:
        """Look at `now` if anything can have changed; false when nothing more is waiting.

        What waits is new analyses, and the past of rules that have never listened.
        """
        if self._next is not None and self._next.version != self._ruleset.version:
            self._ruleset, self._next = self._next, None
            await self._rebuild(self._built(like=self._engine), now)
        has_looked = await self._look(now)
        if not self._recounts:
            return has_looked
        await self._count_on()
        return True

    async def _look(self, now: datetime) -> bool:
        asks = self._engine.asks
        fresh, around = await self._store.read(lambda db: (self._waiting(db), self._seen(db, asks)))
        if not fresh and around == self._around and not self._is_due(now):
            return False
        with metrics().rule_eval.time():
            if fresh:
                await asyncio.to_thread(self._take_in, fresh, now)
            else:
                self._engine.slide(now)
            if (asked := self._engine.asks) != asks:
                around = await self._store.read(lambda db: self._seen(db, asked))
            found = await asyncio.to_thread(self._think, around, now)
        await self._commit(found, fresh[-1].seq if fresh else self._seq, now)
        self._around, self._looked_at, self._is_reckoned = around, now, False
        return bool(fresh)

    async def _commit(self, found: Step, seq: int, now: datetime) -> None:
        """What was found is stored, if anything was, and known here (T3)."""
        tally = self._engine.take_tally()
        for recount in self._recounts:
            tally = recount.without(tally)
        proof = await self._prove(found, seq, now)
        found = proof.step
        prune = self._pruned_at is None or now - self._pruned_at >= PRUNE_EVERY
        is_new = seq != self._seq or prune or bool(tally)
        if is_new or found.changed or found.transitions or found.flags:

            def commit(db: Db) -> None:
                alerts.save(db, found.changed)
                for alert, chosen in proof.examples:
                    examples.put(db, alert, chosen)
                alerts.add_transitions(db, found.transitions)
                baselines.add(db, tally)
                memories.save(db, tally.memory)
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

    def _is_due(self, now: datetime) -> bool:
        """Whether time alone may have changed something since the last look."""
        if self._looked_at is None or self._pruned_at is None or now < self._looked_at:
            return True
        is_awake = self.wakes_at is not None and self.wakes_at <= now
        return is_awake or now - self._pruned_at >= PRUNE_EVERY

    def _seen(self, db: Db, asks: Sequence[str]) -> Circumstances:
        return circumstances(db, asks, heard_until=self._heard_until, sources=self._sources)

    def _waiting(self, db: Db) -> list[Observation]:
        return observations.after(db, self._seq, limit=BATCH)

    async def _prove(self, found: Step, seq: int, now: datetime) -> Proof:
        """Read examples and doubts for what changed, if anything did."""
        if not found.changed:
            return Proof(step=found)
        rules = {rule.id: rule for rule in self._ruleset.rules}
        around = Around(zone=self._zone, territories=self._territories)
        scene = Scene(rules=rules, before=self._alerts, seq=seq, now=now, around=around)
        return await self._store.read(lambda db: prove(db, found, scene))

    def _take_in(self, fresh: Sequence[Observation], now: datetime) -> None:
        for observation in fresh:
            self._engine.observe(observation)
        self._engine.slide(now)

    def _think(self, around: Circumstances, now: datetime) -> Step:
        versions, waiting = self._ruleset.versions, self._engine.deferred
        known = {
            mark: alert
            for mark, alert in self._alerts.items()
            if alert.rule not in waiting or alert.rule_version != versions.get(alert.rule)
        }
        return step(known, self._engine.tellings(now, around), versions, now)


def _histories(db: Db, rules: Sequence[Rule]) -> dict[str, History]:
    seasonal = [rule.version for rule in rules if rule.is_seasonal]
    return baselines.load(db, [rule.version for rule in rules], counted=seasonal)
