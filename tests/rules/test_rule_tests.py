"""`veille rules test`: exact alerts on a virtual clock, findings with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from veille.domain.analysis import Analysis
from veille.domain.errors import RuleError
from veille.pipeline.rule_tests import gather, run
from veille.rules.testfile import parse_tests

SHIPPED = Path(__file__).parents[2] / "rules"

RULE = """rules:
  - id: calls
    kind: count
    where: {urgency.score: ">= 0.8"}
    min_count: 2
    for: 1m
    severity: critical
"""
TEST = """tests:
  - name: two calls
    mentions:
      - {at: 0m, id: a, text: "à l'aide", analysis: {urgency: {score: 0.9}}}
      - {at: 1m, id: b, text: "au secours", analysis: {urgency: {score: 0.8}}}
    expect:
      - {at: 1m, firing: [], pending: [{rule: calls}]}
      - {at: 2m, firing: [{rule: calls, group: {watch: mairie}}], pending: []}
      - {at: 1h, firing: []}
"""


def ran(rule: str = RULE, test: str = TEST, analyze=None):
    return run({"r.yml": rule.encode(), "r_test.yml": test.encode()}, analyze)


def test_the_shipped_rules_pass_and_each_has_a_firing_and_a_silent_test():
    report = run(gather([SHIPPED]))
    assert [str(f) for f in report.findings] == []
    assert report.is_ok
    assert report.never_silent == ()
    assert {"urgent_mention", "flood_distress", "distress_burst"} <= set(report.rules)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("flood", "min_count: 3 ", "min_count: 4 "),
        ("flood", "min_count: 3 ", "min_count: 2 "),
        ("flood", "min_authors: 2", "min_authors: 1"),
        ("flood", '">= 0.5"', '"> 0.5"'),
        ("flood", '">= 0.5"', '">= 0.45"'),
        ("flood", "window: 15m", "window: 16m"),
        ("flood", "keep_firing_for: 30m", "keep_firing_for: 25m"),
        ("flood", "- rivière", "- fleuve"),
        ("distress", "min_count: 3 ", "min_count: 2 "),
        ("distress", "urgency.label: urgent ", "urgency.label: normal "),
        ("distress", "min_authors: 2", "min_authors: 3"),
        ("rumor", "min_count: 4", "min_count: 3"),
        ("rumor", "min_count: 4", "min_count: 5"),
        ("rumor", "min_authors: 3", "min_authors: 2"),
        ("mood", "min_count: 15", "min_count: 14"),
        ("mood", "min_count: 10", "min_count: 11"),
        ("mood", "min_authors: 8", "min_authors: 7"),
        ("mood", "min_authors: 6", "min_authors: 5"),
        ("mood", '"<= -0.5"', '"<= -0.4"'),
        ("staff", "sentiment.label: positive", "sentiment.label: neutral"),
        ("staff", "window: 1h", "window: 2h"),
        ("flood", "count_by: mentions", "count_by: clusters"),
        ("distress", "count_by: mentions", "count_by: clusters"),
        ("rumor", "count_by: mentions", "count_by: clusters"),
        ("rumor", "cluster.is_claim: true", "cluster.size: '> 0'"),
        ("rumor", "intent.label: rumor ", "intent.label: irony "),
        ("staff", "hostility.label: threat", "hostility.label: uncivil"),
        ("staff", "[office_holder, staff]", "[office_holder]"),
        ("volume", "min_count: 25", "min_count: 26"),
        ("volume", 'cluster.size: ">= 25"', 'cluster.size: ">= 24"'),
        ("volume", 'cluster.authors: ">= 12"', 'cluster.authors: ">= 11"'),
        ("volume", "min_authors: 12", "min_authors: 13"),
        ("volume", "surprise: 9", "surprise: 1"),
        ("volume", "surprise: 9", "surprise: 90"),
    ],
)
def test_a_changed_shipped_threshold_fails_its_tests(file: str, old: str, new: str):
    files = gather([SHIPPED / f"{file}.yml"])
    name = str(SHIPPED / f"{file}.yml")
    assert old.encode() in files[name]
    files[name] = files[name].replace(old.encode(), new.encode())
    assert not run(files).is_ok


def test_a_right_test_passes():
    report = ran()
    assert [str(f) for f in report.findings] == []
    assert (report.passed, report.failed) == (1, 0)


def test_a_wrong_expectation_says_file_line_expected_and_got():
    report = ran(test=TEST.replace("- {at: 1h, firing: []}", "- {at: 1h, firing: [{rule: calls}]}"))
    assert [str(f) for f in report.findings] == [
        "r_test.yml:9: two calls: at 1h expected firing calls, got nothing"
    ]
    assert (report.passed, report.failed) == (0, 1)


def test_an_alert_too_many_is_a_finding():
    report = ran(test=TEST.replace("firing: [{rule: calls, group: {watch: mairie}}]", "firing: []"))
    assert "expected firing nothing, got calls{watch=mairie} (2/2)" in str(report.findings[0])


def test_another_group_is_not_the_expected_one():
    assert not ran(test=TEST.replace("group: {watch: mairie}", "group: {watch: ecole}")).is_ok


def test_a_rule_that_no_test_makes_fire_is_a_finding():
    report = run({"r.yml": RULE.encode()})
    assert report.untested == ("calls",)
    assert [str(f) for f in report.findings] == [
        "r.yml:2: rule calls has no test that makes it fire: write one"
    ]
    silent = ran(test="tests: [{name: n, mentions: [], expect: [{at: 0m, firing: []}]}]")
    assert silent.untested == ("calls",)


def test_a_test_of_another_file_does_not_count():
    files = {"r.yml": RULE.encode(), "other_test.yml": TEST.encode()}
    assert "other.yml is missing" in [str(f).split(": ", 1)[1] for f in run(files).findings]


def test_an_unknown_rule_in_a_test_is_a_finding():
    report = ran(test=TEST.replace("rule: calls, group", "rule: cals, group"))
    assert 'r_test.yml:8: rule "cals" is not in r.yml' in [str(f) for f in report.findings]


def test_broken_files_are_findings_with_their_place():
    report = ran(rule="rules: [", test="tests: 3")
    assert [f.message.split(":")[0] for f in report.findings] == ["r.yml", "r_test.yml"]


def test_without_analysis_the_model_runs_once_per_test():
    asked = []

    def analyze(passages) -> list[Analysis]:
        asked.append([passage.text for passage in passages])
        certain = parse_tests("x", TEST.encode())[0].mentions[0].observation.analysis
        return [certain for _ in passages]

    text = TEST.replace(", analysis: {urgency: {score: 0.8}}", "")
    assert ran(test=text, analyze=analyze).is_ok
    assert asked == [["au secours"]]
    assert "needs the model" in str(ran(test=text).findings[0])


def test_edits_deletions_and_own_mentions_play_as_in_the_daemon():
    gone = TEST.replace(
        "    expect:\n      - {at: 1m, firing: [], pending: [{rule: calls}]}\n      - {at: 2m, "
        "firing: [{rule: calls, group: {watch: mairie}}], pending: []}",
        "      - {at: 90s, id: a, deleted: true}\n    expect:\n      - {at: 2m, firing: []}",
    )
    assert gone != TEST
    report = ran(test=gone)
    assert report.failed == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("at: 1h", "at: 15s", "write a multiple"),
        ("at: 1h, ", "", "at: missing"),
        ("at: 1h, firing: []", "at: 1h", "firing: missing"),
        ("name: two calls", "nmae: two calls", 'did you mean "name"?'),
        ("score: 0.9", "score: 9", "expected a number in [0, 1]"),
        ("score: 0.9", "label: urgnt", 'did you mean "urgent"?'),
        ("id: a,", "id: a, created_at: '2026-01-18T02:00:00',", "the offset is missing"),
        ("id: a,", "id: a, created_at: hier,", "write RFC 3339"),
        ("group: {watch: mairie}", "group: {wach: mairie}", 'did you mean "watch"?'),
        ("id: a,", "id: a, kind: pst,", 'did you mean "post"?'),
    ],
)
def test_a_mistake_in_a_test_file_is_named(old: str, new: str, message: str):
    assert old in TEST
    with pytest.raises(RuleError) as caught:
        parse_tests("r_test.yml", TEST.replace(old, new).encode())
    assert message in str(caught.value)
    assert str(caught.value).startswith("r_test.yml:")


def test_what_an_analysis_leaves_out_is_neutral():
    text = TEST.replace("{urgency: {score: 0.9}}", "{sentiment: {score: -0.6}, crisis: {score: 1}}")
    analysis = parse_tests("x", text.encode())[0].mentions[0].observation.analysis
    assert (analysis.lang, analysis.crisis, analysis.urgency.label) == ("fr", 1.0, "normal")
    assert (analysis.sentiment.label, analysis.sentiment.score) == ("negative", -0.6)
    assert sum(analysis.sentiment.probabilities.values()) == 1


def test_a_test_writes_every_finding():
    written = (
        "{hostility: {label: threat, target: staff}, toxicity: {score: 0.7}, "
        "intent: {label: rumor}, topics: [flood, roads], places: ['30007'], "
        "cluster: {id: c, size: 4, authors: 3, is_claim: true}, "
        "card: {hazard: flood, need: rescue}, sentiment: {label: undecided}}"
    )
    text = TEST.replace("{urgency: {score: 0.9}}", written)
    analysis = parse_tests("x", text.encode())[0].mentions[0].observation.analysis
    assert (analysis.hostility.label, analysis.hostility.score) == ("threat", 1.0)
    assert (analysis.intent.label, analysis.intent.score, analysis.toxicity) == ("rumor", 1.0, 0.7)
    assert [topic.id for topic in analysis.topics] == ["flood", "roads"]
    assert analysis.places[0].insee == "30007"
    assert (analysis.cluster.id, analysis.cluster.size, analysis.cluster.is_claim) == ("c", 4, True)
    assert (analysis.card.hazard.value, analysis.card.need.value) == ("flood", "rescue")
    assert (analysis.sentiment.label, analysis.sentiment.score) == ("undecided", 0.0)
    assert "undecided" not in analysis.sentiment.probabilities


def test_a_cluster_without_a_name_is_refused():
    text = TEST.replace("{urgency: {score: 0.9}}", "{cluster: {size: 2}}")
    with pytest.raises(RuleError, match="id: missing: name it"):
        parse_tests("x", text.encode())


def test_what_the_model_reads_is_clustered_as_in_the_daemon(found):
    rule = "rules: [{id: r, kind: count, min_count: 2, severity: info}]"
    mentions = "".join(
        f'      - {{at: {n}m, id: m{n}, author: {{id: a{n}}}, text: "{text}"}}\n'
        for n, text in enumerate(
            ["le pont de la gare est fermé", "RT le pont de la gare est fermé !"]
        )
    )
    head = "tests:\n  - name: t\n    mentions:\n"
    test = f"{head}{mentions}    expect:\n      - {{at: 5m, firing: []}}\n"
    files = {"r.yml": rule.encode(), "r_test.yml": test.encode()}
    report = run(files, lambda passages: [found() for _ in passages])
    assert report.failed == 0, report.findings
    apart = {**files, "r_test.yml": test.replace("RT le pont", "la mairie annexe").encode()}
    assert run(apart, lambda passages: [found() for _ in passages]).failed == 1


def test_a_rule_file_brings_its_tests_and_a_test_file_its_rules(tmp_path: Path):
    (tmp_path / "r.yml").write_text(RULE)
    (tmp_path / "r_test.yml").write_text(TEST)
    (tmp_path / "b.yml").write_text("rules: []")
    both = [str(tmp_path / "r.yml"), str(tmp_path / "r_test.yml")]
    assert list(gather([tmp_path / "r.yml"])) == both
    assert list(gather([tmp_path / "r_test.yml"])) == both
    assert len(gather([tmp_path])) == 3
    with pytest.raises(RuleError, match="cannot be read"):
        gather([tmp_path / "missing.yml"])
