"""Every kind that counts in a window equals a naive recount, whatever is edited, late or lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    Topic,
    Urgency,
    UrgencyLabel,
)
from veille.domain.history import History
from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.rules.engine import Engine
from veille.rules.parse import parse_rules

RULES = parse_rules(
    {
        "r.yml": b"""rules:
  - {id: distinct, kind: distinct, of: topics, min_distinct: 2, min_authors: 1, window: 12m,
     severity: info, group_by: [watch]}
  - {id: writers, kind: distinct, of: author, min_distinct: 2, window: 12m, severity: info,
     group_by: [source]}
  - {id: ratio, kind: ratio, of: {sentiment.label: negative}, min_ratio: 0.2, min_count: 2,
     min_authors: 1, window: 10m, rise: 1, points: 3, min_points: 2, severity: info, group_by: []}
  - {id: velocity, kind: velocity, doubles_in: 10m, steps: 3, min_count: 2, min_authors: 1,
     window: 15m, severity: info, group_by: []}
  - {id: reach, kind: reach, min_reach: 100, cap: 80, min_authors: 1, window: 20m, severity: info,
     group_by: [source], count_by: mentions}
  - {id: build, kind: build, steps: 4, window: 10m, min_count: 2, min_authors: 1, severity: info,
     group_by: []}
"""
    }
)
START = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class Stored:
    """What a store would hold, and an engine that is opened again from it."""

    observations: list[Observation] = field(default_factory=list)
    since: dict[str, datetime] = field(default_factory=dict)

    def reopened(self, now: datetime) -> Engine:
        engine = Engine(RULES)
        recent = {o.key for o in self.observations if o.received_at >= now - engine.horizon}
        histories = {version: History(since=at) for version, at in self.since.items()}
        engine.restore([o for o in self.observations if o.key in recent], histories, now)
        return engine

    def commit(self, engine: Engine) -> None:
        for version, at in engine.take_tally().since.items():
            self.since.setdefault(version, at)


def kept(history: Sequence[Observation]) -> list[Observation]:
    """The newest text of each mention that is not deleted, and that was not late."""
    latest = {o.key: o for o in history}
    return [o for o in latest.values() if o.analysis is not None]


def said(o: Observation) -> str:
    cluster = None if o.analysis is None else o.analysis.cluster
    return o.key if cluster is None else cluster.id


def is_negative(o: Observation) -> bool:
    return o.analysis is not None and o.analysis.sentiment.label is SentimentLabel.NEGATIVE


def came(found: Sequence[Observation], start: datetime, end: datetime) -> list[Observation]:
    return [o for o in found if start < o.received_at <= end]


def different(found: Sequence[Observation]) -> int:
    return len({said(o) for o in found})


def expected(history: Sequence[Observation], now: datetime) -> dict[tuple[str, str], object]:
    """What each rule should say of each group with a mention in its window."""
    found, answers = kept(history), {}
    for watch in "vw":
        here = [o for o in came(found, now - 12 * MINUTE, now) if watch in o.watches]
        if here:
            topics = {topic.id for o in here if o.analysis for topic in o.analysis.topics}
            answers["distinct", watch] = len(topics)
    for source in "st":
        here = [o for o in came(found, now - 12 * MINUTE, now) if o.source == source]
        if here:
            answers["writers", source] = len({o.author for o in here} - {None})
        here = [o for o in came(found, now - 20 * MINUTE, now) if o.source == source]
        if here:
            most: dict[str | None, int] = {}
            for o in here:
                most[o.author] = max(most.get(o.author, 0), o.followers or 0)
            answers["reach", source] = sum(min(80, count) for count in most.values())
    if here := came(found, now - 10 * MINUTE, now):
        answers["ratio", ""] = shares(found, here, history[0].received_at, now)
    trend = [o for o in found if o.received_at - o.created_at <= 15 * MINUTE]
    if here := [o for o in came(trend, now - 15 * MINUTE, now) if o.created_at > now - 15 * MINUTE]:
        answers["velocity", ""] = doubled(here, now)
    slow = [o for o in found if o.received_at - o.created_at <= 10 * MINUTE]
    if here := [o for o in came(slow, now - 40 * MINUTE, now) if o.created_at > now - 40 * MINUTE]:
        answers["build", ""] = different(here)
    return answers


def shares(
    found: Sequence[Observation], here: Sequence[Observation], first: datetime, now: datetime
) -> tuple[int, int, float | None]:
    """Numerator, all, and the numerator the previous windows would make one expect."""
    hits, count = different([o for o in here if is_negative(o)]), different(here)
    if count < 2 or lower_end(hits, count) < 0.2:
        return hits, count, None
    before: list[tuple[int, int]] = []
    for i in range(1, 4):
        end = now - 10 * MINUTE * i
        if end < first:
            break
        theirs = came(found, end - 10 * MINUTE, end)
        before.append((different([o for o in theirs if is_negative(o)]), different(theirs)))
    if len(before) < 2:
        return hits, count, None
    share = (sum(h for h, _ in before) + 0.5) / (sum(n for _, n in before) + 1)
    return hits, count, round(share * count, 4)


def lower_end(hits: int, count: int) -> float:
    """Wilson's interval, solved for the share from its defining equation instead."""
    z, low, high = 1.959964, 0.0, hits / count
    for _ in range(60):
        middle = (low + high) / 2
        if abs(hits / count - middle) > z * math.sqrt(middle * (1 - middle) / count):
            low = middle
        else:
            high = middle
    return round(high, 4)


