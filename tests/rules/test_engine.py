"""Windows: what counts, when, and that a rebuilt engine equals one that never stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veille.domain.analysis import (
    Analysis,
    Cluster,
    Sentiment,
    SentimentLabel,
    Topic,
    Urgency,
    UrgencyLabel,
)
from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.rules import reading as reading_module
from veille.rules import sliding as sliding_module
from veille.rules.engine import Engine
from veille.rules.model import Rule
from veille.rules.parse import parse_rules

COUNT = """
rules:
  - {id: calls, kind: count, min_count: 2, severity: critical, window: 1m, WHERE}
"""


def counting(more: str = "group_by: []") -> str:
    return COUNT.replace("WHERE", more)


def values(engine: Engine, now: datetime) -> dict[tuple[str, ...], int]:
    return {tuple(r.group.values()): r.value for r in engine.readings(now)}


def test_the_window_is_open_at_its_old_end_and_closed_at_now(engine_of, observed, at):
    engine = engine_of(counting())
    engine.observe(observed(1, 0))
    engine.observe(observed(2, 30))
    assert values(engine, at(29)) == {(): 1}
    assert values(engine, at(30)) == {(): 2}
    assert values(engine, at(59)) == {(): 2}
    assert values(engine, at(60)) == {(): 1}
    assert values(engine, at(90)) == {}


def test_an_edit_replaces_and_a_deletion_removes(engine_of, observed, found, at):
    engine = engine_of(counting("where: {urgency.label: urgent}, group_by: []"))
    engine.observe(observed(1, 0, key="k", found=found(0.9)))
    assert values(engine, at(1)) == {(): 1}
    engine.observe(observed(2, 0, key="k", found=found(0.8)))
    assert values(engine, at(2)) == {(): 1}
    engine.observe(observed(3, 0, key="k", found=found(0.1)))
    assert values(engine, at(3)) == {}
    engine.observe(observed(4, 0, key="k", found=found(0.9)))
    engine.observe(observed(5, 0, key="k", is_gone=True))
    assert values(engine, at(4)) == {}


def test_observing_twice_counts_once(engine_of, observed, at):
    engine = engine_of(counting())
    for _ in range(3):
        engine.observe(observed(1, 0))
        assert values(engine, at(1)) == {(): 1}


def test_own_and_late_mentions_do_not_count(engine_of, observed, at):
    engine = engine_of(counting("group_by: [], late_by: 1h"))
    engine.observe(observed(1, 0, own=True))
    engine.observe(observed(2, 0, created_at=at(-3601)))
    assert values(engine, at(1)) == {}
    engine.observe(observed(3, 0, created_at=at(-3600)))
    assert values(engine, at(1)) == {(): 1}
    with_own = engine_of(counting("group_by: [], exclude_own: false"))
    with_own.observe(observed(1, 0, own=True))
    assert values(with_own, at(1)) == {(): 1}


def test_distinct_authors_are_counted_and_strangers_are_one(engine_of, observed, at):
    engine = engine_of(counting("group_by: [], min_authors: 3"))
    for seq, author in enumerate(["x", "x", None, None, "y"], start=1):
        engine.observe(observed(seq, 0, author=author))
        (reading,) = engine.readings(at(1))
    assert (reading.value, reading.author_count, reading.threshold) == (5, 3, 2)
    assert reading.is_active
    engine.observe(observed(9, 0, key="k5", is_gone=True))
    (reading,) = engine.readings(at(1))
    assert reading.author_count == 2
    assert not reading.is_active


def test_a_mention_of_two_watches_counts_in_both_groups(engine_of, observed, at):
    engine = engine_of(counting("group_by: [watch, source]"))
    engine.observe(observed(1, 0, watches=("b", "a")))
    engine.observe(observed(2, 0, watches=("b",)))
    assert values(engine, at(1)) == {("a", "s"): 1, ("b", "s"): 2}


def test_grouping_by_author_leaves_strangers_out(engine_of, observed, at):
    engine = engine_of(counting("group_by: [author]"))
    engine.observe(observed(1, 0, author=None))
    engine.observe(observed(2, 0, author="x"))
    assert values(engine, at(1)) == {("x",): 1}


def test_a_role_from_outside_is_made_printable_and_short(engine_of, observed, at):
    engine = engine_of(counting("group_by: [role]"))
    engine.observe(observed(1, 0, role="a\n\x00\ud800" + "b" * 200))
    engine.observe(observed(2, 0, role=None))
    assert values(engine, at(1)) == {("",): 1, ("a \ufffd\ufffd" + "b" * 76,): 1}


def test_a_mention_rule_fires_for_one(engine_of, observed, at):
    engine = engine_of("rules: [{id: m, kind: mention, severity: info, where: {source: s}}]")
    engine.observe(observed(1, 0))
    (reading,) = engine.readings(at(0))
    assert reading.is_active
    assert reading.threshold == 1
    assert reading.evidence == ("k1",)
    assert reading.window == timedelta(minutes=15)


def test_readings_come_in_the_order_of_rules_then_groups(engine_of, observed, at):
    engine = engine_of("""rules:
  - {id: z, kind: count, min_count: 1, severity: info, group_by: [source]}
  - {id: a, kind: count, min_count: 1, severity: info, group_by: [source]}
