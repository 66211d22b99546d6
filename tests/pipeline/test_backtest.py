"""Backtests: the same alerts as the daemon's stages, scored against what is known."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from veille.domain.alert import AlertState
from veille.domain.errors import InputError
from veille.pipeline.backtest import Past, observed, play
from veille.pipeline.backtest_report import Judged, changes, judge
from veille.pipeline.scoring import Firing, Incident, Span, score
from veille.rules.json_analysis import written_analyses
from veille.rules.parse import parse_rules
from veille.store import alerts

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import SqliteStore

START = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = b"""rules:
  - {id: urgent, kind: mention, where: {urgency.label: urgent}, window: 2m, severity: critical}
  - {id: angry, kind: count, where: {sentiment.label: negative}, window: 3m, min_count: 3,
     for: 20s, keep_firing_for: 2m, severity: warning}
  - {id: more, kind: spike, baseline: previous, window: 2m, points: 3, min_points: 2, min_count: 3,
     min_authors: 1, severity: info}
"""


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_history_is_judged_as_the_stages_would_have_judged_it(
    store: SqliteStore, stages: Callable[..., Town], seed: int
) -> None:
    draw = random.Random(seed)
    town = stages(store, rules=RULES)
    await town.evaluate.open(town.now)
    for _ in range(25):
        texts = [f"{draw.choice(['nul', 'bien', 'secours'])} {draw.random()}" for _ in range(2)]
        await town.say(*texts[: draw.randint(0, 2)])
        await town.work()
        await town.run(timedelta(seconds=10 * draw.randint(1, 4)))
    await town.run(timedelta(minutes=8))
    live = [
        (t.alert.rule, t.at)
        for t in await store.read(lambda db: alerts.transitions_after(db, 0, limit=999))
        if t.alert.state is AlertState.FIRING
    ]
    found = play(Past(observations=await observed(store)), parse_rules({"r.yml": RULES}))
    assert len(live) > 3
    assert sorted((f.rule, f.start) for f in found.firings) == sorted(live)


def at(hours: float) -> datetime:
    return START + hours * HOUR


def firing(rule: str, hours: float, lasting: float = 0.5) -> Firing:
    return Firing(rule=rule, group="", start=at(hours), end=at(hours + lasting))


def incident(name: str, hours: float, *rules: str) -> Incident:
    return Incident(
        id=name, start=at(hours), end=at(hours + 1), rules=frozenset(rules) if rules else None
    )


SPAN = Span(start=START, end=at(48))


def test_hits_misses_false_alarms_and_delays() -> None:
    known = [incident("i1", 2), incident("i2", 10), incident("i3", 20)]
    found = score("", [firing("a", 2.25), firing("b", 9.75), firing("a", 30)], known, SPAN)
    assert (found.tp, found.fp, found.fn) == (2, 1, 1)
    assert (found.hit, found.missed) == (("i1", "i2"), ("i3",))
    assert found.delay_s == 450, "a quarter of an hour, and 0 for the alert that went on"
    assert (found.precision, found.recall, found.f1) == (0.6667, 0.6667, 0.6667)
    assert (found.alerts_per_shift, found.most_in_a_shift) == (0.5, 1)


def test_an_incident_of_a_rule_is_not_found_by_another() -> None:
    known = [incident("i1", 2, "a")]
    found = score("", [firing("b", 2.5)], known, SPAN)
    assert (found.tp, found.fp, found.fn) == (0, 1, 1)
    assert score("b", [firing("b", 2.5)], known, SPAN).fn == 0, "nobody expected it of b"


def test_nothing_known_and_nothing_found_has_no_ratios() -> None:
    found = score("", [], [], SPAN)
    assert (found.precision, found.recall, found.f1, found.delay_s) == (None, None, None, None)
    assert found.precision_interval is None


def test_intervals_are_the_same_twice_and_narrow_with_more_incidents() -> None:
    def widths(times: int) -> float:
        known = [incident(f"i{n}", 2 * n) for n in range(4 * times)]
        fired = [firing("a", 2 * n + 0.5) for n in range(3 * times)]
        first, second = (score("", fired, known, SPAN) for _ in range(2))
        assert first == second
        assert first.recall == 0.75
        assert first.recall_interval is not None
        low, high = first.recall_interval
        assert low <= 0.75 <= high
        return high - low

    assert widths(10) < widths(2)


def judged(*firings: Firing) -> Judged:
    known = [incident("i1", 2), incident("i2", 10)]
    names = dict.fromkeys(firing.rule for firing in firings)
    return Judged(
        version="v",
        whole=score("", firings, known, SPAN),
        rules=tuple(
            score(name, [f for f in firings if f.rule == name], known, SPAN) for name in names
        ),
        misses=(),
    )


def test_what_other_rules_change_is_told_for_all_and_for_each_of_either_set() -> None:
    before = judged(firing("old", 2.5), firing("old", 30))
    found = changes(before, judged(firing("new", 10.5)))
    assert [(c.rule, c.tp, c.fp, c.fn, c.alerts) for c in found] == [
        ("", 0, -1, 0, -1),
        ("old", -1, -1, -1, -2),
        ("new", 1, 0, 1, 1),
    ]
    assert (found[0].gained, found[0].lost) == (("i2",), ("i1",))


async def test_a_rule_on_trial_is_scored_apart_and_stands_in_no_sum(
    store: SqliteStore, stages: Callable[..., Town]
) -> None:
    town = stages(store, rules=RULES)
    await town.evaluate.open(town.now)
    await town.say("au secours", "nul")
    await town.work()
    trial = (
        RULES
        + b"""  - {id: trial, kind: mention, where: {sentiment.label: negative},
     window: 2m, severity: info, shadow: true}
"""
    )
    known = [Incident(id="i1", start=START, end=START + HOUR, rules=frozenset({"trial"}))]
    past = Past(observations=await observed(store))
    found = judge(past, parse_rules({"r.yml": trial}), known, lambda _done, _total: None)
    assert [one.rule for one in found.rules] == ["urgent"]
    assert [(one.rule, one.tp) for one in found.trials] == [("trial", 1)]
    assert (found.whole.alerts, found.whole.tp, found.whole.missed) == (1, 0, ("i1",))


def test_analyses_of_lines_are_read_as_in_rule_tests() -> None:
    lines = [
        b'{"source":"s","id":"a","text":"x","analysis":{"urgency":{"score":0.9},"topics":["flood"],'
        b'"cluster":{"id":"c","is_claim":true}}}',
        b'not json, "analysis"',
        b'{"source":"s","id":"b","text":"no analysis"}',
    ]
    found = written_analyses(lines, "h.jsonl")
    assert set(found) == {("s", "a")}
    analysis = found["s", "a"]
    assert (analysis.urgency.label, analysis.topics[0].id) == ("urgent", "flood")
    assert analysis.cluster is not None
    assert analysis.cluster.is_claim
    wrong = b'{"source":"s","id":"a","analysis":{"urgency":{"scor":0.9}}}'
    with pytest.raises(InputError, match=r'h.jsonl:1:1: unknown field "scor"; did you mean'):
        written_analyses([wrong], "h.jsonl")
