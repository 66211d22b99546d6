"""Alerts become incidents, and incidents are announced when it helps and no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veille.alerts import handling
from veille.alerts.announcing import announce
from veille.alerts.events import log_entry
from veille.alerts.grouping import Plan, plan
from veille.alerts.lifecycle import step
from veille.alerts.settings import RouteSettings
from veille.domain.alert import Alert, AlertState, Reading, Severity
from veille.domain.incident import Incident, IncidentState
from veille.domain.notification import NotificationKind

WAIT = {
    Severity.CRITICAL: timedelta(0),
    Severity.WARNING: timedelta(seconds=30),
    Severity.INFO: timedelta(minutes=5),
}
ROUTE = RouteSettings(receivers=("slack", "mail"))


class Town:
    """The evaluate and dispatch stages without a store; remembers what was said."""

    def __init__(self, route: RouteSettings = ROUTE) -> None:
        self.route = route
        self.alerts: dict[str, Alert] = {}
        self.incidents: dict[int, Incident] = {}
        self.evidence: dict[int, set[str]] = {}
        self.events: list[str] = []
        self.said: list[tuple[str, int, int]] = []
        self.rows = []
        self.start: datetime | None = None
        self.matters: dict[str, str] = {}

    def step(self, now: datetime, *readings: Reading) -> Plan:
        self.start = self.start or now
        versions = {"r": "1", "s": "1", "u": "1"}
        found = step(self.alerts, readings, versions, now)
        self.alerts |= {alert.fingerprint: alert for alert in found.changed}
        mentioned = {t.alert.fingerprint: t.alert for t in found.transitions}
        self.alerts = {
            mark: a for mark, a in self.alerts.items() if a.state is not AlertState.RESOLVED
        }
        arguments = {
            "transitions": found.transitions, "alerts": mentioned | self.alerts,
            "incidents": [i for i in self.incidents.values() if i.state != "resolved"],
            "next_id": len(self.incidents) + 1, "route": self.route, "group_wait": WAIT, "now": now,
            "matters": self.matters,
        }  # fmt: skip
        planned = plan(**arguments)
        assert plan(**arguments) == planned
        for incident in planned.incidents:
            before = self.incidents.get(incident.id)
            assert incident.version == (1 if before is None else before.version + 1)
            self.incidents[incident.id] = incident
        for number, keys in planned.evidence.items():
            self.evidence.setdefault(number, set()).update(keys)
        self.events += [f"{event.kind} {event.target}" for event in planned.events]
        self.rows += planned.rows
        seconds = int((now - self.start).total_seconds())
        self.said += [
            (str(row.kind), row.incident, seconds)
            for row in planned.rows
            if row.receiver == self.route.receivers[0]
        ]
        return planned


def critical(reading, **fields):
    return reading(severity=Severity.CRITICAL, **fields)


def test_a_critical_alert_is_said_at_once_to_every_receiver(reading, at):
    town = Town()
    said = {"summary": "3 appels"}
    planned = town.step(at(0), critical(reading, annotations=said, mention_count=7))
    assert town.events == ["alert.firing I1", "incident.opened I1"]
    assert [row.receiver for row in planned.rows] == ["slack", "mail"]
    row = planned.rows[0]
    assert (row.key, row.due_at, row.kind) == ("I1-opened-1", at(0), NotificationKind.OPENED)
    facts = row.facts
    assert (facts.title, facts.rule, facts.value, facts.threshold) == ("3 appels", "r", 3, 3)
    assert (facts.author_count, facts.severity) == (2, Severity.CRITICAL)
    assert facts.mention_count == 7
    assert facts.evidence == ("a", "b", "c")
    assert facts.certainty is None
    assert town.evidence == {1: {"a", "b", "c"}}


def test_a_warning_gathers_for_its_wait(reading, at):
    town = Town()
    for second in (0, 10, 20, 30):
        town.step(at(second), reading())
    assert town.said == [("opened", 1, 30)]


def test_what_ends_before_it_was_due_is_never_said(reading, at):
    town = Town()
    town.step(at(0), reading())
    town.step(at(20))
    town.step(at(40))
    assert town.said == []
    assert town.events[-1] == "incident.resolved I1"
    assert town.incidents[1].resolved_by == "veille"


def test_a_dispatch_that_comes_late_still_tells_a_critical_alert_that_ended(reading, at):
    fired = step({}, [critical(reading)], {"r": "1"}, at(0))
    ended = step({a.fingerprint: a for a in fired.changed}, [], {"r": "1"}, at(10))
    planned = plan(
        transitions=(*fired.transitions, *ended.transitions),
        alerts={t.alert.fingerprint: t.alert for t in ended.transitions},
        incidents=[], next_id=1, route=ROUTE, group_wait=WAIT, now=at(60),
    )  # fmt: skip
    assert [str(row.kind) for row in planned.rows[::2]] == ["opened", "resolved"]
    assert planned.incidents[0].state is IncidentState.RESOLVED


def test_a_graver_alert_joins_and_is_said_at_once(reading, at):
    town = Town()
    first = reading(labels={"watch": "m", "topic": "flood"})
    graver = critical(reading, rule="s", labels={"watch": "m", "topic": "flood"}, value=9)
    town.step(at(0), first)
    town.step(at(10), first, graver)
    assert town.events == [
        "alert.firing I1", "incident.opened I1", "alert.firing I1", "incident.updated I1",
    ]  # fmt: skip
    assert town.said == [("opened", 1, 10)]
    assert town.incidents[1].severity is Severity.CRITICAL
    town = Town()
    for second in (0, 30):
        town.step(at(second), first)
    town.step(at(40), first, graver)
    assert town.said == [("opened", 1, 30), ("updated", 1, 40)]
    assert town.rows[-1].facts.rule == "s"


def test_another_alert_joins_and_is_said_after_the_interval(reading, at):
    town = Town()
    first = critical(reading, labels={"watch": "m", "topic": "flood"})
    other = critical(reading, rule="s", labels={"watch": "m", "topic": "flood"}, value=1)
    town.step(at(0), first)
    for second in range(10, 620, 10):
        town.step(at(second), first, other)
    assert town.said == [("opened", 1, 0), ("updated", 1, 300)]


def test_topics_and_watches_are_incidents_of_their_own(reading, at):
    town = Town()
    town.step(
        at(0),
        reading(),
        reading(rule="s"),
        reading(rule="u", group={"watch": "n"}, labels={"watch": "n", "topic": "r"}),
    )
    assert [i.labels for i in town.incidents.values()] == [
        {"watch": "m", "topic": "r"}, {"watch": "m", "topic": "s"}, {"watch": "n", "topic": "r"},
    ]  # fmt: skip


def test_growth_is_said_once_per_interval_and_a_return_to_less_is_not(reading, at):
    town = Town()
    values = {0: 5, 10: 6, 200: 8, 300: 8, 310: 8, 620: 7, 640: 8, 900: 8, 1000: 9}
    for second, value in values.items():
        town.step(at(second), critical(reading, value=value))
    assert town.said == [("opened", 1, 0), ("refreshed", 1, 300), ("refreshed", 1, 1000)]


def test_an_open_incident_is_repeated_and_an_acknowledged_one_is_not(reading, at):
    town = Town()
    for hour in range(13):
        town.step(at(hour * 3600), critical(reading))
    assert town.said == [("opened", 1, 0), ("repeated", 1, 4 * 3600), ("repeated", 1, 12 * 3600)]
    taken = handling.acknowledge(town.incidents[1], actor="camille", now=at(13 * 3600))
    town.incidents[1] = taken.subject
    for hour in range(13, 30):
        town.step(at(hour * 3600), critical(reading))
    assert len(town.said) == 3
    town.step(at(30 * 3600))
    assert town.said[-1] == ("resolved", 1, 30 * 3600)


def test_an_acknowledged_incident_still_says_when_it_grows(reading, at):
    town = Town()
    town.step(at(0), critical(reading))
    taken = handling.acknowledge(town.incidents[1], actor="camille", now=at(5))
    town.incidents[1] = taken.subject
    town.step(at(10), critical(reading, value=5))
    town.step(at(310), critical(reading, value=5))
    town.step(at(90_000), critical(reading, value=5))
    assert town.said == [("opened", 1, 0), ("refreshed", 1, 310)]


def test_a_burst_is_told_when_it_doubled_since_it_was_told_and_not_at_each_message(reading, at):
    town = Town()
    for second in range(0, 3600, 10):
        town.step(at(second), critical(reading, value=3 + second // 60))
    told = [second for kind, _, second in town.said if kind == "updated"]
    assert town.said[0] == ("opened", 1, 0)
    assert told == [300, 900, 2100]  # told of 8, 18 and 38 calls
    assert {kind for kind, *_ in town.said[1:]} == {"updated", "refreshed"}


def test_any_alert_that_doubled_is_told_with_its_own_numbers(reading, at):
    town, labels = Town(), {"watch": "m", "topic": "danger"}
    flood = critical(reading, labels=labels | {"hazard": "flood"})
    town.step(at(0), flood, critical(reading, rule="s", labels=labels))
    burst = critical(reading, rule="s", labels=labels, value=6, evidence=("a", "b", "c", "d"))
    for second in range(10, 1000, 10):
        town.step(at(second), flood, burst)
    assert town.said == [("opened", 1, 0), ("updated", 1, 300)]
    facts = town.rows[-1].facts
    assert (facts.rule, facts.value, facts.evidence[-1]) == ("s", 6, "d")


def test_an_info_is_told_once_and_its_end_however_often_it_comes_back(reading, at):
    town = Town()
    info = reading(severity=Severity.INFO)
    town.matters = {"d": "fire"}
    for second in range(0, 30_000, 300):
        grown = reading(severity=Severity.INFO, value=3 + second, evidence=("a", "d"))
        town.step(at(second), grown if second > 600 else info)
    town.step(at(30_000))
    town.step(at(60_000))
    assert [kind for kind, _, _ in town.said if kind != "refreshed"] == ["opened", "resolved"]
    refreshed = [kind for kind, _, _ in town.said if kind == "refreshed"]
    assert refreshed, "its numbers stand in the first message"


def test_an_info_that_becomes_a_warning_is_told_again(reading, at):
    town = Town()
    labels = {"watch": "m", "topic": "flood"}
    info = reading(severity=Severity.INFO, labels=labels)
    for second in range(0, 900, 300):
        town.step(at(second), info)
    town.step(at(900), info, reading(rule="s", labels=labels))
    assert [kind for kind, _, _ in town.said] == ["opened", "updated"]


def test_a_warning_left_of_a_crisis_is_told_as_a_warning(reading, at):
    routes = [RouteSettings(match={"severity": "critical"}, receivers=["pager", "mail"])]
    route = RouteSettings(receivers=("mail",), routes=routes, linger="2h")
    town = Town(route)
    labels = {"watch": "m", "topic": "danger"}
    town.step(at(0), critical(reading, labels=labels))
    town.step(at(600))
    town.step(at(1200), reading(rule="s", labels=labels))
    told = [(row.receiver, str(row.kind), str(row.facts.severity)) for row in town.rows]
    assert told == [
        ("pager", "opened", "critical"), ("mail", "opened", "critical"),
        ("mail", "updated", "warning"),
    ]  # fmt: skip
    town.step(at(1800))
    town.step(at(20_000))
    ended = [(row.receiver, str(row.facts.severity)) for row in town.rows[3:]]
    assert ended == [("pager", "critical"), ("mail", "critical")], "who heard of it hears its end"


def test_a_danger_that_a_graver_incident_told_is_not_told_again(reading, at):
    town = Town()
    crisis = critical(reading, labels={"watch": "m", "topic": "danger"}, evidence=("a",))
    water = {"watch": "m", "topic": "water"}
    elsewhere = {"watch": "n", "topic": "water"}
    town.matters = {"a": "gas"}
    for second in (0, 30, 400, 800):
        keys = ("b", "a") if second == 400 else ("b",)
        town.step(
            at(second), crisis,
            reading(rule="s", labels=water, evidence=keys),
            reading(rule="u", labels=elsewhere, evidence=keys),
        )  # fmt: skip
    told = [(kind, number) for kind, number, _ in town.said]
    assert told == [("opened", 1), ("opened", 2), ("opened", 3), ("updated", 3)]
    left = reading(rule="s", labels=water, evidence=("b", "a"))
    for second in (900, 1300, 1700):
        town.step(at(second), left, reading(rule="u", labels=elsewhere, evidence=("b",)))
    told = [(kind, number) for kind, number, _ in town.said[4:]]
    assert told == [("resolved", 1)], "nor when the graver one is over"


def test_what_to_do_first_of_a_new_danger_is_on_the_gravest_alert(reading, at):
    town = Town()
    labels = {"watch": "m", "topic": "danger"}
    crisis = critical(reading, labels=labels, annotations={"actions": "joindre le 112"})
    town.matters = {"d": "collapse"}
    talk = reading(rule="s", labels=labels, annotations={"actions": "publier un point"})
    town.step(at(0), crisis, talk)
    heard = reading(rule="s", labels=labels, annotations=talk.annotations, evidence=("a", "d"))
    town.step(at(400), crisis, heard)
    facts = town.rows[-1].facts
    assert (str(town.rows[-1].kind), facts.news) == ("updated", ("d",))
    assert facts.annotations == {"actions": "joindre le 112"}


def test_the_newest_message_of_an_alert_that_joins_is_quoted_first(reading, at):
    town = Town()
    labels = {"watch": "m", "topic": "flood"}
    first = reading(labels=labels)
    town.step(at(0), first)
    town.step(at(30), first)
    town.step(at(400), first, reading(rule="s", labels=labels, evidence=("x", "y")))
    assert (str(town.rows[-1].kind), town.rows[-1].facts.news) == ("updated", ("y",))


def test_an_incident_keeps_the_name_of_its_gravest_hour(reading, at):
    town, labels = Town(), {"watch": "m", "topic": "flood"}
    flood = critical(reading, labels=labels, annotations={"summary": "Crue"})
    talk = {"labels": labels, "rule": "s", "annotations": {"summary": "On en parle"}}
    town.step(at(0), flood, reading(**talk))
    town.step(at(400), reading(value=30, evidence=("x", "y"), **talk))
    town.step(at(800), reading(value=90, evidence=("x", "y", "z"), **talk))
    facts = town.rows[-1].facts
    assert (facts.title, facts.severity) == ("On en parle", Severity.WARNING)
    assert (town.incidents[1].title, town.incidents[1].severity) == ("Crue", Severity.CRITICAL)


def test_another_danger_is_told_and_quoted_and_the_same_one_is_not(reading, at):
    town, labels = Town(), {"watch": "m", "topic": "danger"}
    town.matters = {"a": "flood", "x": "flood", "fire": "fire", "y": "flood"}
    flood = critical(
        reading, labels=labels | {"hazard": "flood"}, annotations={"summary": "Crue"}, value=5
    )
    calls = {"labels": labels, "rule": "s", "annotations": {"summary": "Appels"}, "value": 5}
    told = {0: ("a",), 10: ("a", "x"), 700: ("a", "x", "fire", "y", "z", "zz")}
    for second, keys in told.items():
        town.step(at(second), flood, critical(reading, evidence=keys, **calls))
    assert town.said == [("opened", 1, 0), ("updated", 1, 700)]
    facts = town.rows[-1].facts
    assert (facts.title, facts.rule, facts.evidence[-1]) == ("Appels", "s", "fire")
    assert [row.receiver for row in town.rows[-2:]] == ["slack", "mail"]


def test_who_is_told_does_not_depend_on_which_alert_speaks(reading, at):
    only = RouteSettings(match={"rule": "r"}, receivers=("night",))
    town, labels = Town(RouteSettings(receivers=("mail",), routes=(only,))), {"topic": "danger"}
    town.matters = {"fire": "fire"}
    flood = critical(reading, labels=labels | {"hazard": "flood"})
    town.step(at(0), flood)
    town.step(at(10), flood, reading(rule="s", labels=labels, evidence=("fire",)))
    town.step(at(310), flood, reading(rule="s", labels=labels, evidence=("fire",)))
    assert [(row.kind, row.receiver) for row in town.rows] == [
        ("opened", "night"), ("updated", "night"),
    ]  # fmt: skip


def test_an_incident_told_before_values_were_kept_by_alert_is_not_told_again(reading, at):
    town = Town()
    town.matters = {"a": "flood"}
    town.step(at(0), critical(reading))
    town.incidents[1] = replace(town.incidents[1], told={}, told_matters=())
    town.step(at(400), critical(reading, value=5))
    assert town.said == [("opened", 1, 0), ("refreshed", 1, 400)]
    town.step(at(800), critical(reading, value=10))
    assert town.said[-1] == ("updated", 1, 800)


def test_the_end_is_said_when_the_last_alert_ends(reading, at):
    town = Town()
    first = critical(reading, labels={"watch": "m", "topic": "flood"})
    other = reading(rule="s", labels={"watch": "m", "topic": "flood"})
    town.step(at(0), first, other)
    town.step(at(10), other)
    assert town.incidents[1].state is IncidentState.OPEN
    town.step(at(20))
    assert town.events[-2:] == ["alert.resolved I1", "incident.resolved I1"]
    assert town.said[-1] == ("resolved", 1, 20)
    assert town.incidents[1].resolved_at == at(20)
    town.step(at(30), first)
    assert town.events[-1] == "incident.opened I2"


def test_a_pending_alert_opens_nothing(reading, at):
    town = Town()
    planned = town.step(at(0), critical(reading, hold=timedelta(minutes=1)))
    (event,) = planned.events
    assert event.kind == "alert.pending"
    assert event.target == next(iter(town.alerts))
    assert town.incidents == {}
    assert log_entry(event)["incident"] is None


def test_a_changed_rule_keeps_its_incident(reading, at):
    town = Town()
    town.step(at(0), critical(reading))
    found = step(town.alerts, [critical(reading, rule_version="2")], {"r": "2"}, at(10))
    live = {a.fingerprint: a for a in found.changed}
    planned = plan(
        transitions=found.transitions, alerts=live, incidents=list(town.incidents.values()),
        next_id=2, route=ROUTE, group_wait=WAIT, now=at(10),
    )  # fmt: skip
    assert [event.kind for event in planned.events] == ["alert.resolved", "alert.firing"]
    assert planned.events[0].text == "rule_changed"
    assert all(i.state is IncidentState.OPEN for i in planned.incidents)


def test_an_incident_a_person_resolved_stays_so_until_the_alert_fires_again(reading, at):
    town = Town()
    town.step(at(0), critical(reading))
    town.incidents[1] = handling.resolve(town.incidents[1], actor="camille", now=at(5)).subject
    town.step(at(10), critical(reading, value=99))
    town.step(at(20))
    assert list(town.incidents) == [1]
    town.step(at(30), critical(reading))
    assert list(town.incidents) == [1, 2]


def test_the_log_line_has_every_field(reading, at):
    event = Town().step(at(0), critical(reading, group={"watch": "m=n"})).events[0]
    assert log_entry(event) == {
        "at": "2026-01-18T01:00:00Z", "type": "alert.firing", "rule": "r", "severity": "critical",
        "group": {"watch": "m=n"}, "alert": event.data["alert"], "incident": "I1",
        "evidence": ["a", "b", "c"], "value": 3, "threshold": 3, "reason": None,
    }  # fmt: skip


def test_a_person_s_action_is_announced_with_the_actor(reading, at):
    town = Town()
    town.step(at(0), critical(reading))
    done = handling.acknowledge(town.incidents[1], actor="camille", now=at(5))
    rows = announce(
        done.subject, NotificationKind.ACKNOWLEDGED, alerts=list(town.alerts.values()),
        route=ROUTE, now=at(5), actor="camille",
    )  # fmt: skip
    assert [row.receiver for row in rows] == ["slack", "mail"]
    assert rows[0].key == "I1-acknowledged-2"
    assert (rows[0].facts.actor, rows[0].facts.assignee) == ("camille", "camille")


def test_severity_routes_and_the_strongest_alert_is_quoted_last(reading, at):
    route = RouteSettings(
        receivers=("mail",),
        routes=(RouteSettings(match={"severity": "critical"}, receivers=("slack",)),),
    )
    town = Town(route)
    labels = {"watch": "m", "topic": "flood"}
    planned = town.step(
        at(0),
        critical(reading, labels=labels, evidence=("x", "a")),
        reading(rule="s", labels=labels, evidence=("y", "x"), value=99),
    )
    assert [row.receiver for row in planned.rows] == ["slack"]
    assert planned.rows[0].facts.evidence == ("y", "x", "a")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 200),
            st.lists(st.tuples(st.sampled_from("rsu"), st.integers(1, 9)), max_size=3),
        ),
        max_size=25,
    )
)
def test_whatever_happens_notifications_are_in_order_and_not_too_many(steps):
    town, now = Town(), datetime(2026, 1, 1, tzinfo=UTC)
    severities = {"r": Severity.INFO, "s": Severity.WARNING, "u": Severity.CRITICAL}
    for gap, active in steps:
        now += timedelta(seconds=gap)
        readings = [
            Reading(
                rule=rule, rule_version="1", severity=severities[rule], group={},
                labels={"topic": "t"}, is_active=True, value=value, threshold=1, author_count=1,
                evidence=(f"{rule}{value}",), window=None,
            )
            for rule, value in dict(active).items()
        ]  # fmt: skip
        town.step(now, *readings)
        unresolved = [i for i in town.incidents.values() if i.state != "resolved"]
        assert len({i.key for i in unresolved}) == len(unresolved)
        assert bool(unresolved) == bool(readings)
    for number, incident in town.incidents.items():
        said = [(kind, second) for kind, n, second in town.said if n == number]
        kinds = [kind for kind, _ in said]
        assert kinds[:1] in ([], ["opened"])
        assert set(kinds[1:-1]) <= {"updated", "repeated", "refreshed"}
        assert (incident.state == "resolved" and bool(kinds)) == ("resolved" in kinds)
        assert kinds.count("updated") <= 2 + (said[-1][1] - said[0][1]) / 300 if said else True
    keys = [(row.key, row.receiver) for row in town.rows]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_happening_plans_nothing(reading, at, count):
    town = Town()
    for second in (0, 40, 50)[: count * 3]:
        town.step(at(second), reading())
    planned = town.step(at(60), *[reading()] * count)
    assert planned.incidents == ()
    assert planned.events == ()
    assert planned.rows == ()
    assert replace(planned, evidence={}) == Plan(evidence={})
