"""What every kind shares: its own fields, hysteresis, shadow, documents, what can never fire."""

from __future__ import annotations

from datetime import timedelta

import pytest

from veille.alerts.lifecycle import step
from veille.domain.alert import Alert, AlertState
from veille.domain.analysis import Place
from veille.domain.errors import RuleError
from veille.domain.mention import Metrics
from veille.rules.engine import Engine
from veille.rules.lint import MOST_RULES, heavy, undecided
from veille.rules.parse import MAX_TOTAL, parse_rules
from veille.rules.repetition import repeats_a_repetition

REACH = "id: a, kind: reach, min_reach: 100, severity: info"


def parsed(*rules: str):
    text = "rules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules)
    return parse_rules({"r.yml": text.encode()})


def refused(rule: str) -> str:
    with pytest.raises(RuleError) as caught:
        parsed(rule)
    return str(caught.value)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (f"{REACH}, doubles_in: 5m", "doubles_in: belongs to kind: velocity: remove it"),
        (f"{REACH}, surprise: 9", "surprise: belongs to kind: silence, spike"),
        ("id: a, kind: velocity, severity: info", "doubles_in: missing: a velocity rule says"),
        ("id: a, kind: distinct, of: sorce, min_distinct: 2, severity: info", '"source"?'),
        (
            "id: a, kind: ratio, of: {}, min_ratio: 0.5, min_count: 3, severity: info",
            "of: empty: everything would be its own part",
        ),
        (
            "id: a, kind: ratio, of: {lang: fr}, min_ratio: 1.5, min_count: 3, severity: info",
            "min_ratio: 1.5 is out of range: write 0.0001 to 1",
        ),
        (
            "id: a, kind: ratio, of: {lang: fr}, min_ratio: 1, min_count: 3, points: 4, "
            "severity: info",
            "points: belongs to rise",
        ),
        (
            "id: a, kind: build, min_count: 3, window: 7d, steps: 100, severity: info",
            "steps: 100 windows reach back more than 30d",
        ),
        (f"{REACH}, runbook: 'http://mairie.example'", "begins with https://"),
        (f"{REACH}, runbook: 'https://u:p@mairie.example/'", "begins with https://"),
        (f'{REACH}, owner: "a\\nb"', "owner: write one line"),
        (f"{REACH}, clear_below: 101", "clear_below: 101 is more than what fires it, 100"),
        (
            "id: a, kind: count, min_count: 3, min_authors: 2, group_by: [author], severity: info",
            "min_authors: a group of one author never has two",
        ),
        (
            "id: a, kind: mention, where: {own: true}, severity: info",
            "own: true never counts while exclude_own is true",
        ),
        (
            "id: a, kind: distinct, of: lang, min_distinct: 2, group_by: [lang], severity: info",
            "of: a group by this field has one value of it",
        ),
        ("id: a, kind: mention, where: {masked: nif}, severity: info", 'did you mean "nir"?'),
        ("id: a, kind: mention, where: {hour: 24}, severity: info", "hour lies in [0, 23]"),
        ("id: a, kind: mention, where: {weekday: lun}, severity: info", "unknown value"),
        ("id: a, kind: mention, where: {territory: 30}, severity: info", "neither true nor false"),
    ],
)  # fmt: skip
def test_a_mistake_about_a_kind_is_named_with_its_place(rule: str, message: str):
    found = refused(rule)
    assert message in found
    assert found.startswith("r.yml:2:")


def test_an_unknown_kind_is_the_only_thing_said_of_what_kinds_ask():
    assert refused("id: a, kind: mentoin, severity: info").count("\n") == 0


