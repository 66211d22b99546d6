"""Looking only when something can change tells what looking every ten seconds does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from veille.alerts.lifecycle import step, wakes_at
from veille.domain.alert import Alert, AlertState, Flag, Transition
from veille.domain.analysis import (
    Analysis,
    Intent,
    IntentLabel,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.circumstances import Circumstances
from veille.domain.history import HOUR, History, hour_number
from veille.domain.ids import fingerprint
from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.rules.engine import Engine
from veille.rules.model import RuleSet
from veille.rules.parse import parse_rules

GRID = timedelta(seconds=10)
START = datetime(2026, 3, 4, 8, 57, 40, tzinfo=UTC)
WINDOWED = b"""rules:
  - {id: one, kind: mention, window: 7m, severity: critical, flag: true,
     where: {urgency.label: urgent}}
  - {id: many, kind: count, window: 11m, min_count: 3, for: 2m, keep_firing_for: 5m, severity: info,
     flag: true, count_by: mentions, annotations: {summary: "{count} de {authors} en {window}"}}
  - {id: sticky, kind: count, window: 11m, min_count: 4, clear_below: 2, severity: info}
  - {id: shares, kind: ratio, of: {urgency.label: urgent}, min_ratio: 0.25, min_count: 3,
     min_authors: 1, window: 9m, severity: info, group_by: []}
  - {id: more, kind: ratio, of: {urgency.label: urgent}, min_ratio: 0.1, rise: 1, points: 4,
     confidence: 0.5, min_points: 2, min_count: 2, min_authors: 1, window: 5m, severity: info,
     group_by: [], annotations: {summary: "contre {expected} ; seuil {threshold}"}}
  - {id: places, kind: distinct, of: source, min_distinct: 2, min_authors: 1, window: 8m,
     severity: info}
  - {id: heard, kind: reach, min_reach: 50, min_authors: 1, clear_below: 20, window: 8m,
     severity: info}
  - {id: fast, kind: velocity, doubles_in: 4m, steps: 3, window: 10m, min_count: 3, min_authors: 1,
     severity: info}
  - {id: before, kind: spike, baseline: previous, k: 1, points: 5, min_points: 2, window: 4m,
     min_count: 2, min_authors: 1, severity: info, late_by: 1h,
     annotations: {summary: "contre {expected} ; seuil {threshold}"}}
  - {id: first, kind: sequence, within: 9m, severity: info,
     steps: [{where: {urgency.label: urgent}}, {where: {sentiment.score: "< 0"}}]}
  - {id: waits, kind: unanswered, within: 5m, window: 25m, severity: info, flag: true,
     where: {intent.label: question}}
  - {id: novel, kind: new_term, of: hashtag, memory: 1d, window: 12m, min_authors: 2,
     severity: info}
  - {id: mute, kind: silence, group_by: [source], learn: 1h, down_after: 6m, severity: info,
     annotations: {summary: "{cause} depuis {since}"}}
  - {id: left, kind: silence, own: true, max_age: 15m, group_by: [source], severity: info,
     exclude_own: false, annotations: {summary: "{age} {unanswered}"}}
  - {id: alone, kind: composite, all: [many], none: [one], severity: warning}
"""
RISING = b"""rules:
  - {id: rising, kind: build, window: 20m, steps: 5, limit: 2, k: 0.4, min_count: 3, min_authors: 1,
     severity: info, annotations: {summary: "{count} en {window}, contre {expected}"}}
"""
SEASONAL = (
    RISING
    + b"""
  - {id: season, kind: spike, window: 20m, surprise: 2, min_count: 2, min_authors: 1,
     severity: info, annotations: {summary: "contre {expected} ; seuil {threshold}"}}
  - {id: held, kind: spike, window: 15m, surprise: 3, min_count: 3, min_authors: 1, clear_below: 2,
     severity: info, annotations: {summary: "contre {expected}"}}
  - {id: steep, kind: build, window: 7m, steps: 9, limit: 3, k: 0, min_count: 2, min_authors: 1,
     for: 1m, severity: info, group_by: [source]}
  - {id: quiet, kind: silence, group_by: [watch], learn: 1h, surprise: 1, severity: info}