""")
    for seq, source in enumerate("cab"):
        engine.observe(observed(seq, seq, source=source))
    names = [(r.rule, r.group["source"]) for r in engine.readings(at(9))]
    assert names == list(product("za", "abc"))


def test_evidence_is_in_order_of_arrival(engine_of, observed, at):
    engine = engine_of(counting())
    for seq, second in ((1, 5), (2, 3), (3, 4)):
        engine.observe(observed(seq, second))
    (reading,) = engine.readings(at(9))
    assert reading.evidence == ("k2", "k3", "k1")


def test_annotations_are_filled_and_braces_in_values_stay(engine_of, observed, at):
    summary = "{count}/{threshold} de {authors} en {window} ({group}, {source}) {{x}}"
    engine = engine_of(counting(f'group_by: [source], annotations: {{summary: "{summary}"}}'))
    engine.observe(observed(1, 0, source="{count}"))
    (reading,) = engine.readings(at(1))
    assert reading.annotations == {"summary": "1/2 de 1 en 1 min ({count}, {count}) {x}"}


def test_alerts_call_a_source_by_its_name_and_their_group_keeps_the_id(observed, at):
    sentence = 'annotations: {summary: "{source} ({group})"}'
    rules = {"r.yml": counting(f"group_by: [source, watch], {sentence}").encode()}
    engine = Engine(parse_rules(rules, sources={"presse": "Presse locale"}))
    engine.observe(observed(1, 0, source="presse"))
    engine.observe(observed(2, 0, source="autre"))
    other, named = engine.readings(at(1))
    assert named.annotations == {"summary": "Presse locale (Presse locale, mairie)"}
    assert named.group == {"source": "presse", "watch": "mairie"}
    assert named.labels == named.group
    assert other.annotations == {"summary": "autre (autre, mairie)"}


def test_time_does_not_go_back(engine_of, observed, at):
    engine = engine_of(counting())
    engine.observe(observed(1, 0))
    assert values(engine, at(60)) == {}
    assert values(engine, at(30)) == {}


def test_memory_is_bounded_and_the_newest_stay(engine_of, observed, at, monkeypatch):
    monkeypatch.setattr(sliding_module, "ENTRY_LIMIT", 50)
    monkeypatch.setattr(reading_module, "EVIDENCE_LIMIT", 5)
    engine = engine_of(counting())
    for seq in range(200):
        engine.observe(observed(seq, seq / 10))
        (reading,) = engine.readings(at(seq / 10))
    assert reading.value == 50
    assert reading.evidence == ("k195", "k196", "k197", "k198", "k199")


RULES = parse_rules(
    {
        "r.yml": b"""rules:
  - {id: all, kind: count, min_count: 2, min_authors: 2, severity: info, window: 30s, group_by: []}
  - {id: by_watch, kind: count, min_count: 1, severity: info, window: 50s, late_by: 10s,
     group_by: [watch, author]}
  - {id: urgent, kind: mention, severity: warning, window: 20s, group_by: [source],
     where: {urgency.score: ">= 0.5"}}
  - {id: copies, kind: count, min_count: 3, min_authors: 2, severity: info, window: 40s,
     group_by: [], count_by: mentions}
