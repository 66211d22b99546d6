"""What a rule of a kind that remembers may say, and what is wrong about it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from veille.domain.calendar import Region, parse_days, parse_hours
from veille.domain.errors import RuleError
from veille.pipeline.rule_tests import run
from veille.rules.gaps import is_even, longest_usual_s
from veille.rules.office import Office, due_at
from veille.rules.parse import parse_rules

PARIS = ZoneInfo("Europe/Paris")


def refused(rule: str) -> str:
    with pytest.raises(RuleError) as caught:
        parse_rules({"r.yml": f"rules:\n  - {{{rule}, id: r, severity: info}}\n".encode()})
    return str(caught.value)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("kind: silence", "group_by: missing: a silence rule says whose silence"),
        ("kind: silence, group_by: [author]", 'unknown "author"'),
        ("kind: silence, group_by: [source], own: true", "max_age: missing"),
        ("kind: silence, group_by: [source], max_age: 90d", "max_age: belongs to own: true"),
        ("kind: silence, group_by: [source], min_count: 3", "min_count: belongs to kind: "),
        ("kind: unanswered, within: 1h", "where: missing: an unanswered rule says"),
        (
            "kind: unanswered, where: {kind: reply}, within: 1h, days: [mon]",
            "days: belongs to hours",
        ),
        (
            'kind: unanswered, where: {kind: reply}, within: 1h, hours: "9-17"',
            'hours: "9-17" is no span of hours',
        ),
        ("kind: new_term, of: hashtags", 'of: unknown value "hashtags"; did you mean "hashtag"'),
        ("kind: new_term, of: word, min_authors: 1", "min_authors: 1: what one person alone says"),
        ("kind: new_term, of: word, memory: 2y", "memory"),
        ("kind: sequence, within: 1h, steps: [{where: {kind: reply}}]", "steps: 1 of them"),
        (
            "kind: sequence, within: 1h, steps: [{where: {kind: reply}}, {min_count: 2}]",
            "where: missing or empty",
        ),
        ("kind: composite, none: [other]", "all: missing: name rules that must hold"),
        ("kind: composite, all: [r]", 'all: "r" is the rule itself'),
        ("kind: composite, all: [nobody]", 'all: no rule "nobody" in this file'),
        ("kind: composite, all: [x], where: {kind: reply}", "where: a composite looks at rules"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(rule: str, why: str) -> None:
    assert why in refused(rule)
    assert refused(rule).startswith("r.yml:2:")


COMPOSITES = """
rules:
  - {id: anger, kind: count, where: {kind: reply}, min_count: 2, severity: info}
  - {id: off, kind: count, min_count: 2, severity: info, enabled: false}
  - {id: one, kind: composite, all: [%s], severity: info}
  - {id: two, kind: composite, any: [one, anger], group_by: [%s], severity: info}
