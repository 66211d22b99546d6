"""What rules that remember said of a mention: played again from what the store still holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import product

from veille.domain.alert import Comparison, Condition, Reading
from veille.domain.circumstances import Circumstances
from veille.domain.history import HISTORY
from veille.domain.record import Observation
from veille.rules.engine import Engine
from veille.rules.model import Rule, RuleKind, RuleSet
from veille.rules.new_term import TERM, since_of, terms_of
from veille.rules.params import NewTerm, Silence
from veille.rules.sliding import Values
from veille.rules.view import View, group_values
from veille.store import observations, watermarks
from veille.store.codec import moment
from veille.store.engine import Db
from veille.store.surroundings import handled_since

REMEMBERING = frozenset({RuleKind.SILENCE, RuleKind.UNANSWERED, RuleKind.NEW_TERM})
"""Their memory is kept as of now, not as of then: it is learnt again."""
KEPT = 20_000
"""Newest observations before the mention that they learn from, some seconds' work."""
LATER = 20_000
"""Observations after it that are looked through; beyond it the answer rests on what came before."""
LOOKS = 2000
"""Of those, at which the rule looks again: a burst of some minutes, a day of a calm town."""
_DAY = timedelta(days=1)
Look = tuple[datetime, tuple[Condition, ...], Reading | None]
"""When, what was asked then, and the reading of the rule, None where it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A mention as a remembering rule reads it. `engine` stands as it did when the mention came.

    `memory` is what the rule kept then, by mark; `around` what the store knows beside mentions;
    `until` is when listening ended.
    """

    rule: Rule
    view: View
    engine: Engine
    memory: Mapping[str, str]
    around: Circumstances
    until: datetime
    _handled: dict[str, datetime | None] = field(default_factory=dict)

    @property
    def at(self) -> datetime:
        """When the mention arrived."""
        return self.view.observation.received_at

    @property
    def groups(self) -> frozenset[Values]:
        """What the mention has in each field of `group_by`."""
        return frozenset(product(*(group_values(self.view, n) for n in self.rule.group_by)))

    def said(self, at: datetime, db: Db) -> Iterator[Look]:
        """Yield what the rule says at `at` of each group of the mention."""
        self.engine.slide(at)
        asks = self.engine.asks
        self._handled.update(handled_since(db, [key for key in asks if key not in self._handled]))
        answered = frozenset(k for k in asks if (then := self._handled.get(k)) and then <= at)
        for found in self.engine.readings(at, replace(self.around, answered=answered)):
            names = self.rule.group_by
            is_ours = tuple(found.group.get(name) for name in names) in self.groups
            if found.rule == self.rule.id and is_ours and self._is_said(found):
                yield at, found.conditions, found

    def _is_said(self, found: Reading) -> bool:
        asked = self.rule.params
        return not isinstance(asked, NewTerm) or found.group[TERM] in terms_of(self.view, asked.of)


def learnt(db: Db, ruleset: RuleSet, engine: Engine, last: int) -> dict[str, dict[str, str]]:
    """Return what these rules kept, by feed and mark, after the observation numbered `last`.

    `engine` is a fresh one of them; it has observed afterwards. What came more than KEPT
    observations before is not known.
    """
    if not any(rule.kind in REMEMBERING for rule in ruleset.rules):
        return {}
    first = max(last - KEPT, watermarks.get(db, watermarks.CLUSTERS_AFTER))
    for observation in observations.after(db, first, limit=max(0, last - first)):
        engine.observe(observation)
    kept: dict[str, dict[str, str]] = {}
    for (feed, mark), state in engine.take_tally().memory.items():
        if state is not None:
            kept.setdefault(feed, {})[mark] = state
    return kept


def reach(rule: Rule) -> timedelta:
    """Return how far before a mention lies what the rule must know of."""
    match rule.params:
        case Silence(own=False):
            return HISTORY
        case NewTerm(memory=memory):
            return memory + rule.window
        case _:
            return rule.span


def heard_until(db: Db, now: datetime) -> datetime:
    """Return when the daemon listened last, `now` at the latest."""
    pulse = watermarks.get(db, watermarks.PULSE)
    return min(now, moment(pulse)) if pulse else now


def looks(db: Db, scene: Scene) -> Iterator[Look]:
    """Yield what the rule said of the mention's groups while the mention mattered to it."""
    match scene.rule.params:
        case Silence() as asked:
            yield from _silence(db, scene, asked)
        case NewTerm() as asked:
            yield from _played(db, scene)
            yield from _known(scene, asked)
        case _:
            yield from _played(db, scene)


def _silence(db: Db, scene: Scene, asked: Silence) -> Iterator[Look]:
    """Yield the longest silence after the mention: until the next one of its groups is heard."""
    end = max(scene.at, scene.until)
    for later in observations.after(db, scene.view.observation.seq, limit=LATER):
        if asked.own and not later.own:
            scene.engine.observe(later)
        elif _is_heard(scene, later):
            end = max(scene.at, later.received_at)
            break
    found = list(scene.said(end, db))
    if not found and asked.own:  # nothing was ever published there
        limit = (asked.max_age or timedelta(0)) / _DAY
        found = [(end, (Condition(name="age_days", value=None, threshold=limit),), None)]
    yield from found


def _is_heard(scene: Scene, later: Observation) -> bool:
    is_own = later.own and scene.rule.exclude_own and not _is_own(scene.rule)
    if later.analysis is None or later.received_at <= scene.at or is_own:
        return False
    view = View(later, later.analysis, scene.view.around)
    if not scene.rule.where.matches(view):
        return False
    return bool(replace(scene, view=view).groups & scene.groups)


def _is_own(rule: Rule) -> bool:
    return isinstance(rule.params, Silence) and rule.params.own


def _played(db: Db, scene: Scene) -> Iterator[Look]:
    """Yield every look while the mention counts: when others come, and when time alone speaks."""
    yield from scene.said(scene.at, db)
    end = min(max(scene.at, scene.until), scene.at + scene.rule.window)
    later = deque(observations.after(db, scene.view.observation.seq, limit=LATER))
    at = scene.at
    for _ in range(LOOKS):
        coming = [later[0].received_at] if later else []
        coming += [] if scene.engine.wakes_at is None else [scene.engine.wakes_at]
        if not coming or max(at, min(coming)) > end:
            return
        at = max(at, min(coming))
        while later and later[0].received_at <= at:
            scene.engine.observe(later.popleft())
        yield from scene.said(at, db)


def _known(scene: Scene, asked: NewTerm) -> Iterator[Look]:
    """Yield how long the newest of its terms was said before, where that is too long."""
    window = scene.rule.window
    every = product(scene.groups, terms_of(scene.view, asked.of))
    known = [since_of(scene.memory, (*values, term)) for values, term in every]
    newest = max((since for since in known if since is not None), default=None)
    if newest is None or scene.at - newest < window:
        return
    age = Condition(
        name="said_days",
        value=round((scene.at - newest) / _DAY, 4),
        threshold=window / _DAY,
        comparison=Comparison.BELOW,
    )
    yield scene.at, (age,), None
