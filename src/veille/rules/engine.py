"""The engine: sliding windows in memory, counted as mentions come and go, never scanned again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from veille.domain.alert import Reading
from veille.domain.calendar import Region
from veille.domain.circumstances import CALM, Circumstances
from veille.domain.history import HISTORY, History, Tally
from veille.domain.record import Observation
from veille.rules.composite import CompositeWatcher, in_order
from veille.rules.index import Index, Layers
from veille.rules.model import RuleSet
from veille.rules.reading import tells
from veille.rules.stateful import Stateful
from veille.rules.view import Around, View
from veille.rules.watcher import Watcher, watch

PARIS = ZoneInfo("Europe/Paris")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Still:
    """What a steady rule told at its last look, and until when time alone changes nothing."""

    told: list[Reading]
    at: datetime
    until: datetime | None
    around: Circumstances

    def holds(self, now: datetime, around: Circumstances) -> bool:
        """Whether it still says what the rule would say now."""
        is_before = self.until is None or now < self.until
        return self.at <= now and is_before and self.around == around


class Engine:
    """What the rules say of the mentions observed so far.

    Windows slide over arrival: a mention counts while `now - window < received_at <= now`. When the
    clock steps back, what was counted stays until its window has passed by the new time. `zone` is
    where hours are told, public holidays are those of `region`, `territories` holds the codes of
    each watch's; `reach` is how far back what was observed is complete. What `like`, which is not
    to be used any more, holds for rules of the same version need not be restored.
    """

    def __init__(
        self,
        ruleset: RuleSet,
        *,
        zone: ZoneInfo = PARIS,
        region: Region = Region.METROPOLE,
        reach: timedelta = HISTORY,
        territories: Mapping[str, frozenset[str]] = MappingProxyType({}),
        like: Engine | None = None,
    ) -> None:
        self._around = Around(zone=zone, territories=territories)
        same, held = ({}, {}) if like is None else like.given_up()
        self._watchers = [
            same.get(rule.version) or watch(rule, zone=zone, reach=reach) for rule in ruleset.rules
        ]
        for watcher in self._watchers:
            watcher.past.region = region
        self._stateful = [w for w in self._watchers if isinstance(w, Stateful)]
        self._composites = in_order([w for w in self._watchers if isinstance(w, CompositeWatcher)])
        self._members = {rule for composite in self._composites for rule in composite.members}
        self._observers = [w for w in self._watchers if not isinstance(w, CompositeWatcher)]
        self._kept = [watcher.keys for watcher in self._observers]
        self._kept_for = max((rule.kept for rule in ruleset.rules), default=timedelta(0))
        self._held: dict[str, datetime] = held  # what some of them keep, and perhaps more
        self._index = Index({n: w.needs for n, w in enumerate(self._observers)})
        self._deaf = list(self._watchers)
        self._still: dict[str, _Still] = {}
        self._empty = [n for n, w in enumerate(self._observers) if w.rule.version not in same]
        self._deferred: frozenset[str] = frozenset()

    @property
    def horizon(self) -> timedelta:
        """How far back observations must be read again after a restart.

        An engine that is restored from every observation received since `now - horizon`, in the
        order of `seq`, and from the stored histories gives the readings of one that never stopped.
        """
        return max((self._observers[n].rule.kept for n in self._empty), default=timedelta(0))

    @property
    def deferred(self) -> Collection[str]:
        """The rules that say nothing yet."""
        return self._deferred

    @property
    def wakes_at(self) -> datetime | None:
        """When time alone may change what was told at the last look, at the earliest.

        No later than then it must look again: `now` or before means as soon as it can.
        """
        known = (
            still.until if (still := self._still.get(watcher.rule.id)) else watcher.wakes_at
            for watcher in self._watchers
        )
        return min((at for at in known if at is not None), default=None)

    @property
    def asks(self) -> list[str]:
        """Mentions of which the next look must be told whether they were answered."""
        return [key for watcher in self._stateful for key in watcher.asks]

    def restore(
        self,
        recent: Iterable[Observation],
        histories: Mapping[str, History],
        now: datetime,
        *,
        memories: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        """Stand as after `recent` was observed and told.

        With these histories by rule version, and these memories by feed and mark.
        """
        # what a rule does not remember for so long would be gone again at the end
        asked = ((n, self._observers[n]) for n in self._empty)
        layers = Layers({n: (watcher.rule.kept, watcher.needs) for n, watcher in asked})
        held, self._held = self._held, {}
        for observation in recent:
            self._show(observation, layers.index(now - observation.received_at), self._empty)
        for key, at in held.items():  # by those who were not shown anything
            self._held[key] = max(at, self._held.get(key, at))
        self.slide(now)
        self._deaf = list(self._watchers)
        self.learn(
            {watcher.rule.version: History() for watcher in self._watchers} | dict(histories),
            {stateful.rule.feed: {} for stateful in self._stateful} | dict(memories),
        )

    def defer(self, rules: Collection[str]) -> None:
        """These rules, and composites that look at one of them, say nothing from now on."""
        waiting = set(rules)
        for composite in self._composites:
            if not waiting.isdisjoint(composite.members):
                waiting.add(composite.rule.id)
        self._deferred = frozenset(waiting)

    def learn(
        self, histories: Mapping[str, History], memories: Mapping[str, Mapping[str, str]]
    ) -> None:
        """Go on with these histories by rule version, and these memories by feed and mark.

        What the rules they are of have counted and remembered since they stand is forgotten.
        """
        self._still.clear()
        for watcher in self._watchers:
            if watcher.rule.version in histories:
                watcher.past.restore(histories[watcher.rule.version])
        for stateful in self._stateful:
            if stateful.rule.feed in memories:
                stateful.restore(memories[stateful.rule.feed])

    def given_up(self) -> tuple[dict[str, Watcher], dict[str, datetime]]:
        """Return watchers by rule version, and what they hold; they are another engine's now."""
        return {watcher.rule.version: watcher for watcher in self._watchers}, dict(self._held)

    def observe(self, observation: Observation) -> None:
        """Take in a mention, an edit (same key: it replaces) or a deletion (no analysis).

        Repeating the last observation of a key changes nothing.
        """
        for watcher in self._deaf:
            watcher.past.listen(observation.received_at)
        self._deaf.clear()
        self._show(observation, self._index, range(len(self._observers)))

    def _show(self, observation: Observation, index: Index | None, shown: Collection[int]) -> None:
        """Let those take it in who are found there, and of `shown` who hold what has its key."""
        found, key = observation.analysis, observation.key
        view = None if found is None else View(observation, found, self._around)
        concerned = set() if view is None or index is None else index.candidates(view)
        if self._held.pop(key, None) is not None:
            concerned.update(n for n in shown if key in self._kept[n])
        for number in concerned:
            self._observers[number].observe(observation, view)
            self._still.pop(self._observers[number].rule.id, None)
        if any(key in self._kept[number] for number in concerned):
            self._held[key] = observation.received_at

    def slide(self, now: datetime) -> None:
        """Count what has come by `now`, and let go of what is too old."""
        for watcher in self._watchers:
            watcher.slide(now)
        while self._held and next(iter(self._held.values())) <= now - self._kept_for:
            del self._held[next(iter(self._held))]

    def readings(self, now: datetime, around: Circumstances = CALM) -> list[Reading]:
        """Return one reading per rule and group with a mention in its window.

        The order is that of the rules, then of the groups' values. A group without mentions has no
        reading, unless its silence is what a rule is about.
        """
        self._stand(around)
        found = {w.rule.id: w.readings(now) for w in self._speaking()}
        return self._with_composites(found, now)

    def tellings(self, now: datetime, around: Circumstances = CALM) -> list[Reading]:
        """Return of `readings` those that begin or hold an alert, at a fraction of the cost."""
        self._stand(around)
        found = {
            w.rule.id: w.readings(now) if w.rule.id in self._members else self._told(w, now, around)
            for w in self._speaking()
        }
        return [reading for reading in self._with_composites(found, now) if tells(reading)]

    def _speaking(self) -> list[Watcher]:
        return [w for w in self._observers if w.rule.id not in self._deferred]

    def _told(self, watcher: Watcher, now: datetime, around: Circumstances) -> list[Reading]:
        """Return its tellings, those of the last look while nothing can have changed them."""
        name = watcher.rule.id
        if not isinstance(watcher, Stateful) or not watcher.is_steady:
            return watcher.tellings(now)
        still = self._still.pop(name, None)
        if still is None or not still.holds(now, around):
            found = watcher.tellings(now)
            still = _Still(told=found, at=now, until=watcher.wakes_at, around=around)
        if still.until is None or still.until > now:
            self._still[name] = still
        return still.told

    def _stand(self, around: Circumstances) -> None:
        for watcher in self._watchers:
            watcher.past.around = around
        for stateful in self._stateful:
            stateful.around = around

    def _with_composites(self, found: dict[str, list[Reading]], now: datetime) -> list[Reading]:
        for composite in self._composites:  # after those they look at
            if composite.rule.id not in self._deferred:
                composite.see(found)
                found[composite.rule.id] = composite.readings(now)
        return [reading for w in self._watchers for reading in found.get(w.rule.id, ())]

    def take_tally(self) -> Tally:
        """Return what is new in the histories since the last call."""
        counts: dict[tuple[str, str, int], int] = {}
        since: dict[str, datetime] = {}
        for watcher in self._watchers:
            version, past = watcher.rule.version, watcher.past
            if past.told:
                counts |= {(version, mark, h): n for (mark, h), n in past.told.items() if n}
                past.told.clear()
            if past.is_new and past.since is not None:
                since[version], past.is_new = past.since, False
        memory: dict[tuple[str, str], str | None] = {}
        for stateful in self._stateful:
            memory |= {(stateful.rule.feed, mark): state for mark, state in stateful.take_told()}
        return Tally(counts=counts, since=since, memory=memory)
