"""Spike rules: the arithmetic of S3, floors, short histories, and what the alert says of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from veille.domain.alert import BaselineKind
from veille.domain.errors import RuleError
from veille.pipeline.rule_tests import run
from veille.rules.parse import parse_rules
from veille.rules.testfile import parse_tests

S3 = [4, 6, 5, 5, 4, 6, 5, 5, 4, 6, 5, 5]
RULE = """rules:
  - {id: v, kind: spike, baseline: previous, window: 1h, min_count: 10, severity: warning, MORE}
"""
SEASONAL = "rules: [{id: v, kind: spike, window: 1h, min_count: 6, severity: info, group_by: []}]"


def rule(more: str = "group_by: []") -> str:
    return RULE.replace("MORE", more)


@pytest.fixture
def heard(engine_of, observed, at):
    """Returns the readings after hours of so many mentions each, at the end of the last."""

    def hear(text: str, counts: list[int], *, authors: int = 1000):
        engine = engine_of(text)
        seq = 0
        for hour, count in enumerate(counts):
            for part in range(1, count + 1):
                seq += 1
                moment = 3600 * (hour + part / count)
                engine.observe(observed(seq, moment, author=f"a{seq % authors}"))
        return engine.readings(at(3600 * len(counts)))

    return hear


def test_s3_eighteen_are_a_spike_over_7_1213(heard):
    (reading,) = heard(rule(), [*S3, 18])
    assert reading.is_active
    assert (reading.value, reading.threshold) == (18, 7.1213)
    assert reading.baseline.kind is BaselineKind.PREVIOUS
    assert (reading.baseline.expected, reading.baseline.spread) == (5.0, 0.7071)
    assert (reading.baseline.points, reading.baseline.is_floored) == (12, False)


def test_s3_with_three_points_nothing_fires_and_the_reason_is_there(heard):
    (reading,) = heard(rule(), [4, 6, 5, 18])
    assert not reading.is_active
    assert reading.baseline.reason == "min_points 3 < 8"
    assert reading.baseline.points == 3


def test_s3_without_variance_the_floor_of_sigma_is_used_and_said(heard):
    (reading,) = heard(rule(), [5] * 12 + [18])
    assert reading.is_active
    assert (reading.baseline.spread, reading.baseline.is_floored) == (0.5, True)
    assert reading.threshold == 6.5


def test_a_count_must_exceed_the_bound_not_reach_it(heard):
    k = "k: 10, group_by: []"  # 5 + 10 * 0.5
    assert not heard(rule(k), [5] * 12 + [10])[0].is_active
    assert heard(rule(k), [5] * 12 + [11])[0].is_active


def test_both_floors_hold_whatever_the_baseline(heard):
    assert not heard(rule(), [0, 1] + [0] * 10 + [9])[0].is_active
    assert heard(rule(), [0, 1] + [0] * 11 + [10])[0].is_active
    (reading,) = heard(rule(), [*S3, 18], authors=1)
    assert not reading.is_active, "one author alone pages nobody"
    assert reading.baseline is None
    assert heard(rule("min_authors: 1, group_by: []"), [*S3, 18], authors=1)[0].is_active


def test_windows_before_the_first_mention_are_no_points(engine_of, observed, at):
    engine = engine_of(rule("group_by: [], points: 4, min_points: 2, where: {source: s}"))
    engine.observe(observed(1, 3600 * 2 + 1, source="other"))  # listening began here
    for seq in range(2, 14):
        engine.observe(observed(seq, 3600 * 6))
    (reading,) = engine.readings(at(3600 * 6))
    assert reading.baseline.points == 3, "the window that ends at 3 h was heard, at 2 h not"
    assert reading.baseline.expected == 0


def test_a_window_that_ends_with_the_first_mention_is_a_point(engine_of, observed, at):
    engine = engine_of(rule("group_by: [], points: 2, min_points: 2"))
    engine.observe(observed(1, 0))
    for seq in range(2, 14):
        engine.observe(observed(seq, 3600))
    (reading,) = engine.readings(at(3600))
    assert reading.baseline.points == 1
    assert reading.baseline.reason == "min_points 1 < 2"


def test_what_nobody_signed_may_be_a_spike(engine_of, observed, at):
    engine = engine_of(rule("group_by: [], points: 2, min_points: 2"))
    engine.observe(observed(1, 0))
    for seq in range(2, 14):
        engine.observe(observed(seq, 7200, author=None))
    (reading,) = engine.readings(at(7200))
    assert reading.is_active
    assert reading.author_count == 12


SHORT = """rules:
  - {id: v, kind: spike, baseline: previous, window: 1m, min_count: 1, min_authors: 1, k: 0,
     points: 2, min_points: 2, severity: warning, group_by: []}