def doubled(here: Sequence[Observation], now: datetime) -> tuple[int, float | None]:
    """The count, and within how many seconds it doubles: slope over three steps by hand."""
    ends = [now - 10 * MINUTE, now - 5 * MINUTE, now]
    logs = [math.log(1 + different(came(here, end - 5 * MINUTE, end))) for end in ends]
    slope = (logs[2] - logs[0]) / 2
    if different(here) < 2 or slope <= 0:
        return different(here), None
    return different(here), round(math.log(2) / slope * 300, 4)


def told(readings: Sequence[Reading]) -> dict[tuple[str, str], object]:
    answers: dict[tuple[str, str], object] = {}
    for reading in readings:
        measured = {c.name: c.value for c in reading.conditions}
        place = (reading.rule, next(iter(reading.group.values()), ""))
        match reading.rule:
            case "ratio":
                usual = reading.baseline.expected if reading.baseline else None
                answers[place] = (reading.value, measured["count"], usual)
            case "velocity":
                answers[place] = (reading.value, measured.get("doubling_s"))
            case _:
                answers[place] = reading.value
    return answers


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[datetime, bool, list[Observation]]]:
    """Looks at the clock: when, whether the program was restarted before, and what had come."""
    now, seq, looks = START, 0, []
    for _ in range(draw(st.integers(1, 20))):
        now += MINUTE * draw(st.sampled_from([0, 1, 3, 5, 5, 9, 10, 17]))
        fresh = []
        for _ in range(draw(st.integers(0, 4))):
            seq += 1
            fresh.append(draw(observations(seq, now)))
        looks.append((now, draw(st.booleans()), fresh))
    return looks


@st.composite
def observations(draw: st.DrawFn, seq: int, now: datetime) -> Observation:
    feeling = draw(st.sampled_from([SentimentLabel.NEGATIVE, SentimentLabel.NEUTRAL]))
    late = MINUTE * draw(st.sampled_from([0, 0, 0, 4, 12]))
    alike = draw(st.sampled_from([None, None, "c", "d"]))
    topics = draw(st.sampled_from([(), ("flood",), ("roads", "school")]))
    return Observation(
        seq=seq,
        key=draw(st.sampled_from("abcdefghijkl")),
        source=draw(st.sampled_from("st")),
        watches=draw(st.sampled_from([("v",), ("w",), ("v", "w")])),
        kind=MentionKind.POST,
        text="",
        created_at=now - late,
        received_at=now - timedelta(seconds=draw(st.integers(0, 20))) if not late else now,
        author=draw(st.sampled_from(["x", "y", "z", None])),
        followers=draw(st.sampled_from([None, 0, 30, 90])),
        analysis=None
        if draw(st.integers(0, 5)) == 0
        else Analysis(
            lang="fr",
            sentiment=Sentiment(label=feeling, score=0, probabilities={}),
            crisis=0,
            urgency=Urgency(label=UrgencyLabel.NORMAL, score=0),
            topics=tuple(Topic(id=name, score=1) for name in topics),
            cluster=alike and Cluster(id=alike, size=1, wordings=1, authors=1, is_claim=False),
        ),
    )


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(stories())
def test_every_kind_equals_a_recount_over_edits_deletions_late_ones_and_restarts(looks):
    stored, engine = Stored(), Engine(RULES)
    for now, is_restarted, fresh in looks:
        if is_restarted:
            engine = stored.reopened(now)
        for o in fresh:
            stored.observations.append(o)
            engine.observe(o)
        readings = engine.readings(now)
        stored.commit(engine)
        assert told(readings) == (expected(stored.observations, now) if readings else {})
        for reading in readings:
            assert reading.is_active == all(c.holds for c in reading.conditions)
            assert reading.conditions