"""


@pytest.mark.parametrize(
    ("names", "group_by", "why"),
    [
        ("two", "watch", "id: refers to itself: one > two > one: cut the circle"),
        ("angr", "watch", 'no rule "angr" in this file; did you mean "anger"'),
        ("off", "watch", '"off" has enabled: false'),
        ("anger", "source", "group_by: [source]: no rule under all, nor all under any"),
    ],
)
def test_a_composite_refers_to_rules_that_can_hold(names: str, group_by: str, why: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rules({"r.yml": (COMPOSITES % (names, group_by)).encode()})
    assert why in str(caught.value)


def test_what_a_rule_has_learnt_stays_when_only_its_sentence_changes() -> None:
    def feed(more: str) -> str:
        text = f"rules: [{{id: r, kind: new_term, of: word, severity: info{more}}}]"
        return parse_rules({"r.yml": text.encode()}).feeds[0]

    assert feed("") == feed(", min_authors: 5") == feed(', annotations: {summary: "{term}"}')
    assert feed("") != feed(", where: {kind: reply}")


OFFICE = Office(
    hours=parse_hours("09:00-17:00"), days=parse_days(["mon", "tue", "wed", "thu", "fri"])
)


@pytest.mark.parametrize(
    ("asked", "region", "due"),
    [
        ("2026-04-10 16:45", Region.METROPOLE, "2026-04-13 09:15"),
        ("2026-04-03 16:45", Region.METROPOLE, "2026-04-07 09:15"),
        ("2026-04-03 16:45", Region.ALSACE_MOSELLE, "2026-04-07 09:30"),
        ("2026-03-28 12:00", Region.METROPOLE, "2026-03-30 09:30"),
        ("2026-04-14 08:00", Region.METROPOLE, "2026-04-14 09:30"),
        ("2026-04-14 10:00", Region.METROPOLE, "2026-04-14 10:30"),
    ],
)
def test_hours_of_work_are_counted_around_nights_week_ends_and_holidays(
    asked: str, region: Region, due: str
) -> None:
    office = Office(hours=OFFICE.hours, days=OFFICE.days, region=region)
    at = datetime.fromisoformat(asked).replace(tzinfo=PARIS)
    found = due_at(at, timedelta(minutes=30), office, PARIS)
    assert found.astimezone(PARIS).strftime("%Y-%m-%d %H:%M") == due


def test_a_delay_of_days_of_work_ends() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert due_at(at, timedelta(days=7), OFFICE, PARIS) - at > timedelta(days=29)
    assert due_at(at, timedelta(hours=1), None, PARIS) - at == timedelta(hours=1)


def test_the_longest_usual_gap_follows_the_tail_of_what_was_seen() -> None:
    assert longest_usual_s([60.0] * 19) is None
    assert longest_usual_s([60.0] * 20) == 90.0
    assert is_even([60.0] * 20)
    assert not is_even([60.0] * 20 + [181.0])
    # of exponential gaps of mean 1 h, once a year is after ln(8760) hours, some 9
    gaps = [-3600 * math.log(1 - (n + 0.5) / 200) for n in range(200)]
    assert 8 * 3600 < (longest_usual_s(gaps) or 0) < 10.5 * 3600


TESTED = {
    "k.yml": """
rules:
  - {id: quiet, kind: silence, group_by: [source], severity: warning}
  - {id: waiting, kind: unanswered, where: {intent.label: question}, within: 10m, severity: info}
""",
    "k_test.yml": """
tests:
  - name: a source falls silent, another fails and comes back
    series:
      - {every: 2m, from: -2h, to: 0s, text: "bonjour", source: a}
    health:
      - {at: 4m, source: presse, failing: true}
      - {at: 20m, source: presse, failing: false}
    expect:
      - {at: 2m, firing: []}
      - {at: 3m, firing: [{rule: quiet, group: {source: a}}]}
      - {at: 19m, firing: [{rule: quiet, group: {source: a}},
                           {rule: quiet, group: {source: presse}}]}
      - {at: 20m, firing: [{rule: quiet, group: {source: a}}]}
  - name: two questions, one answered in its thread, one dealt with in the queue
    mentions:
      - {at: 0s, id: q, author: {id: x}, text: "Quand ?", thread: t,
         analysis: {intent: {label: question}}}
      - {at: 1m, id: r, author: {id: y}, text: "Où ?", analysis: {intent: {label: question}}}
      - {at: 20m, id: own, own: true, text: "Lundi.", thread: t, analysis: {}}
    answered: [{at: 30m, id: r}]
    expect:
      - {at: 10m, firing: [{rule: waiting}]}
      - {at: 20m, firing: [{rule: waiting}]}
      - {at: 30m, firing: []}
""",
}


def test_rule_tests_can_say_that_sources_fail_and_that_somebody_answers() -> None:
    report = run({name: text.encode() for name, text in TESTED.items()})
    assert report.is_ok, [str(finding) for finding in report.findings]
    broken = {**TESTED, "k_test.yml": TESTED["k_test.yml"].replace("failing: false", "failing: no")}
    findings = run({name: text.encode() for name, text in broken.items()}).findings
    assert ["failing: expected true or false" in str(finding) for finding in findings] == [True]
    early = TESTED["k_test.yml"].replace("at: 30m, id: r", "at: 31m, id: r")
    assert not run({"k.yml": TESTED["k.yml"].encode(), "k_test.yml": early.encode()}).is_ok
