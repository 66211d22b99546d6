"""Evidence: what matched and where, what speaks against, and a verdict from numbers alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from veille.alerts.lifecycle import step
from veille.domain.alert import Alert, AlertState, Baseline, BaselineKind, Condition, Severity
from veille.domain.analysis import (
    Analysis,
    Cluster,
    Place,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.evidence import Doubt, DoubtKind
from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.domain.text import fold, word_spans, words
from veille.rules.engine import Engine
from veille.rules.evidence import ask, choose, doubts, example, verdict
from veille.rules.model import Rule
from veille.rules.parse import parse_rules
from veille.rules.view import View

START = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)
KINDS = b"""rules:
  - {id: mention, kind: mention, where: {urgency.score: ">= 0.5"}, severity: info}
  - {id: count, kind: count, window: 20m, min_count: 3, min_authors: 2, severity: info}
  - {id: copies, kind: count, count_by: mentions, window: 20m, min_count: 4, severity: info}
  - {id: previous, kind: spike, baseline: previous, window: 10m, points: 4, min_points: 2,
     min_count: 2, min_authors: 1, severity: info}
  - {id: seasonal, kind: spike, window: 40m, min_count: 2, min_authors: 1, severity: info}
  - {id: build, kind: build, window: 10m, min_count: 2, severity: info}
  - {id: ratio, kind: ratio, of: {urgency.score: ">= 0.5"}, window: 20m, min_count: 2,
     min_ratio: 0.3, severity: info}
  - {id: distinct, kind: distinct, of: author, window: 20m, min_distinct: 3, severity: info}
  - {id: velocity, kind: velocity, doubles_in: 10m, window: 30m, min_count: 3, severity: info}
  - {id: reach, kind: reach, min_reach: 500, window: 20m, severity: info}
  - {id: silence, kind: silence, group_by: [source], learn: 1h, severity: info}
  - {id: unanswered, kind: unanswered, where: {lang: fr}, within: 20m, window: 2h, min_count: 2,
     severity: info}
  - {id: new_term, kind: new_term, of: hashtag, memory: 1d, window: 1h, min_authors: 2,
     severity: info}
  - id: sequence
    kind: sequence
    within: 1h
    steps: [{where: {urgency.label: urgent}, min_count: 2}, {where: {sentiment.label: negative}}]
    severity: info
  - {id: composite, kind: composite, any: [count, ratio], none: [reach], severity: info}