"""


def test_previous_windows_slide_and_a_deletion_leaves_them(engine_of, observed, at):
    engine = engine_of(SHORT)
    for seq, second in enumerate((0, 10, 65, 70, 130), start=1):
        engine.observe(observed(seq, second))
    (reading,) = engine.readings(at(140))  # (20, 80] holds two, (-40, 20] holds two
    assert (reading.value, reading.baseline.expected) == (1, 2)
    engine.observe(observed(6, 141, key="k3", is_gone=True))
    engine.observe(observed(7, 142, key="k5"))  # an edit counts in place of the old text
    (reading,) = engine.readings(at(145))  # (25, 85] holds one, (-35, 25] holds two
    assert (reading.value, reading.baseline.expected) == (1, 1.5)
    (reading,) = engine.readings(at(192))  # (72, 132] holds none, (12, 72] holds one
    assert (reading.value, reading.baseline.expected) == (1, 0.5)


def test_without_history_the_fixed_floors_decide_and_it_is_said(heard):
    (reading,) = heard(SEASONAL, [0, 0, 6])
    assert reading.is_active
    assert reading.threshold == 6
    assert reading.baseline.is_cold
    assert reading.baseline.expected is None
    assert not heard(SEASONAL, [0, 0, 5])[0].is_active


def test_after_three_days_the_short_history_is_used_and_said(heard):
    (reading,) = heard(SEASONAL, [1] * 24 * 5 + [6])
    assert reading.baseline.is_cold
    assert reading.baseline.expected == pytest.approx(1, abs=0.1)
    assert not reading.is_active, "six where one is usual may be chance"
    assert heard(SEASONAL, [1] * 24 * 5 + [12])[0].is_active


def test_after_two_weeks_the_history_is_no_longer_short(heard):
    (reading,) = heard(SEASONAL, [1] * 24 * 15 + [12])
    assert reading.is_active
    assert not reading.baseline.is_cold
    assert reading.baseline.surprise > 9
    assert isinstance(reading.threshold, int)
    assert 6 < reading.threshold <= 12


def test_the_threshold_is_the_smallest_count_that_fires(heard):
    (far,) = heard(SEASONAL, [1] * 24 * 15 + [20])
    assert heard(SEASONAL, [1] * 24 * 15 + [far.threshold])[0].is_active
    assert not heard(SEASONAL, [1] * 24 * 15 + [far.threshold - 1])[0].is_active


def test_annotations_say_what_was_expected_in_french_decimals(heard):
    summary = 'annotations: {summary: "{count} contre {expected}, seuil {threshold}"}'
    (reading,) = heard(rule(f"group_by: [], {summary}"), [*S3, 18])
    assert reading.annotations["summary"] == "18 contre 5, seuil 7,12"
    (cold,) = heard(rule(f"group_by: [], {summary}"), [18])
    assert cold.annotations["summary"] == "18 contre ?, seuil 10"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("surprise: 7", "surprise: belongs to baseline: seasonal"),
        ("min_points: 13", "min_points: 13 is more than points, 12"),
        ("points: 1", "points: 1 is out of range: write 2 to 500"),
        ("points: 500, window: 2h", "reach back more than 30d: write fewer points"),
        ("k: -1", 'k: expected a number such as 2.5, not "-1"'),
        ("k: 1000", "k: 1000 is out of range: write 0 to 100"),
        ("k: nan", "k: expected a number such as 2.5"),
        ("baselin: x", 'unknown field "baselin"; did you mean "baseline"?'),
        ("group_by: [author]", 'unknown "author"'),
        ("group_by: [role]", 'unknown "role"'),
    ],
)
def test_what_a_previous_rule_may_not_say_is_refused_with_the_remedy(more: str, message: str):
    text = rule(more).replace("window: 1h, ", "") if "window" in more else rule(more)
    with pytest.raises(RuleError, match=message.replace("?", r"\?")):
        parse_rules({"r.yml": text.encode()})


@pytest.mark.parametrize(
    ("rule_text", "message"),
    [
        ("{id: v, kind: spike, min_count: 3, severity: info, k: 2}", "k: belongs to baseline"),
        ("{id: v, kind: spike, severity: info}", "min_count: missing: a spike rule says"),
        (
            "{id: v, kind: count, min_count: 3, severity: info, k: 2}",
            "k: belongs to kind: build, spike",
        ),
        (
            '{id: v, kind: count, min_count: 3, severity: info, annotations: {summary: "{expected}"'
            "}}",
            "is no placeholder",
        ),
        ("{id: v, kind: spike, min_count: 3, severity: info, baseline: last}", "unknown value"),
    ],
)  # fmt: skip
def test_keys_of_another_kind_or_baseline_are_refused(rule_text: str, message: str):
    with pytest.raises(RuleError, match=message):
        parse_rules({"r.yml": f"rules: [{rule_text}]".encode()})


def test_defaults_are_those_of_the_page():
    text = "rules: [{id: v, kind: spike, min_count: 10, severity: info}]"
    (found,) = parse_rules({"r.yml": text.encode()}).rules
    assert found.params.baseline is BaselineKind.SEASONAL
    assert (found.params.limit, found.min_authors) == (9.0, 2)
    (found,) = parse_rules({"r.yml": rule().encode()}).rules
    assert (found.params.k, found.params.points, found.params.min_points) == (3.0, 12, 8)
    assert found.span == timedelta(hours=13)


TESTS = """tests:
  - name: S3
    series:
      - {every: 1h, from: -12h, counts: [4, 6, 5, 5, 4, 6, 5, 5, 4, 6, 5, 5], authors: 9}
      - {every: 1h, from: 0s, to: 1h, counts: [18], authors: 9}
    expect:
      - {at: 0s, firing: []}
      - {at: 1h, firing: [{rule: v, group: {watch: mairie}}]}
      - {at: 3h, firing: []}
  - name: trois points
    series:
      - {every: 1h, from: -3h, counts: [4, 6, 5], authors: 9}
      - {every: 1h, from: 0s, to: 1h, counts: [18], authors: 9}
    expect: [{at: 1h, firing: []}]
  - name: sans variance
    series:
      - {every: 1h, from: -12h, counts: [5], authors: 9}
      - {every: 1h, from: 0s, to: 1h, counts: [18], authors: 9}
    expect: [{at: 1h, firing: [{rule: v}]}]