def test_more_than_two_megabytes_of_rules_are_refused_unread():
    files = {f"{i}.yml": b"#" * (200 * 1024) for i in range(MAX_TOTAL // (200 * 1024) + 1)}
    with pytest.raises(RuleError, match="remove some"):
        parse_rules(files)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(?:a*)*", "((x+)y)+", "(a{2,})*", r"(?i)([a-z]+)*", "(a+){3,}"]
)
def test_a_repeated_repetition_is_found(pattern: str):
    assert repeats_a_repetition(pattern)


@pytest.mark.parametrize(
    "pattern", ["a+b+", r"[(a+)]+", r"\(a+\)+", "(a|b)+", r"\Q(a+)+\E", r"(?:\d+,){1,20}", "(a+)?"]
)
def test_other_repetitions_are_left_alone(pattern: str):
    assert not repeats_a_repetition(pattern)


def test_what_can_decide_nothing_and_what_costs_too_much_is_noted():
    plain = "kind: count, count_by: mentions, min_count: 2, min_authors: 5, severity: info"
    (rule,) = parsed(f"id: a, {plain}").rules
    assert undecided(rule) == "min_count 2 never decides: 5 authors wrote more"
    many = parsed(*(f"id: a{i}, {plain}" for i in range(MOST_RULES + 1)))
    assert heavy(many) == [f"{MOST_RULES + 1} rules, over 2000: join those that differ in one word"]
    assert heavy(parsed(f"id: a, {plain}")) == []


def test_where_may_ask_for_what_is_known_beside_the_text(engine_of, observed, found, at):
    engine = Engine(
        parsed(
            "id: new, kind: mention, where: {author.age: '< 3'}, severity: info",
            "id: here, kind: mention, where: {territory: true}, severity: info",
            "id: night, kind: mention, where: {hour: '< 6', weekday: sun}, severity: info",
            "id: leak, kind: mention, where: {masked: [nir], links: '>= 1'}, severity: info",
            "id: seen, kind: mention, where: {media: image, media.count: 2}, severity: info",
            "id: shared, kind: mention, where: {metrics.shares: '>= 10'}, severity: info",
            "id: said, kind: mention, where: {place.name: saint aubin, place.score: '>= 0.5'}, "
            "severity: info",
            "id: back, kind: mention, where: {answer: true}, severity: info",
        ),
        territories={"mairie": frozenset({"99", "30007"})},
    )
    place = Place(name="Saint Aubin", insee="99001", score=0.8, start=0, end=11)
    everything = observed(
        1, 0, author_age=2, masked=("nir", "phone"), media=("image", "video"), reply_to="k",
        text="voir https://mairie.example", metrics=Metrics(shares=10),
        found=found(places=(place,)),
    )  # fmt: skip
    engine.observe(everything)
    assert [r.rule for r in engine.readings(at(1))] == [
        "new", "here", "night", "leak", "seen", "shared", "said", "back",
    ]  # fmt: skip
    engine.observe(observed(2, 2, key="k1"))
    # of what is unknown nothing holds; START is a Sunday, 2 o'clock in Paris
    assert [r.rule for r in engine.readings(at(3))] == ["night"]


def looked(engine: Engine, alerts: dict[str, Alert], now) -> list[Alert]:
    found = step(alerts, engine.readings(now), {"a": "v"}, now)
    for alert in found.changed:
        if alert.state is AlertState.RESOLVED:
            alerts.pop(alert.fingerprint)
        else:
            alerts[alert.fingerprint] = alert
    return [transition.alert for transition in found.transitions]


def versioned(rule: str) -> Engine:
    ruleset = parsed(rule)
    object.__setattr__(ruleset.rules[0], "version", "v")
    return Engine(ruleset)


def test_an_alert_with_clear_below_goes_on_until_its_value_is_below(observed, at):
    engine, alerts = (
        versioned(
            "id: a, kind: count, min_count: 3, clear_below: 2, window: 1m, group_by: [], "
            "severity: info"
        ),
        {},
    )
    for second in (0, 10, 20):
        engine.observe(observed(second, second))
    assert looked(engine, alerts, at(15)) == []
    (fired,) = looked(engine, alerts, at(20))
    assert fired.state is AlertState.FIRING
    assert looked(engine, alerts, at(65)) == [], "two are left: not enough to fire, enough to go on"
    assert looked(engine, alerts, at(70))[0].state is AlertState.RESOLVED
    engine.observe(observed(31, 100))
    engine.observe(observed(32, 100))
    assert looked(engine, alerts, at(101)) == [], "two alone do not begin it"


def test_a_pending_alert_is_not_kept_by_clear_below(observed, at):
    engine, alerts = (
        versioned(
            "id: a, kind: count, min_count: 2, clear_below: 1, window: 1m, for: 1h, group_by: [], "
            "severity: info"
        ),
        {},
    )
    engine.observe(observed(1, 0))
    engine.observe(observed(2, 30))
    looked(engine, alerts, at(31))
    assert len(alerts) == 1
    looked(engine, alerts, at(61))
    assert alerts == {}


def test_a_shadow_rule_says_so_and_flags_nothing(observed, at):
    engine = versioned(
        "id: a, kind: count, min_count: 1, shadow: true, flag: true, severity: info, "
        "owner: Communication, runbook: 'https://mairie.example/fiche?n=1'"
    )
    engine.observe(observed(1, 0))
    found = step({}, engine.readings(at(1)), {"a": "v"}, at(1))
    (alert,) = found.changed
    assert alert.shadow
    assert found.flags == ()
    assert alert.annotations == {
        "owner": "Communication",
        "runbook": "https://mairie.example/fiche?n=1",
    }


def test_a_build_looks_back_over_all_its_steps():
    (rule,) = parsed("id: a, kind: build, min_count: 3, window: 1h, steps: 6, severity: info").rules
    assert rule.counted == rule.span == timedelta(hours=6)
    assert rule.late_by == timedelta(hours=1)
