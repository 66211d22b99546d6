"""Evaluate: let the rules look, commit alert transitions with the watermark (T3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from veille.alerts.lifecycle import Step, step
from veille.domain.alert import Alert, AlertState
from veille.domain.record import Observation
from veille.rules.engine import Engine
from veille.rules.model import RuleSet
from veille.store import alerts, observations, queue, watermarks
from veille.store.engine import Db
from veille.store.protocol import Store

BATCH = 1000
WATERMARK = "evaluate"


class Evaluate:
    """The third stage: its windows live in memory and are rebuilt from the store at start."""

    name = "evaluate"

    def __init__(self, store: Store, ruleset: RuleSet) -> None:
        self._store = store
        self._ruleset = ruleset
        self._engine = Engine(ruleset)
        self._alerts: dict[str, Alert] = {}
        self._seq = 0
        self._next: RuleSet | None = None

    async def open(self, now: datetime) -> None:
        """Rebuild windows and alerts as they were when the last step was committed."""
        horizon = now - self._engine.horizon

        def load(db: Db) -> tuple[int, list[Observation], list[Alert]]:
            seq = watermarks.get(db, WATERMARK)
            return seq, observations.recent(db, since=horizon, up_to=seq), alerts.live(db)

        self._seq, recent, live = await self._store.read(load)
        await asyncio.to_thread(self._remember, recent, now)
        self._alerts = {alert.fingerprint: alert for alert in live}

    def _remember(self, recent: Sequence[Observation], now: datetime) -> None:
        for observation in recent:
            self._engine.observe(observation)
        self._engine.readings(now)
        self._engine.take_matches()  # they were noted before the restart

    def take_rules(self, ruleset: RuleSet) -> None:
        """Go on with these rules from the next step on; alerts of changed ones close then."""
        self._next = ruleset

    @property
    def is_busy(self) -> bool:
        """Whether time alone can still change something."""
        return bool(self._alerts)

    async def step(self, now: datetime) -> bool:
        """Look once at `now`; false when no new analysis was waiting."""
        if self._next is not None and self._next.version != self._ruleset.version:
            self._ruleset, self._next = self._next, None
            self._engine = Engine(self._ruleset)
            await self.open(now)
        fresh = await self._store.read(lambda db: observations.after(db, self._seq, limit=BATCH))
        found = await asyncio.to_thread(self._think, fresh, now)
        matched = self._engine.take_matches()
        seq = fresh[-1].seq if fresh else self._seq
        if fresh or matched or found.changed or found.transitions or found.flags:

            def commit(db: Db) -> None:
                alerts.save(db, found.changed)
                alerts.add_transitions(db, found.transitions)
                alerts.add_matches(db, matched)
                queue.flag(db, found.flags)
                watermarks.set(db, WATERMARK, seq)

            await self._store.write(commit)
        self._seq = seq
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