"""


def test_s3_holds_in_a_rule_test_file():
    report = run({"r.yml": rule("k: 3").encode(), "r_test.yml": TESTS.encode()})
    assert [str(f) for f in report.findings] == []
    assert report.passed == 3
    for more in ("k: 20", "min_points: 3", "min_authors: 10"):
        assert not run({"r.yml": rule(more).encode(), "r_test.yml": TESTS.encode()}).is_ok


@pytest.mark.parametrize(
    ("counts", "more", "said"),
    [
        ([4, 6, 5, 18], {}, "v{} (18/10 by 2 authors, min_points 3 < 8)"),
        ([*S3, 7], {"min_count": 1}, "v{} (7/7.1213 by 2 authors, spike 7 is not > 7.1213)"),
        ([*S3, 18], {"authors": 1}, "v{} (18/10 by 1 author, authors 1 is not >= 2)"),
    ],
)
def test_a_spike_that_is_expected_and_not_there_says_why(counts, more, said):
    text = rule().replace("min_count: 10", f"min_count: {more.get('min_count', 10)}")
    tests = f"""tests:
  - name: n
    series: [{{every: 1h, from: -{len(counts)}h, counts: {counts}, text: t,
              authors: {more.get("authors", 2)}}}]
    expect: [{{at: 0s, firing: [{{rule: v}}]}}]
