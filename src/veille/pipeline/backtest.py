"""Rules on a history whose incidents are known: what they would have said, and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from veille.alerts.lifecycle import step, wakes_at
from veille.domain.alert import Alert, AlertState, Reading
from veille.domain.analysis import Analysis, Cluster
from veille.domain.calendar import Region
from veille.domain.circumstances import Circumstances
from veille.domain.record import Observation
from veille.pipeline.analyze import Analyst, Analyze
from veille.pipeline.passages import Surroundings
from veille.pipeline.replay import AFTERWARDS, GRID, on_grid
from veille.pipeline.scoring import Firing, Incident, Span
from veille.rules.engine import PARIS, Engine
from veille.rules.model import RuleSet
from veille.store import observations, work
from veille.store.protocol import Store

BATCH = 1000
SAVE_MEMORY = timedelta(days=1)
"""What the engine would tell the store is let go so often: nobody stores it here."""


class Given(Analyze):
    """The analyze stage, where some mentions bring their analysis with them.

    Those are taken as they are, and stand in a cluster of their own unless they name one, as in
    rule tests; the model reads the others. `known` holds them by the key of the mention.
    """

    def __init__(
        self,
        store: Store,
        analyst: Analyst,
        known: Mapping[str, Analysis],
        *,
        around: Surroundings | None = None,
    ) -> None:
        super().__init__(store, analyst, around=around)
        self._known = known

    async def analyses(self, claimed: Sequence[work.Work]) -> list[Analysis]:
        """Return what is known of each, or what the model reads."""
        unread = [item for item in claimed if item.key not in self._known]
        read = iter(await super().analyses(unread) if unread else ())
        return [
            _alone(self._known[item.key], item.key) if item.key in self._known else next(read)
            for item in claimed
        ]


def _alone(analysis: Analysis, key: str) -> Analysis:
    if analysis.cluster is not None:
        return analysis
    alone = Cluster(id=key, size=1, wordings=1, authors=1, is_claim=False)
    return replace(analysis, cluster=alone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Everything that was observed, in order, and where; `territories` are those of the watches."""

    observations: tuple[Observation, ...]
    zone: ZoneInfo = PARIS
    region: Region = Region.METROPOLE
    territories: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def span(self) -> Span:
        """From the first to the last mention."""
        times = [o.received_at for o in self.observations]
        return Span(start=min(times), end=max(times))


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """What came nearest to a rule during an incident: the condition that failed first, by value."""

    rule: str
    condition: str
    value: float | None
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What some rules said: their alerts in the order in which they fired.

    `nearest` holds, by incident and rule, what failed in the look that counted most.
    """

    firings: tuple[Firing, ...]
    nearest: Mapping[tuple[str, str], Nearest] = field(default_factory=dict)


async def observed(store: Store) -> tuple[Observation, ...]:
    """Return all that the store holds for rules, in order."""
    found: list[Observation] = []
    while True:
        seq = found[-1].seq if found else 0
        fresh = await store.read(partial(observations.after, seq=seq, limit=BATCH))
        if not fresh:
            return tuple(found)
        found += fresh


def play(
    past: Past,
    ruleset: RuleSet,
    incidents: Sequence[Incident] = (),
    told: Callable[[int, float | None], None] = lambda _done, _total: None,
) -> Played:
    """Return what the rules would have said, looking every 10 s as `veille replay` does.

    The clock runs on after the last mention until nothing is pending, 24 h at most. Instants at
    which nothing can change are left out. `told` hears how many mentions were played.
    """
    engine = Engine(ruleset, zone=past.zone, region=past.region, territories=past.territories)
    waiting = deque(past.observations)
    log = _Log(incidents)
    alerts: dict[str, Alert] = {}
    if not waiting:
        return Played(firings=())
    now = on_grid(waiting[0].received_at)
    last = on_grid(past.span.end)
    forgot = now
    while now <= last + AFTERWARDS:
        while waiting and waiting[0].received_at <= now:
            engine.observe(waiting.popleft())
        engine.slide(now)
        readings = engine.readings(now, Circumstances(heard_until=last))
        for alert in step(alerts, readings, ruleset.versions, now).changed:
            log.note(alert, now)
            if alert.state is AlertState.RESOLVED:
                alerts.pop(alert.fingerprint, None)
            else:
                alerts[alert.fingerprint] = alert
        log.look(readings, now)
        if now - forgot >= SAVE_MEMORY:
            engine.take_tally()
            forgot = now
            told(len(past.observations) - len(waiting), len(past.observations))
        following = _next(engine, alerts, waiting, now)
        if following is None:
            break
        now = following
    return log.played(now)


def _next(
    engine: Engine,
    alerts: Mapping[str, Alert],
    waiting: Sequence[Observation],
    now: datetime,
) -> datetime | None:
    """Return the next instant at which something can happen; None when nothing can."""
    coming = [on_grid(waiting[0].received_at)] if waiting else []
    wakes = (engine.wakes_at, wakes_at(alerts.values()))
    coming += [on_grid(at) for at in wakes if at is not None]
    return max(now + GRID, min(coming)) if coming else None


class _Log:
    """What happened, as it is played."""

    def __init__(self, incidents: Sequence[Incident]) -> None:
        self._incidents = incidents
        self._open: dict[str, Firing] = {}
        self._closed: list[Firing] = []
        self._nearest: dict[tuple[str, str], tuple[int, Nearest]] = {}

    def note(self, alert: Alert, now: datetime) -> None:
        """An alert that fires is open until it is resolved."""
        if alert.state is AlertState.FIRING and alert.fingerprint not in self._open:
            group = ", ".join(f"{k}={v}" for k, v in sorted(alert.group.items()))
            self._open[alert.fingerprint] = Firing(rule=alert.rule, group=group, start=now, end=now)
        elif alert.state is AlertState.RESOLVED and alert.fingerprint in self._open:
            self._closed.append(replace(self._open.pop(alert.fingerprint), end=now))

    def look(self, readings: Sequence[Reading], now: datetime) -> None:
        """Keep what came nearest during each incident."""
        for incident in self._incidents:
            if not incident.start <= now <= incident.end:
                continue
            for reading in readings:
                failed = next((c for c in reading.conditions if not c.holds), None)
                if failed is None or not incident.concerns(reading.rule):
                    continue
                at = (incident.id, reading.rule)
                if at not in self._nearest or reading.value > self._nearest[at][0]:
                    self._nearest[at] = (
                        reading.value,
                        Nearest(
                            rule=reading.rule,
                            condition=failed.name,
                            value=failed.value,
                            threshold=failed.threshold,
                        ),
                    )

    def played(self, now: datetime) -> Played:
        """Return all of it; what still fires ends now."""
        still = [replace(firing, end=now) for firing in self._open.values()]
        ordered = sorted([*self._closed, *still], key=lambda f: (f.start, f.rule, f.group))
        nearest = {at: found for at, (_, found) in self._nearest.items()}
        return Played(firings=tuple(ordered), nearest=nearest)