"""


def analysis(urgency: float = 0.0, *, tone: str = "negative", **more: Any) -> Analysis:
    label = SentimentLabel(tone)
    return Analysis(
        lang="fr",
        sentiment=Sentiment(label=label, score=0.0, probabilities={label: 0.9}),
        crisis=urgency,
        urgency=Urgency(
            label=UrgencyLabel.URGENT if urgency >= 0.5 else UrgencyLabel.NORMAL, score=urgency
        ),
        **more,
    )


def observed(
    seq: int, text: str = "", *, found: Analysis | None = None, **more: Any
) -> Observation:
    at = START + timedelta(minutes=seq)
    given: dict[str, Any] = {
        "seq": seq, "key": f"k{seq}", "source": "s", "watches": ("mairie",), "text": text,
        "kind": MentionKind.POST, "created_at": at, "received_at": at, "author": f"a{seq}",
        "analysis": found or analysis(),
    }  # fmt: skip
    return Observation(**{**given, **more})


def rule_of(where: str) -> Rule:
    text = f"rules:\n  - {{id: r, kind: mention, severity: info, where: {where}}}\n"
    return parse_rules({"r.yml": text.encode()}).rules[0]


def seen(text: str, found: Analysis | None = None, **more: Any) -> View:
    one = observed(1, text, found=found, **more)
    assert one.analysis is not None
    return View(one, one.analysis)


def quoted(where: str, view: View) -> list[str]:
    text = view.observation.text
    return [text[s.start : s.end] for s in example(rule_of(where), view).spans]


def test_words_are_found_where_they_stand_in_the_text_as_written() -> None:
    view = seen("L’EAU monte à l’École, #crue : l'eau est là")
    assert quoted('{text: {words: ["eau", "mont*", ecole, crue]}}', view) == [
        "EAU", "monte", "École", "#crue", "eau",
    ]  # fmt: skip
    assert quoted('{text: {words: ["l\'eau monte"]}}', view) == ["L’EAU monte"]


def test_a_pattern_is_found_in_characters_and_never_empty() -> None:
    assert quoted('{text: {re: "É[a-z]+|x*"}}', seen("à l'École")) == ["École"]


def test_names_and_places_are_found_by_their_own_spans() -> None:
    place = Place(name="Aubais", insee="30019", score=0.9, start=3, end=9)
    open_place = Place(name="Aubais", insee=None, score=0.9, start=20, end=26)
    view = seen("À l'Aubais et aussi Aubais", analysis(places=(place, open_place)))
    assert [(s.field, s.start) for s in example(rule_of('{places: ["30*"]}'), view).spans] == [
        ("places", 3)
    ]


def test_what_has_no_place_in_the_text_is_kept_as_a_label_and_the_text_never_is() -> None:
    rule = rule_of('{urgency.score: ">= 0.5", kind: post, role: élu, text: {words: [eau]}}')
    found = example(rule, seen("l'eau monte chez Zébuline", analysis(0.81), role="élu"))
    assert dict(found.labels) == {"urgency.score": "0.81", "kind": "post"}
    assert "eau" not in str(found)
    assert "Zébuline" not in str(found)


def test_only_the_alternatives_that_hold_are_evidence_and_exclusions_are_none() -> None:
    where = "{any: [{text: {words: [crue]}}, {text: {words: [feu]}}], not: {text: {words: [gaz]}}}"
    assert quoted(where, seen("la crue arrive")) == ["crue"]


def test_every_condition_answers_in_the_order_of_the_rule() -> None:
    rule = rule_of(
        '{lang: en, urgency.score: ">= 0.5", followers: ">= 10", cluster.is_claim: true}'
    )
    answers = ask(rule.where, seen("x", analysis(0.7)))
    assert [(a.field, a.wanted, a.found, a.holds) for a in answers] == [
        ("lang", "en", "fr", False),
        ("urgency.score", ">= 0.5", "0.7", True),
        ("followers", ">= 10", None, False),
        ("cluster.is_claim", "true", "false", False),
    ]


def test_a_condition_of_alternatives_answers_for_each_of_them() -> None:
    rule = rule_of("{any: [{lang: en}, {kind: [reply, comment]}]}")
    (either,) = ask(rule.where, seen("x"))
    assert not either.holds
    assert [[a.field for a in part] for part in either.parts] == [["lang"], ["kind"]]
    assert either.parts[1][0].wanted == "reply, comment"


@given(st.text(max_size=40))
def test_each_word_of_a_text_has_its_place(text: str) -> None:
    spans = word_spans(text)
    assert len(spans) in {0, len(words(fold(text)))}
    for word, (start, end) in zip(words(fold(text)), spans, strict=False):
        assert 0 <= start < end <= len(text)
        assert word.lstrip("#@")[0] in fold(text[start:end]).replace("ς", "σ") + word


def test_the_newest_of_each_author_come_first_and_no_more_than_five() -> None:
    many = [observed(n, author="loud" if n < 9 else f"a{n}") for n in range(12)]
    assert [one.key for one in choose(many)] == ["k7", "k8", "k9", "k10", "k11"]
    assert [one.key for one in choose(many[:3])] == ["k0", "k1", "k2"]


def alert_of(rule: Rule, **more: Any) -> Alert:
    given: dict[str, Any] = {
        "fingerprint": "f", "rule": rule.id, "rule_version": rule.version, "group": {},
        "severity": Severity.INFO, "labels": {}, "state": AlertState.FIRING, "started_at": START,
    }  # fmt: skip
    return Alert(**{**given, **more})


def against(where: str, *several: Observation, heard: tuple[str, ...] = ("s",), **more: Any) -> Any:
    rule = rule_of(where)
    return {d.kind: d for d in doubts(rule, alert_of(rule, **more), several, heard)}


EVERY = '{urgency.score: ">= 0.1"}'


def test_one_message_alone_says_so() -> None:
    found = against(EVERY, observed(1, found=analysis(0.9)))
    assert set(found) == {
        DoubtKind.SINGLE,
    }


def test_one_author_of_most_of_it_and_one_source_of_all_of_it_speak_against() -> None:
    several = [observed(n, found=analysis(0.9), author="x") for n in range(3)]
    found = against(EVERY, *several, observed(4, found=analysis(0.9)))
    assert found[DoubtKind.ONE_AUTHOR] == Doubt(kind=DoubtKind.ONE_AUTHOR, value=3, total=4)
    assert found[DoubtKind.ONE_SOURCE].total == 4
    strangers = [observed(n, found=analysis(0.9), author=None) for n in range(3)]
    assert DoubtKind.ONE_AUTHOR not in against(EVERY, *strangers)


def test_sources_that_were_heard_and_say_nothing_are_counted() -> None:
    one = observed(1, found=analysis(0.9))
    assert against(EVERY, one, heard=("s", "t", "u"))[DoubtKind.QUIET_SOURCES].value == 2


def test_neutral_messages_copies_short_history_and_doubtful_labels_speak_against() -> None:
    several = [observed(n, found=analysis(0.6, tone="neutral"), source=f"s{n}") for n in range(2)]
    found = against(
        EVERY,
        *several,
        mention_count=5,
        conditions=(Condition(name="count", value=2, threshold=1),),
        baseline=Baseline(kind=BaselineKind.SEASONAL, points=3, is_cold=True),
    )
    assert found[DoubtKind.NOT_NEGATIVE] == Doubt(kind=DoubtKind.NOT_NEGATIVE, value=2, total=2)
    assert found[DoubtKind.COPIES] == Doubt(kind=DoubtKind.COPIES, value=3, total=5)
    assert found[DoubtKind.UNCERTAIN].value == 0.6
    assert found[DoubtKind.SHORT_HISTORY].value == 3


def test_nothing_speaks_against_sure_and_various_voices() -> None:
    several = [observed(n, found=analysis(0.9), source=f"s{n}") for n in range(3)]
    assert not against(EVERY, *several, heard=("s0", "s1", "s2"))
    assert not against(EVERY)


@st.composite
def streams(draw: st.DrawFn) -> list[Observation]:
    """Mentions over two hours, with edits, deletions, late ones and followers."""
    found, at = [], START
    for seq in range(1, draw(st.integers(1, 40)) + 1):
        at += timedelta(seconds=draw(st.sampled_from([0, 5, 60, 300])))
        number = draw(st.integers(0, 25))
        is_gone = draw(st.integers(0, 9)) == 0
        cluster = Cluster(id=f"c{number % 7}", size=1, wordings=1, authors=1, is_claim=False)
        read = analysis(draw(st.sampled_from([0.1, 0.9])), cluster=cluster)
        one = observed(
            seq,
            text=draw(st.sampled_from(["", "#crue", "#feu"])),
            key=f"k{number}",
            author=draw(st.sampled_from([None, "a", "b", "c", "d"])),
            received_at=at,
            created_at=at - timedelta(minutes=draw(st.sampled_from([0, 0, 0, 90]))),
            followers=draw(st.sampled_from([None, 10, 400])),
            analysis=None if is_gone else read,
        )
        found.append(one)
    return found


@settings(max_examples=40, deadline=None)
@given(streams())
def test_the_evidence_alone_gives_the_verdict_of_every_kind_at_every_look(
    stream: list[Observation],
) -> None:
    ruleset = parse_rules({"r.yml": KINDS})
    engine = Engine(ruleset)
    versions, live = ruleset.versions, {}
    for one in stream:
        engine.observe(one)
        readings = engine.readings(one.received_at)
        for reading in readings:
            assert reading.conditions
            assert verdict(reading) == reading.is_active
        done = step(live, readings, versions, one.received_at)
        for alert in done.changed:
            live[alert.fingerprint] = alert
            assert verdict(alert), f"{alert.rule} began without a reason"
            spike = alert.baseline
            if spike is not None and spike.kind is BaselineKind.PREVIOUS and spike.counts:
                assert spike.expected == round(sum(spike.counts) / len(spike.counts), 4)


def test_an_alert_from_before_conditions_were_kept_is_judged_by_its_count() -> None:
    rule = rule_of(EVERY)
    assert verdict(alert_of(rule, value=3, threshold=3))
    assert not verdict(alert_of(rule, value=2, threshold=3))
