"""Whatever arrives, is edited, deleted, restarted: the counts are those of a naive recount."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from veille.domain.alert import Reading
from veille.domain.analysis import (
    Analysis,
    Cluster,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.history import History, hour_number
from veille.domain.ids import fingerprint
from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.rules.engine import Engine
from veille.rules.model import Rule
from veille.rules.parse import parse_rules

RULES = parse_rules(
    {
        "r.yml": b"""rules:
  - {id: previous, kind: spike, baseline: previous, window: 10m, points: 4, min_points: 2,
     min_count: 1, min_authors: 1, severity: info, group_by: [watch]}
  - {id: seasonal, kind: spike, window: 40m, min_count: 1, min_authors: 1, severity: info,
     group_by: [source]}
  - {id: count, kind: count, window: 20m, min_count: 1, severity: info, group_by: [],
     where: {urgency.score: ">= 0.5"}}
"""
    }
)
START = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
"""The night the clocks go forward."""

CLOCK_ERROR = timedelta(minutes=8)
"""A clock is set back by less than a rule remembers beyond its span."""


@dataclass
class Stored:
    """What a store would hold: every observation, and the histories by version."""

    observations: list[Observation] = field(default_factory=list)
    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    since: dict[str, datetime] = field(default_factory=dict)

    def commit(self, engine: Engine) -> None:
        tally = engine.take_tally()
        for key, count in tally.counts.items():
            self.counts[key] += count
        for version, at in tally.since.items():
            self.since.setdefault(version, at)

    def reopened(self, now: datetime) -> Engine:
        engine = Engine(RULES)
        recent = {o.key for o in self.observations if o.received_at >= now - engine.horizon}
        histories = {}
        for version, at in self.since.items():
            groups: dict[str, dict[int, int]] = {}
            for (v, mark, hour), count in self.counts.items():
                if v == version and count:
                    groups.setdefault(mark, {})[hour] = count
            histories[version] = History(since=at, counts=groups)
        engine.restore([o for o in self.observations if o.key in recent], histories, now)
        return engine


def groups_of(rule: Rule, o: Observation) -> list[tuple[str, ...]]:
    if o.analysis is None or (rule.id == "count" and o.analysis.urgency.score < 0.5):
        return []
    return {"previous": [(w,) for w in o.watches], "seasonal": [(o.source,)], "count": [()]}[
        rule.id
    ]


def recounted(history: list[Observation]) -> Counter[tuple[str, str, int]]:
    """Each mention in the hour it came; what is replaced within the rule's span is taken back.

    What says the same in the same hour, and came within the span, counts once.
    """
    found: Counter[tuple[str, str, int]] = Counter()
    for rule in RULES.rules:
        last: dict[str, Observation] = {}
        for o in history:
            old, since = last.pop(o.key, None), o.received_at - rule.span
            if old is not None and old.received_at > since:
                found.subtract(alone(rule, old, last, since))
            found.update(alone(rule, o, last, since))
            last[o.key] = o
    return +found


def alone(
    rule: Rule, o: Observation, last: dict[str, Observation], since: datetime
) -> list[tuple[str, str, int]]:
    others = [x for x in last.values() if said(x) == said(o) and x.received_at > since]
    known = {key for other in others for key in keys_of(rule, other)}
    return [key for key in keys_of(rule, o) if key not in known]


def said(o: Observation) -> str:
    cluster = None if o.analysis is None else o.analysis.cluster
    return o.key if cluster is None else cluster.id


def spikes(counts: Counter[tuple[str, str, int]]) -> Counter[tuple[str, str, int]]:
    versions = {rule.version for rule in RULES.rules if rule.params is not None}
    return +Counter({key: n for key, n in counts.items() if key[0] in versions})


def keys_of(rule: Rule, o: Observation) -> list[tuple[str, str, int]]:
    marks = [
        fingerprint(rule.id, dict(zip(rule.group_by, g, strict=True))) for g in groups_of(rule, o)
    ]
    return [(rule.version, mark, hour_number(o.received_at)) for mark in marks]


def windows(history: list[Observation], now: datetime) -> dict[str, list[int]]:
    """The counts of this window and the previous ones, by watch, over the latest versions."""
    rule, latest = RULES.rules[0], {o.key: o for o in history}
    found = {}
    for watch in "vw":
        theirs = [o for o in latest.values() if (watch,) in groups_of(rule, o)]
        ends = [now - rule.window * i for i in range(1, 5)]
        here = [o for o in theirs if now - rule.window < o.created_at <= o.received_at <= now]
        counts = [len({said(o) for o in here})]
        for e in ends:
            came = [o for o in theirs if e - rule.window < o.received_at <= e]
            counts.append(len({said(o) for o in came}))
        heard = sum(end > history[0].received_at for end in ends) if history else 0
        if counts[0]:
            found[watch] = counts[: 1 + heard]
    return found


def told(readings: list[Reading]) -> dict[str, tuple[int, int, float | None]]:
    """Of the rule `previous`: value, points and mean by watch."""
    return {
        r.group["watch"]: (r.value, r.baseline.points, r.baseline.expected)
        for r in readings
        if r.rule == "previous" and r.baseline is not None
    }


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[datetime, bool, list[Observation]]]:
    """Looks at the clock: when, whether the program was restarted before, and what had come."""
    now, latest, seq, looks = START, START, 0, []
    for _ in range(draw(st.integers(1, 25))):
        now += timedelta(minutes=draw(st.sampled_from([0, 1, 4, 4, 9, 9, 13, 13, 30, 95, -5])))
        latest = max(latest, now)
        now = max(now, latest - CLOCK_ERROR)
        came = []
        for _ in range(draw(st.integers(0, 4))):
            seq += 1
            score = draw(st.sampled_from([None, 0.1, 0.9, 0.9]))
            came.append(observation(draw, seq, now, score))
        looks.append((now, draw(st.booleans()), came))
    return looks


def observation(draw: st.DrawFn, seq: int, now: datetime, score: float | None) -> Observation:
    at = now - timedelta(seconds=draw(st.integers(0, 60)))
    return Observation(
        seq=seq,
        key=draw(st.sampled_from("abcdefgh")),
        source=draw(st.sampled_from("st")),
        watches=draw(st.sampled_from([("v",), ("w",), ("v", "w")])),
        kind=MentionKind.POST,
        text="",
        created_at=at - timedelta(minutes=draw(st.sampled_from([0, 0, 3, 8]))),
        received_at=at,
        author=draw(st.sampled_from(["x", "y", None])),
        analysis=score
        if score is None
        else Analysis(
            lang="fr",
            sentiment=Sentiment(label=SentimentLabel.NEUTRAL, score=0, probabilities={}),
            crisis=0,
            urgency=Urgency(label=UrgencyLabel.NORMAL, score=score),
            cluster=draw(st.sampled_from([None, None, *map(alike, "cd")])),
        ),
    )


def alike(name: str) -> Cluster:
    return Cluster(id=name, size=2, wordings=1, authors=1, is_claim=False)


@settings(max_examples=80, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(stories())
def test_histories_and_windows_equal_a_recount_over_edits_clock_steps_and_restarts(looks):
    stored, steady, engine = Stored(), Engine(RULES), Engine(RULES)
    latest, is_forward = START, True
    for now, is_restarted, came in looks:
        is_forward &= now >= latest
        latest = max(latest, now)
        if is_restarted:
            engine = stored.reopened(now)
        for o in came:
            stored.observations.append(o)
            engine.observe(o)
            steady.observe(o)
        readings = engine.readings(now)
        if is_forward:
            assert steady.readings(now) == readings
        stored.commit(engine)
        # a count rule forgets with its window: a late edit may count beside the old text
        assert spikes(stored.counts) == spikes(recounted(stored.observations))
        steady.readings(now)
        if stored.observations:
            first = stored.observations[0].received_at
            assert set(stored.since.values()) == {first}
        if is_forward:
            expected = windows(stored.observations, now)
            assert {watch: value for watch, (value, _, _) in told(readings).items()} == {
                watch: counts[0] for watch, counts in expected.items()
            }
            for watch, (_, points, mean) in told(readings).items():
                before = expected[watch][1:]
                assert points == len(before)
                if points >= 2:
                    assert mean == round(sum(before) / points, 4)
