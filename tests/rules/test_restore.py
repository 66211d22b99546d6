"""What a restart leaves out, since no rule remembers it, changes nothing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from veille.domain.analysis import (
    Analysis,
    Cluster,
    Intent,
    IntentLabel,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.circumstances import Circumstances
from veille.domain.history import History
from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.rules.engine import Engine
from veille.rules.model import RuleSet
from veille.rules.parse import parse_rules

START = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KINDS = (
    "kind: mention, window: {w}, where: {{urgency.label: urgent}}",
    "kind: count, window: {w}, min_count: 2, where: {{text: {{words: [crue, 'inond*']}}}}",
    "kind: count, window: {w}, min_count: 3, clear_below: 1, count_by: mentions, group_by: []",
    "kind: spike, baseline: previous, points: 3, min_points: 2, window: {w}, min_count: 1, "
    "min_authors: 1, late_by: 1h",
    "kind: spike, window: {w}, min_count: 2, min_authors: 1",
    "kind: build, steps: 3, window: {w}, min_count: 2, min_authors: 1, group_by: [source]",
    "kind: ratio, of: {{urgency.label: urgent}}, min_ratio: 0.2, min_count: 2, min_authors: 1, "
    "window: {w}, rise: 1, points: 3, min_points: 2",
    "kind: distinct, of: author, min_distinct: 2, min_authors: 1, window: {w}",
    "kind: velocity, doubles_in: 10m, steps: 3, window: {w}, min_count: 2, min_authors: 1",
    "kind: reach, min_reach: 30, min_authors: 1, window: {w}",
    "kind: sequence, within: {w}, steps: [{{where: {{urgency.label: urgent}}}}, "
    "{{where: {{sentiment.score: '< 0'}}}}]",
    "kind: unanswered, within: 3m, window: {w}, where: {{intent.label: question}}",
    "kind: new_term, of: hashtag, memory: 1d, window: {w}, min_authors: 2",
    "kind: silence, group_by: [source], learn: 1h",
    "kind: silence, own: true, max_age: 15m, group_by: [source], exclude_own: false",
)


COMPOSITES = (
    "  - {id: both, kind: composite, all: [r0], any: [r1, r6], severity: info}",
    "  - {id: over, kind: composite, any: [both, r7], none: [r4], severity: info}",
)


def ruleset_of(windows: list[str], order: list[int]) -> RuleSet:
    """Every kind once, and composites over some of them."""
    lines = [
        f"  - {{id: r{n}, severity: info, {kind.format(w=window)}}}"
        for n, (kind, window) in enumerate(zip(KINDS, windows, strict=True))
    ]
    lines += COMPOSITES
    return parse_rules({"r.yml": "\n".join(["rules:", *(lines[n] for n in order)]).encode()})


@st.composite
def talks(draw: st.DrawFn) -> list[Observation]:
    """Mentions, edits and deletions of a few keys over hours; some arrive out of order."""
    made, at = [], START
    for seq in range(1, draw(st.integers(4, 28)) + 1):
        at += MINUTE * draw(st.sampled_from([0, 0, 1, 3, 10, 45, 130]))
        received = at - MINUTE * draw(st.sampled_from([0, 0, 0, 6, 90]))
        urgent = draw(st.booleans())
        label = UrgencyLabel.URGENT if urgent else UrgencyLabel.NORMAL
        alike = draw(st.sampled_from([None, "c"]))
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
            cluster=alike and Cluster(id=alike, size=1, wordings=1, authors=1, is_claim=False),
        )
        given: dict[str, Any] = {
            "key": f"k{draw(st.integers(1, 9))}",
            "source": draw(st.sampled_from("ab")),
            "text": draw(st.sampled_from(["", "#crue", "crue", "inondation #pont"])),
            "author": draw(st.sampled_from([None, "x", "y"])),
            "followers": draw(st.sampled_from([None, 40])),
            "own": draw(st.sampled_from([False, False, True])),
            "reply_to": draw(st.sampled_from([None, "k1", "k2"])),
            "analysis": draw(st.sampled_from([found, found, found, None])),
        }
        made.append(
            Observation(
                seq=seq,
                watches=("mairie",),
                kind=MentionKind.POST,
                created_at=received - MINUTE * draw(st.sampled_from([0, 0, 2, 20])),
                received_at=received,
                **given,
            )
        )
    return made


class Stored:
    """What the store holds when all of this was told."""

    def __init__(self, ruleset: RuleSet, seen: list[Observation]) -> None:
        self.seen = seen
        counting = Engine(ruleset)
        for observation in seen:
            counting.observe(observation)
        tally = counting.take_tally()
        counts: dict[str, dict[str, Counter[int]]] = {}
        for (version, mark, hour), count in tally.counts.items():
            counts.setdefault(version, {}).setdefault(mark, Counter())[hour] = count
        self.histories = {
            v: History(since=at, counts=counts.get(v, {})) for v, at in tally.since.items()
        }
        self.memories: dict[str, dict[str, str]] = {rule.feed: {} for rule in ruleset.rules}
        for (feed, mark), state in tally.memory.items():
            if state is not None:
                self.memories[feed][mark] = state

    def restore(self, engine: Engine, now: datetime) -> Engine:
        recent = {o.key for o in self.seen if o.received_at >= now - engine.horizon}
        found = [o for o in self.seen if o.key in recent]
        engine.restore(found, self.histories, now, memories=self.memories)
        return engine

    def shown_all(self, engine: Engine, now: datetime) -> Engine:
        for observation in self.seen:
            engine.observe(observation)
        engine.slide(now)
        engine.learn(self.histories, self.memories)
        return engine


def held(engine: Engine) -> list[set[str]]:
    """The mentions that each rule holds; of each of them the engine knows that somebody does."""
    found = [set(watcher.keys) for watcher in engine._observers]
    assert set().union(*found) <= set(engine._held)
    return found


@settings(max_examples=15, deadline=None, phases=[Phase.generate, Phase.reuse])
@given(
    st.lists(st.sampled_from(["4m", "11m", "30m", "2h", "5h"]), min_size=15, max_size=15),
    st.permutations(range(len(KINDS) + len(COMPOSITES))),
    talks(),
    st.tuples(st.integers(1, 28), st.integers(0, 40), st.integers(0, 17)),
)
def test_a_restored_engine_is_one_that_observed_everything(
    windows: list[str], order: list[int], seen: list[Observation], at: tuple[int, int, int]
) -> None:
    ruleset = ruleset_of(windows, order)
    stopped, minutes, unchanged = at
    now = max(o.received_at for o in seen[:stopped]) + MINUTE * minutes
    stored = Stored(ruleset, seen[:stopped])
    whole = stored.shown_all(Engine(ruleset), now)
    restored = stored.restore(Engine(ruleset), now)
    some = RuleSet(rules=ruleset.rules[:unchanged])
    before = stored.shown_all(Engine(some), now)
    before.tellings(now)
    edited = stored.restore(Engine(ruleset, like=before), now)
    around = Circumstances(failing={"b": START})
    for observation in [None, *seen[stopped:]]:
        if observation is not None:
            now = max(now, observation.received_at)
            for engine in (whole, restored, edited):
                engine.observe(observation)
        assert held(whole) == held(restored) == held(edited)
        engines = (whole, restored, edited)
        first, *others = [engine.readings(now, around) for engine in engines]
        assert [first, first] == others
        first, *others = [engine.tellings(now, around) for engine in engines]
        assert [first, first] == others
        assert whole.wakes_at == restored.wakes_at == edited.wakes_at
        assert whole.take_tally() == restored.take_tally() == edited.take_tally()


def test_a_deferred_rule_and_composites_over_it_say_nothing_until_told_otherwise(
    observed, engine_of, at
) -> None:
    engine = engine_of("""rules:
  - {id: a, kind: count, min_count: 1, severity: info}
  - {id: b, kind: count, min_count: 9, severity: info}
  - {id: inner, kind: composite, all: [a], none: [b], severity: info}
  - {id: outer, kind: composite, all: [inner], severity: info}
""")
    engine.observe(observed(1))
    engine.defer({"b"})
    assert set(engine.deferred) == {"b", "inner", "outer"}
    assert {found.rule for found in engine.readings(at(1))} == {"a"}
    assert [found.rule for found in engine.tellings(at(1))] == ["a"]
    engine.defer(())
    assert [found.rule for found in engine.tellings(at(2))] == ["a", "inner", "outer"]