"""
    report = run({"r.yml": text.encode(), "r_test.yml": tests.encode()})
    wanted = f"at 0s expected firing v, got nothing; counted {said}"
    assert [f.message for f in report.findings if f.test] == [wanted]


def test_what_was_counted_once_is_said_with_how_many_it_was():
    rules = "rules: [{id: c, kind: count, window: 1h, min_count: 3, severity: info}]"
    same = ", ".join(
        f"{{at: 0s, id: m{n}, author: {{id: a{n}}}, text: t, analysis: {{cluster: {{id: k}}}}}}"
        for n in range(4)
    )
    tests = f"tests: [{{name: n, mentions: [{same}], expect: [{{at: 0s, firing: [{{rule: c}}]}}]}}]"
    report = run({"r.yml": rules.encode(), "r_test.yml": tests.encode()})
    said = str(report.findings[-1])
    counted = "(1/3 different in 4 mentions by 4 authors, count 1 is not >= 3)"
    assert f"counted c{{watch=mairie}} {counted}" in said


def test_a_series_fills_each_step_to_its_end():
    text = """tests:
  - name: n
    series: [{every: 1h, from: -2h, counts: [2, 1], text: t, authors: 2, source: s, watch: w}]
    mentions: [{at: -1h, id: x, text: y, analysis: {}}]
    expect: [{at: 0s, firing: []}]
"""
    (case,) = parse_tests("t.yml", text.encode())
    start = case.expectations[0].at
    offsets = [(m.observation.received_at - start) / timedelta(minutes=1) for m in case.mentions]
    assert offsets == [-90, -60, -60, 0]
    assert len({m.observation.key for m in case.mentions}) == 4
    assert len({m.observation.author for m in case.mentions}) == 3
    assert not any(m.needs_model for m in case.mentions)


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ("{every: 1h}", "from: missing"),
        ("{from: -1h}", "every: missing"),
        ("{every: 1h, from: 0s}", "to: no step fits"),
        ("{every: 1s, from: -1d}", "over 20000 mentions"),
        ("{every: 1h, from: -99d}", "from: -99d is out of range: write -70d to 70d"),
        ("{every: 1h, from: --1h}", "from: .* is not a duration"),
        ("{every: 1h, from: -2h, counts: [1, x]}", "counts: expected a list of whole numbers"),
        ("{every: 1h, from: -2h, count: [1]}", "unknown field"),
        ("{every: 1h, from: -71d}", "from: -71d is out of range"),
        ("{every: 1h, from: -2h, to: 71d}", "to: 71d is out of range"),
        ("{every: 71d, from: -2h}", "every: 71d is out of range"),
        ("{every: 1h, from: hier}", "from: .* is not a duration"),
        ("{every: 1h, from: -2h, counts: []}", "counts: empty: write how many a step has"),
    ],
)
def test_a_wrong_series_says_what_to_write_and_nothing_else(series: str, message: str):
    text = f"tests: [{{name: n, series: [{series}], expect: [{{at: 0s, firing: []}}]}}]"
    with pytest.raises(RuleError, match=message) as caught:
        parse_tests("t.yml", text.encode())
    assert len(str(caught.value).splitlines()) == 1