"""
)


@st.composite
def talks(draw: st.DrawFn) -> list[Observation]:
    made, at = [], START - timedelta(hours=7)  # by then a rule has learnt which terms are new
    for seq in range(1, draw(st.integers(3, 16)) + 1):
        if seq == 2:
            at = START
        at += timedelta(seconds=draw(st.sampled_from([0, 3, 10, 47, 110, 300, 777])))
        late = timedelta(seconds=draw(st.sampled_from([0, 0, 0, 130, 1200])))
        urgent = draw(st.booleans())
        label = UrgencyLabel.URGENT if urgent else UrgencyLabel.NORMAL
        found = Analysis(
            lang="fr",
            sentiment=Sentiment(
                label=SentimentLabel.NEUTRAL,
                score=draw(st.sampled_from([-0.5, 0.5])),
                probabilities={},
            ),
            crisis=0.0,
            urgency=Urgency(label=label, score=float(urgent)),
            intent=Intent(
                label=IntentLabel(draw(st.sampled_from(["question", "thanks"]))), score=1.0
            ),
        )
        given: dict[str, Any] = {
            "key": f"k{draw(st.integers(1, 30))}",
            "source": draw(st.sampled_from("ab")),
            "text": draw(st.sampled_from(["", "#crue", "#crue #pont"])),
            "author": draw(st.sampled_from([None, "x", "y", "z"])),
            "followers": draw(st.sampled_from([None, 30])),
            "own": draw(st.sampled_from([False, False, False, True])),
            "reply_to": draw(st.sampled_from([None, "k1", "k2"])),
            "analysis": draw(st.sampled_from([found, found, found, found, None])),
        }
        made.append(
            Observation(
                seq=seq,
                watches=("mairie",),
                kind=MentionKind.POST,
                created_at=at - late,
                received_at=at,
                **given,
            )
        )
    return made


def history(of_day: list[int], gap: timedelta | None) -> History:
    """Four weeks of a few mentions an hour; veille stood still for nine minutes so long ago."""
    hours = range(hour_number(START) - 4 * 168, hour_number(START))
    counts = {hour: of_day[hour % 24] + hour % 3 for hour in hours}
    marks = [{"watch": "mairie"}, {"source": "a"}, {"source": "b"}]
    ids = ("season", "held", "rising", "steep", "quiet")
    return History(
        since=START - 4 * 168 * HOUR,
        counts={fingerprint(id, mark): counts for id in ids for mark in marks},
        silences=() if gap is None else ((START - gap, START - gap + timedelta(minutes=9)),),
    )


@dataclass
class Watched:
    """An engine with its alerts, and all that was told so far."""

    engine: Engine
    versions: dict[str, str]
    around: Circumstances
    alerts: dict[str, Alert] = field(default_factory=dict)
    told: list[Transition] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    looks: int = 0

    def look(self, now: datetime) -> None:
        self.engine.slide(now)
        done = step(self.alerts, self.engine.tellings(now, self.around), self.versions, now)
        for alert in done.changed:
            self.alerts[alert.fingerprint] = alert
        self.alerts = {m: a for m, a in self.alerts.items() if a.state is not AlertState.RESOLVED}
        self.told += done.transitions
        self.flags += done.flags
        self.looks += 1

    @property
    def wakes_at(self) -> datetime | None:
        wakes = (self.engine.wakes_at, wakes_at(self.alerts.values()))
        return min((at for at in wakes if at is not None), default=None)


@dataclass
class Stored:
    """What a store would hold for an engine that is restarted."""

    past: History
    observations: list[Observation] = field(default_factory=list)
    counts: dict[str, Counter[tuple[str, int]]] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)
    memory: dict[str, dict[str, str]] = field(default_factory=dict)

    def commit(self, engine: Engine) -> None:
        tally = engine.take_tally()
        for (version, mark, hour), count in tally.counts.items():
            self.counts.setdefault(version, Counter())[mark, hour] += count
        for version, at in tally.since.items():
            self.since.setdefault(version, at)
        for (feed, mark), state in tally.memory.items():
            kept = self.memory.setdefault(feed, {})
            kept.pop(mark, None)
            if state is not None:
                kept[mark] = state

    def history(self, version: str) -> History:
        counts = {mark: dict(hours) for mark, hours in self.past.counts.items()}
        for (mark, hour), count in self.counts.get(version, {}).items():
            hours = counts.setdefault(mark, {})
            hours[hour] = hours.get(hour, 0) + count
        since = self.past.since or self.since.get(version)
        return History(since=since, counts=counts, silences=self.past.silences)

    def reopened(self, ruleset: RuleSet, now: datetime) -> Engine:
        engine = Engine(ruleset)
        since = now - engine.horizon
        recent = {o.key for o in self.observations if o.received_at >= since}
        engine.restore(
            [o for o in self.observations if o.key in recent],
            {version: self.history(version) for version in ruleset.versions.values()},
            now,
            memories=self.memory,
        )
        return engine


def grid(lasting: timedelta) -> Iterator[datetime]:
    first = START - timedelta(seconds=START.second % 10)
    return (first + GRID * n for n in range(lasting // GRID))


def compare(
    rules: bytes,
    seen: list[Observation],
    around: Circumstances,
    *,
    past: History | None = None,
    restarts: Collection[int] = (),
) -> tuple[Watched, Watched]:
    """Look always; only where something can change; and so, but stopped before some of the looks.

    All three tell the same.
    """
    ruleset, stored = parse_rules({"r.yml": rules}), Stored(past=past or History())
    always, woken, reborn = (
        Watched(engine=stored.reopened(ruleset, START), versions=ruleset.versions, around=around)
        for _ in range(3)
    )
    waiting, asked = list(seen), None
    for now in grid(seen[-1].received_at - START + timedelta(minutes=50)):
        if woken.looks in restarts:
            reborn.engine = stored.reopened(ruleset, now)
        fresh = []
        while waiting and waiting[0].received_at <= now:
            fresh.append(waiting.pop(0))
        for observation in fresh:
            for one in (always, woken, reborn):
                one.engine.observe(observation)
        stored.observations += fresh
        always.look(now)
        if fresh or woken.looks == 0 or (asked is not None and asked <= now):
            woken.look(now)
            reborn.look(now)
            stored.commit(reborn.engine)
            asked = woken.wakes_at
            assert woken.alerts == reborn.alerts == always.alerts, now
            assert woken.flags == reborn.flags == always.flags, now
        assert woken.told == always.told, now
    assert (woken.flags, woken.told) == (always.flags, reborn.told)
    assert always.engine.take_tally() == woken.engine.take_tally()
    return always, woken


RESTARTS = st.frozensets(st.integers(1, 40), max_size=6)


@settings(max_examples=15, deadline=None, phases=[Phase.generate, Phase.reuse])
@given(talks(), st.sampled_from([None, timedelta(minutes=3)]), RESTARTS)
def test_windows_and_states(
    seen: list[Observation], failing: timedelta | None, restarts: frozenset[int]
) -> None:
    down = {} if failing is None else {"b": START + failing}
    compare(WINDOWED, seen, Circumstances(failing=down), restarts=restarts)


@settings(max_examples=6, deadline=None, phases=[Phase.generate, Phase.reuse])
@given(
    talks(),
    st.lists(st.integers(0, 5), min_size=24, max_size=24),
    st.sampled_from([None, None, timedelta(minutes=20), timedelta(hours=30)]),
    st.booleans(),
    RESTARTS,
)
def test_seasons(
    seen: list[Observation],
    of_day: list[int],
    gap: timedelta | None,
    is_unread: bool,
    restarts: frozenset[int],
) -> None:
    span = (START - timedelta(hours=4), START - timedelta(hours=2))
    around = Circumstances(outages={"a": (span,)} if is_unread else {})
    compare(SEASONAL, seen, around, past=history(of_day, gap), restarts=restarts)


def test_a_rise_reaches_its_floors_while_nothing_comes(
    observed: Callable[..., Observation],
) -> None:
    """The rise begins after the first of three mentions, until that slides into its first step."""
    of_day = [3, 4, 2, 4, 5, 4, 1, 5, 0, 0, 0, 0, 4, 5, 0, 0, 5, 1, 2, 3, 4, 4, 3, 5]
    at = [timedelta(minutes=m, seconds=s) for m, s in ((0, 3), (5, 3), (18, 3))]
    seen = [
        observed(n, created_at=START + after, received_at=START + after)
        for n, after in enumerate(at, start=1)
    ]
    always, woken = compare(RISING, seen, Circumstances(), past=history(of_day, None))
    fired = [told.at for told in woken.told if told.alert.rule == "rising"]
    assert START + timedelta(minutes=32, seconds=40) in fired
    assert woken.looks < always.looks / 4