"""
    }
)
ZERO = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def histories(draw: st.DrawFn) -> list[Observation]:
    found, arrived = [], ZERO
    for seq in range(draw(st.integers(0, 25))):
        arrived += timedelta(seconds=draw(st.integers(0, 15)))
        score = draw(st.sampled_from([None, 0.2, 0.49999, 0.9]))
        found.append(
            Observation(
                seq=seq,
                key=draw(st.sampled_from("abcdefgh")),
                source=draw(st.sampled_from("st")),
                watches=draw(st.sampled_from([("v",), ("w",), ("v", "w"), ()])),
                kind=MentionKind.POST,
                text="",
                created_at=arrived - timedelta(seconds=draw(st.sampled_from([0, 10, 11]))),
                received_at=arrived,
                author=draw(st.sampled_from(["x", "y", None])),
                own=draw(st.sampled_from([False, False, True])),
                analysis=score
                if score is None
                else Analysis(
                    lang="fr",
                    sentiment=Sentiment(label=SentimentLabel.NEUTRAL, score=0, probabilities={}),
                    crisis=0,
                    urgency=Urgency(label=UrgencyLabel.NORMAL, score=score),
                    cluster=draw(st.sampled_from([None, *map(alike, "abxy")])),
                ),
            )
        )
    return found


def alike(name: str) -> Cluster:
    return Cluster(id=name, size=2, wordings=1, authors=1, is_claim=False)


def counted(o: Observation, rule: Rule) -> str:
    cluster = None if o.analysis is None else o.analysis.cluster
    return o.key if cluster is None or rule.id == "copies" else cluster.id


def brute_force(history: list[Observation], now: datetime) -> list[tuple[object, ...]]:
    latest = {o.key: o for o in history}
    found = []
    for rule in RULES.rules:
        groups: dict[tuple[str, ...], list[Observation]] = {}
        for o in sorted(latest.values(), key=lambda o: (o.received_at, o.seq)):
            if o.analysis is None or o.own or not now - rule.window < o.received_at <= now:
                continue
            if o.received_at - o.created_at > rule.late_by:
                continue
            if rule.id == "urgent" and round(o.analysis.urgency.score, 4) < 0.5:
                continue
            parts = {"watch": o.watches or ("",), "source": (o.source,),
                     "author": () if o.author is None else (o.author,)}  # fmt: skip
            for values in product(*(parts[name] for name in rule.group_by)):
                groups.setdefault(values, []).append(o)
        for values, members in sorted(groups.items()):
            authors = len({o.author for o in members})
            value = len({counted(o, rule) for o in members})
            active = value >= rule.min_count and authors >= rule.min_authors
            keys = tuple(o.key for o in members)
            found.append((rule.id, values, value, authors, active, keys))
    return found


def seen(engine: Engine, now: datetime) -> list[tuple[object, ...]]:
    return [
        (r.rule, tuple(r.group.values()), r.value, r.author_count, r.is_active, r.evidence)
        for r in engine.readings(now)
    ]


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(1, 20))
def test_a_running_a_rebuilt_and_a_naive_engine_agree(history, pace):
    running, done = Engine(RULES), 0
    now = ZERO
    end = (history[-1].received_at if history else ZERO) + timedelta(seconds=60)
    while now <= end:
        while done < len(history) and history[done].received_at <= now:
            running.observe(history[done])
            done += 1
        expected = brute_force(history[:done], now)
        assert seen(running, now) == expected
        rebuilt = Engine(RULES)
        latest = {o.key: o for o in history[:done]}
        for o in sorted(latest.values(), key=lambda o: o.seq):
            if o.received_at >= now - running.horizon:
                rebuilt.observe(o)
        assert seen(rebuilt, now) == expected
        now += timedelta(seconds=pace)


def test_an_engine_without_rules_says_nothing(observed, at):
    engine = Engine(parse_rules({}))
    engine.observe(observed(1, 0))
    assert engine.readings(at(0)) == []
    assert engine.horizon == timedelta(0)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_mention_from_the_future_waits_for_its_time(engine_of, observed, at, order):
    engine = engine_of(counting())
    pair = [observed(1, 40), observed(2, 0)]
    for index in order:
        engine.observe(pair[index])
    assert values(engine, at(10)) == {(): 1}
    assert values(engine, at(40)) == {(): 2}


def test_what_says_the_same_counts_once_and_all_of_it_is_evidence(engine_of, observed, found, at):
    engine = engine_of(counting("group_by: []"))
    for seq, name in enumerate(["c", "c", "c", None, "d"], start=1):
        engine.observe(observed(seq, seq, found=found(cluster=name)))
    (reading,) = engine.readings(at(9))
    assert (reading.value, reading.author_count) == (3, 5)
    assert reading.evidence == ("k1", "k2", "k3", "k4", "k5")


def test_many_accounts_with_one_text_are_one_unless_the_rule_counts_mentions(
    engine_of, observed, found, at
):
    one, many = engine_of(counting()), engine_of(counting("count_by: mentions, group_by: []"))
    for seq in range(1, 21):
        for engine in (one, many):
            engine.observe(observed(seq, seq, found=found(cluster="c")))
    (folded,), (unfolded,) = one.readings(at(21)), many.readings(at(21))
    assert (folded.value, folded.author_count, folded.is_active) == (1, 20, False)
    assert (unfolded.value, unfolded.author_count, unfolded.is_active) == (20, 20, True)
    assert (folded.mention_count, unfolded.mention_count) == (20, 20)


def test_min_authors_alone_asks_for_people_behind_one_text(engine_of, observed, found, at):
    engine = engine_of(
        counting("group_by: [], min_authors: 3").replace("min_count: 2", "min_count: 1")
    )
    for seq in (1, 2, 3):
        engine.observe(observed(seq, seq, found=found(cluster="c")))
        (reading,) = engine.readings(at(seq))
        assert reading.is_active == (seq == 3)
    assert (reading.value, reading.threshold) == (1, 1)


def test_a_cluster_counts_until_its_last_member_leaves(engine_of, observed, found, at):
    engine = engine_of(counting())
    for seq, second in ((1, 0), (2, 30), (3, 45)):
        engine.observe(observed(seq, second, found=found(cluster="c")))
    assert values(engine, at(89)) == {(): 1}
    engine.observe(observed(4, 90, key="k3", is_gone=True))
    assert values(engine, at(90)) == {}


def test_grouping_by_topic_takes_the_main_one_and_no_topic_is_a_group(
    engine_of, observed, found, at
):
    engine = engine_of(counting("group_by: [topic]"))
    both = (Topic(id="flood", score=0.9), Topic(id="roads", score=0.5))
    engine.observe(observed(1, 0, found=found(topics=both)))
    engine.observe(observed(2, 0, found=found()))
    assert values(engine, at(1)) == {("",): 1, ("flood",): 1}
