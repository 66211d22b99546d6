"""What mutes: silences, inhibition, quiet hours, the budget; and what is told when it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veille.alerts import handling
from veille.alerts.announcing import PINGS
from veille.alerts.grouping import plan
from veille.alerts.lifecycle import step
from veille.alerts.muting import Muting, labels_of, match_of
from veille.alerts.quiet import BudgetSettings, CalendarSettings, InhibitSettings
from veille.alerts.settings import RouteSettings
from veille.domain.alert import AlertState, Reading, Severity
from veille.domain.errors import InputError
from veille.domain.incident import IncidentState
from veille.domain.silence import Mute, MuteKind, Silence, check_match, matches, parse_match

PARIS = ZoneInfo("Europe/Paris")
WAIT = dict.fromkeys(Severity, timedelta(0))
LABELS = {"watch": "m", "topic": "danger"}
DANGER = {"labels": LABELS}


class Town:
    """Evaluate and dispatch without a store; `said` holds (kind, incident, receiver, seconds)."""

    def __init__(self, *, muting: Muting | None = None, **route: object) -> None:
        self.route = msgspec.convert({"receivers": ["slack", "mail"]} | route, RouteSettings)
        self.muting = muting or Muting(zone=PARIS)
        self.silences: list[Silence] = []
        self.alerts = {}
        self.incidents = {}
        self.events: list[str] = []
        self.rows = []
        self.digests = []
        self.said: list[tuple[str, int, str, float]] = []
        self.start: datetime | None = None

    def step(self, now: datetime, *readings: Reading) -> list[tuple[str, int, str]]:
        self.start = self.start or now
        found = step(self.alerts, readings, dict.fromkeys("rstuv", "1"), now)
        self.alerts |= {alert.fingerprint: alert for alert in found.changed}
        arguments = {
            "transitions": found.transitions, "alerts": dict(self.alerts),
            "incidents": [
                i for i in self.incidents.values()
                if i.state is not IncidentState.RESOLVED or i.notify_at is not None
            ],
            "next_id": len(self.incidents) + 1, "route": self.route, "group_wait": WAIT,
            "now": now, "silences": self.silences, "muting": self.muting, "spent": self._spent(now),
        }  # fmt: skip
        planned = plan(**arguments)
        assert plan(**arguments) == planned, "the same arguments give the same plan"
        for incident in planned.incidents:
            before = self.incidents.get(incident.id)
            assert incident.version == (1 if before is None else before.version + 1)
            self.incidents[incident.id] = incident
        self.events += [f"{event.kind} {event.target}" for event in planned.events]
        self.rows += planned.rows
        self.digests += planned.digests
        keys = [(row.key, row.receiver) for row in self.rows]
        assert len(set(keys)) == len(keys), "no notification is planned under a key used before"
        now_said = [(str(r.kind), r.incident, r.receiver) for r in planned.rows]
        self.said += [(*each, (now - self.start).total_seconds()) for each in now_said]
        return now_said

    def _spent(self, now: datetime) -> int:
        if self.route.budget is None:
            return 0
        begins = self.route.budget.shift(now, self.muting.zone)[0]
        kinds = {*PINGS, "digest"}
        return len({r.key for r in self.rows if r.due_at >= begins and r.kind in kinds})

    def silence(self, at: datetime, *, lasting: float, **match: str) -> None:
        self.silences.append(
            Silence(
                id=len(self.silences) + 1, match={k: tuple(v.split()) for k, v in match.items()},
                author="Camille", reason="exercice", starts_at=at, created_at=at,
                ends_at=at + timedelta(seconds=lasting),
            )
        )  # fmt: skip


def both(kind: str, number: int) -> list[tuple[str, int, str]]:
    return [(kind, number, "slack"), (kind, number, "mail")]


def test_a_silenced_incident_is_open_and_told_when_the_silence_ends(reading, at):
    town = Town()
    town.silence(at(0), lasting=600, topic="danger")
    assert town.step(at(10), reading(**DANGER)) == []
    incident = town.incidents[1]
    assert incident.state is IncidentState.OPEN
    assert incident.muted == Mute(kind=MuteKind.SILENCE, by="S1", until=at(600))
    assert town.events == ["alert.firing I1", "incident.opened I1", "incident.muted I1"]
    assert town.step(at(599), reading(**DANGER, value=50)) == []
    assert town.step(at(600), reading(**DANGER, value=50)) == both("opened", 1)
    assert town.rows[0].facts.value == 50
    assert town.events[-1] == "incident.unmuted I1"
    assert town.incidents[1].muted is None


def test_what_ended_while_it_was_silenced_is_never_told_not_even_its_end(reading, at):
    town = Town()
    town.silence(at(0), lasting=600, topic="danger")
    town.step(at(10), reading(severity=Severity.CRITICAL, **DANGER))
    town.step(at(300))
    assert town.incidents[1].state is IncidentState.RESOLVED
    assert town.incidents[1].muted.by == "S1"
    town.step(at(700))
    assert town.said == []


def test_who_heard_of_the_opening_hears_of_the_end_in_spite_of_a_silence(reading, at):
    town = Town()
    town.step(at(0), reading(**DANGER))
    town.silence(at(10), lasting=600, watch="m")
    assert town.step(at(20), reading(**DANGER, value=90)) == []
    assert town.step(at(30)) == both("resolved", 1)


def test_a_silence_from_a_warning_lets_a_graver_alert_through(reading, at):
    town = Town()
    town.step(at(0), reading(**DANGER))
    match = match_of(town.incidents[1])
    assert match == {"watch": ("m",), "topic": ("danger",), "severity": ("info", "warning")}
    town.silences.append(
        Silence(
            id=1, match=match, author="c", reason="r", starts_at=at(1), ends_at=at(9999),
            created_at=at(1),
        )
    )  # fmt: skip
    warning = reading(**DANGER, value=99)
    assert town.step(at(400), warning) == []
    critical = reading(rule="s", severity=Severity.CRITICAL, **DANGER)
    assert town.step(at(410), warning, critical) == both("updated", 1)
    assert town.rows[-1].facts.rule == "s"
    assert town.incidents[1].hushed.keys() == {a.fingerprint for a in town.alerts.values()} - {
        a.fingerprint for a in town.alerts.values() if a.rule == "s"
    }


def test_an_alert_that_joined_under_a_silence_is_told_when_it_ends(reading, at):
    town = Town()
    town.step(at(0), reading(**DANGER))
    town.silence(at(1), lasting=1000, rule="s")
    joined = reading(rule="s", value=1, **DANGER)
    for second in range(10, 1000, 10):
        assert town.step(at(second), reading(**DANGER), joined) == []
    assert "incident.muted I1" not in town.events, "the incident itself may be told"
    assert town.step(at(1001), reading(**DANGER), joined) == both("updated", 1)


def test_the_crisis_mutes_its_children_and_they_stay_in_its_incident(reading, at):
    town = Town()
    crisis = reading(rule="s", severity=Severity.CRITICAL, **DANGER)
    town.step(at(0), crisis)
    child = reading(evidence=("x", "y"), value=50, **DANGER)
    for second in range(10, 3000, 10):
        assert town.step(at(second), crisis, child) == []
    (mute,) = town.incidents[1].hushed.values()
    assert mute == Mute(kind=MuteKind.INHIBITION, by="I1")
    assert len(town.incidents[1].alerts) == 2
    assert town.events.count("incident.updated I1") == 1
    assert town.step(at(3000), child) == both("updated", 1), "it fires on when the crisis is over"


def test_another_danger_is_told_even_if_only_a_muted_child_speaks_of_it(reading, at, monkeypatch):
    town = Town()
    crisis = reading(rule="s", severity=Severity.CRITICAL, **DANGER)
    town.step(at(0), crisis)
    child = reading(evidence=("fire",), value=1, **DANGER)
    matters = {"a": "flood", "fire": "fire"}
    planned = []
    for second in (10, 310):
        found = step(town.alerts, [crisis, child], {"r": "1", "s": "1"}, at(second))
        town.alerts |= {a.fingerprint: a for a in found.changed}
        planned.append(
            plan(
                transitions=found.transitions, alerts=town.alerts, next_id=2, route=town.route,
                incidents=list(town.incidents.values()), group_wait=WAIT, now=at(second),
                matters=matters,
            )
        )  # fmt: skip
        town.incidents |= {i.id: i for i in planned[-1].incidents}
    assert [row.kind for row in planned[-1].rows] == ["updated", "updated"]
    assert planned[-1].rows[0].facts.evidence[-1] == "fire"


def test_a_child_in_an_incident_of_its_own_waits_for_the_end_of_the_crisis(reading, at):
    town = Town(group_by=["watch", "topic", "rule"])
    crisis = reading(rule="s", severity=Severity.CRITICAL, **DANGER)
    crisis = replace(crisis, labels={**LABELS, "rule": "s"})
    child = replace(reading(**DANGER), labels={**LABELS, "rule": "r"})
    other = reading(rule="t", labels={"watch": "m", "topic": "bins", "rule": "t"})
    town.step(at(0), crisis)
    assert town.step(at(10), crisis, child, other) == both("opened", 3)
    assert town.incidents[2].muted == Mute(kind=MuteKind.INHIBITION, by="I1")
    assert town.step(at(20), child, other) == [*both("resolved", 1), *both("opened", 2)]


@pytest.mark.parametrize("how", ["resolved", "silenced"])
def test_a_crisis_that_nobody_looks_at_hides_no_call(reading, at, how):
    town = Town(group_by=["watch", "topic", "rule"])
    crisis = reading(rule="s", severity=Severity.CRITICAL, labels={**LABELS, "rule": "s"})
    town.step(at(0), crisis)
    if how == "resolved":
        town.incidents[1] = handling.resolve(town.incidents[1], actor="c", now=at(5)).subject
    else:
        town.silence(at(5), lasting=9999, rule="s")
    call = reading(labels={**LABELS, "rule": "r"})
    assert town.step(at(10), crisis, call) == both("opened", 2)


NIGHT = CalendarSettings(id="nuit", hours=("22:00-07:00",))
AT_2, AT_7 = datetime(2026, 1, 18, 1, tzinfo=UTC), datetime(2026, 1, 18, 6, tzinfo=UTC)


def test_a_warning_of_the_night_is_told_in_the_morning_and_a_critical_one_at_once(reading):
    town = Town(mute=["nuit"], muting=Muting(calendars={"nuit": NIGHT}, zone=PARIS))
    assert town.step(AT_2, reading(**DANGER)) == []
    assert town.incidents[1].muted == Mute(kind=MuteKind.CALENDAR, by="nuit", until=AT_7)
    worse = reading(rule="s", severity=Severity.CRITICAL, labels={"topic": "x"})
    assert town.step(AT_2 + timedelta(hours=1), reading(**DANGER), worse) == both("opened", 2)
    assert town.step(AT_7 - timedelta(seconds=1), reading(**DANGER), worse) == []
    assert town.step(AT_7, reading(**DANGER), worse)[:2] == both("opened", 1)


def test_a_calendar_that_names_critical_mutes_it_too(reading):
    deep = CalendarSettings(id="nuit", hours=("22:00-07:00",), severities=tuple(Severity))
    town = Town(mute=["nuit"], muting=Muting(calendars={"nuit": deep}, zone=PARIS))
    assert town.step(AT_2, reading(severity=Severity.CRITICAL, **DANGER)) == []


def test_only_the_quiet_branch_waits_and_hears_the_opening_in_the_morning(reading):
    routes = [
        {"match": {"watch": "m"}, "receivers": ["slack"], "continue": True},
        {"match": {"topic": "danger"}, "receivers": ["mail"], "mute": ["nuit"]},
    ]
    town = Town(routes=routes, muting=Muting(calendars={"nuit": NIGHT}, zone=PARIS))
    assert town.step(AT_2, reading(**DANGER)) == [("opened", 1, "slack")]
    assert town.incidents[1].muted is None
    hour = timedelta(hours=1)
    assert town.step(AT_2 + hour, reading(**DANGER, value=9)) == [("updated", 1, "slack")]
    said = town.step(AT_7, reading(**DANGER, value=9))
    assert said == [("repeated", 1, "slack"), ("opened", 1, "mail")]
    assert town.step(AT_7 + hour) == both("resolved", 1)


def test_who_slept_through_it_all_hears_nothing(reading):
    routes = [
        {"match": {"watch": "m"}, "receivers": ["slack"], "continue": True},
        {"match": {"topic": "danger"}, "receivers": ["mail"], "mute": ["nuit"]},
    ]
    town = Town(routes=routes, muting=Muting(calendars={"nuit": NIGHT}, zone=PARIS))
    town.step(AT_2, reading(**DANGER))
    assert town.step(AT_2 + timedelta(hours=1)) == [("resolved", 1, "slack")]
    assert town.step(AT_7) == []


def budget(reading, number):
    return reading(rule="rstuv"[number], labels={"topic": str(number)}, group={"n": str(number)})


def test_beyond_the_budget_warnings_are_gathered_into_one_digest(reading):
    town = Town(budget={"per": "8h", "notifications": 2}, repeat_interval="12h")
    start = datetime(2026, 1, 18, 6, tzinfo=UTC)  # 07:00, an hour into the shift
    some = [budget(reading, number) for number in range(4)]
    assert len(town.step(start, *some)) == 4, "two incidents, two receivers"
    muted = [number for number, i in town.incidents.items() if i.muted is not None]
    assert muted == [3, 4]
    ends_at = datetime(2026, 1, 18, 13, tzinfo=UTC)
    assert town.incidents[3].muted == Mute(kind=MuteKind.BUDGET, by="2/8h", until=ends_at)
    assert town.step(start + timedelta(hours=1), *some[:3]) == [], "the fourth ended meanwhile"
    assert town.step(ends_at - timedelta(seconds=1), *some[:3]) == []
    assert town.step(ends_at, *some[:3]) == both("digest", 0)
    assert [digest.incidents for digest in town.digests] == [(3, 4), (3, 4)]
    assert all(i.muted is None for i in town.incidents.values())
    assert town.step(ends_at + timedelta(minutes=1), *some[:3]) == []


def test_a_graver_alert_is_never_held_back_and_brings_the_digest(reading, at):
    town = Town(budget={"per": "8h", "notifications": 1})
    some = [budget(reading, number) for number in range(2)]
    town.step(at(0), *some)
    worse = reading(rule="u", severity=Severity.CRITICAL, labels={"topic": "x"})
    said = town.step(at(60), *some, worse)
    assert said == [*both("opened", 3), *both("digest", 0)]


def test_a_held_incident_that_turns_critical_is_told_at_once(reading, at):
    town = Town(budget={"per": "8h", "notifications": 1})
    one, two = budget(reading, 0), budget(reading, 1)
    town.step(at(0), one, two)
    graver = reading(rule="u", severity=Severity.CRITICAL, labels={"topic": "1"})
    assert both("opened", 2) == town.step(at(5), one, two, graver)


def test_an_incident_nobody_took_is_said_again_after_twice_as_long_each_time(reading, at):
    town = Town(repeat_interval="1h", repeat_cap="5h")
    for minute in range(0, 24 * 60, 10):
        town.step(at(60 * minute), reading(**DANGER))
    hours = [second / 3600 for kind, _, name, second in town.said if name == "mail"]
    assert hours == [0, 1, 3, 7, 12, 17, 22]


def test_what_comes_back_while_it_lingers_is_told_inside_the_same_incident(reading, at):
    town = Town(linger="2h")
    town.step(at(0), reading(**DANGER))
    assert town.step(at(60)) == []
    assert town.incidents[1].quiet_since == at(60)
    assert town.step(at(7000), reading(**DANGER, evidence=("z",))) == both("updated", 1)
    assert town.rows[-1].facts.evidence == ("z",)
    assert town.step(at(7060)) == []
    assert town.step(at(7060 + 7199)) == []
    assert town.step(at(7060 + 7200)) == both("resolved", 1)
    assert list(town.incidents) == [1]


def test_nothing_is_said_again_while_it_lingers(reading, at):
    town = Town(linger="1d", repeat_interval="10m")
    town.step(at(0), reading(**DANGER))
    for minute in range(1, 1400):
        assert town.step(at(60 * minute)) == []


def test_an_acknowledgement_after_veille_resolved_it_reopens_nothing(reading, at):
    town = Town()
    town.step(at(0), reading(**DANGER))
    town.step(at(10))
    with pytest.raises(Exception, match="not reopened"):
        handling.acknowledge(town.incidents[1], actor="c", now=at(11))


READINGS = st.lists(
    st.tuples(
        st.integers(1, 4000),
        st.lists(st.tuples(st.sampled_from("rstu"), st.integers(1, 40)), max_size=4),
        st.sampled_from(["", "", "", "ack", "silence", "expire"]),
    ),
    max_size=20,
)


@settings(max_examples=80, deadline=None)
@given(READINGS)
def test_whatever_is_muted_nobody_hears_an_end_without_its_beginning(steps):
    severities = {"r": "info", "s": "warning", "t": "warning", "u": "critical"}
    routes = [
        {"match": {"topic": "r"}, "receivers": ["mail"], "mute": ["nuit"]},
        {"match": {"watch": "m"}, "receivers": ["slack", "mail"]},
    ]
    town = Town(
        routes=routes, budget={"per": "8h", "notifications": 3}, linger="10m",
        muting=Muting(calendars={"nuit": NIGHT}, zone=PARIS),
    )  # fmt: skip
    now = datetime(2026, 1, 1, 20, tzinfo=UTC)
    for gap, active, act in steps:
        now += timedelta(seconds=gap)
        open_ones = [i for i in town.incidents.values() if i.state is IncidentState.OPEN]
        if act == "ack" and open_ones:
            done = handling.acknowledge(open_ones[-1], actor="c", now=now)
            town.incidents[done.subject.id] = done.subject
        elif act == "silence":
            town.silence(now, lasting=3000, watch="m", topic="s t u")
        elif act == "expire":
            town.silences = [replace(s, ends_at=min(s.ends_at, now)) for s in town.silences]
        readings = [
            Reading(
                rule=rule, rule_version="1", severity=Severity(severities[rule]), group={},
                labels={"watch": "m", "topic": rule}, is_active=True, value=value, threshold=1,
                author_count=1, evidence=(f"{rule}{value}",), window=None,
            )
            for rule, value in dict(active).items()
        ]  # fmt: skip
        town.step(now, *readings)
        firing = {a.rule for a in town.alerts.values() if a.state is AlertState.FIRING}
        held = {
            town.alerts[mark].rule for i in town.incidents.values()
            if i.state is not IncidentState.RESOLVED for mark in i.alerts
        }  # fmt: skip
        assert firing <= held, "what fires is on an incident that is not over, muted or not"
        loud = [i for i in town.incidents.values() if i.severity is Severity.CRITICAL]
        for incident in loud:
            assert incident.muted is None or incident.muted.kind is MuteKind.SILENCE
            is_silent = incident.state is IncidentState.OPEN and incident.muted is None
            assert not is_silent or incident.notified_at is not None
    for name in ("slack", "mail"):
        for number in town.incidents:
            kinds = [k for k, n, receiver, _ in town.said if (n, receiver) == (number, name)]
            assert kinds[:1] in ([], ["opened"])
            assert kinds.count("opened") <= 1
            assert "resolved" not in kinds[:-1]


def test_calendars_know_nights_days_dates_and_holidays():
    week = CalendarSettings(id="we", days=("sat", "sun"), hours=("08:00-12:00", "20:00-02:00"))
    saturday = datetime(2026, 1, 17, 7, 30, tzinfo=UTC)
    assert week.until(saturday, PARIS) == datetime(2026, 1, 17, 11, tzinfo=UTC)
    assert week.until(saturday + timedelta(hours=5), PARIS) is None
    monday_early = datetime(2026, 1, 19, 0, 30, tzinfo=UTC)
    assert week.until(monday_early, PARIS) == datetime(2026, 1, 19, 1, tzinfo=UTC)
    feast = CalendarSettings(id="f", dates=("2026-12-24/2026-12-26",), holidays="metropole")
    assert feast.until(datetime(2026, 12, 24, 12, tzinfo=UTC), PARIS) == datetime(
        2026, 12, 26, 23, tzinfo=UTC
    )
    assert feast.until(datetime(2026, 7, 14, 12, tzinfo=UTC), PARIS) is not None
    assert feast.until(datetime(2026, 7, 15, 12, tzinfo=UTC), PARIS) is None


def test_shifts_follow_the_town_s_clocks_over_the_change_of_hour():
    shifts = BudgetSettings()
    summer = shifts.shift(datetime(2026, 7, 1, 3, 30, tzinfo=UTC), PARIS)
    assert summer == (
        datetime(2026, 6, 30, 20, tzinfo=UTC), datetime(2026, 7, 1, 4, tzinfo=UTC),
    )  # fmt: skip
    turning = shifts.shift(datetime(2026, 3, 29, 2, tzinfo=UTC), PARIS)
    assert turning == (
        datetime(2026, 3, 28, 21, tzinfo=UTC), datetime(2026, 3, 29, 4, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (CalendarSettings, {"id": "x"}, "is empty"),
        (CalendarSettings, {"id": "x", "hours": ["25:00-07:00"]}, "no span|no time"),
        (CalendarSettings, {"id": "x", "dates": ["demain"]}, "no day"),
        (CalendarSettings, {"id": "x", "dates": ["2026-02-02/2026-01-01"]}, "before it begins"),
        (CalendarSettings, {"id": "x", "days": ["lun"]}, "days|enum|Invalid"),
        (CalendarSettings, {"id": "x", "days": ["mon"], "severities": []}, "severities"),
        (BudgetSettings, {"per": "7h"}, "divide a day"),
        (BudgetSettings, {"per": "10m"}, "1h to 24h"),
        (BudgetSettings, {"notifications": 0}, "1 or more"),
        (BudgetSettings, {"starts": "6h"}, "starts"),
        (InhibitSettings, {"source": {}, "target": {"a": "b"}}, "source"),
        (RouteSettings, {"linger": "2d"}, "out of range"),
        (RouteSettings, {"repeat_cap": "1s"}, "out of range"),
        (RouteSettings, {"routes": [{"match": {"a": "b"}, "linger": "1h"}]}, "stands on"),
        (RouteSettings, {"routes": [{"match": {"a": "b"}, "budget": {}}]}, "stands on"),
    ],
)
def test_what_could_never_work_is_refused(kind, fields, message):
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(fields, kind)


def test_two_alerts_that_match_both_sides_do_not_hide_each_other():
    rule = InhibitSettings(source={"topic": ["a", "b"]}, target={"watch": "m"}, equal=())
    one, two = {"topic": "a", "watch": "m"}, {"topic": "b", "watch": "m"}
    assert not rule.hides(one, two)
    assert rule.hides({"topic": "c", "watch": "m"}, one)


def test_a_match_is_read_checked_and_needs_every_label(reading, at):
    match = parse_match(("topic=danger", "severity=info", "severity=warning"))
    check_match(match)
    town = Town()
    town.step(at(0), reading(**DANGER))
    (alert,) = town.alerts.values()
    labels = labels_of(alert, town.incidents[1])
    assert matches(match, labels)
    assert matches({"incident": ("I1",)}, labels)
    assert not matches(match | {"rule": ("s",)}, labels)
    for wrong in ({}, {"a b": ("x",)}, {"a": ()}, {"a": ("",)}, {"severity": ("grave",)}):
        with pytest.raises(InputError):
            check_match(wrong)
    with pytest.raises(InputError, match="name=value"):
        parse_match(("danger",))


def test_a_silenced_call_for_help_does_not_silence_the_next_one(reading, at):
    town = Town()
    call = reading(severity=Severity.CRITICAL, **DANGER)
    town.step(at(0), call)
    match = match_of(town.incidents[1])
    town.silence(at(1), lasting=9999, **{name: " ".join(v) for name, v in match.items()})
    assert town.step(at(400), replace(call, value=90)) == []
    town.step(at(500))
    assert town.step(at(600), call) == both("opened", 2)


@pytest.mark.parametrize("silent", [True, False])
def test_who_took_it_before_it_was_told_still_hears_that_it_doubled(reading, at, silent):
    town = Town()
    if silent:
        town.silence(at(0), lasting=600, topic="danger")
    else:
        town.muting = Muting(
            calendars={"x": CalendarSettings(id="x", dates=("2026-01-18",))}, zone=PARIS
        )
        town.route = msgspec.convert({"receivers": ["slack", "mail"], "mute": ["x"]}, RouteSettings)
    town.step(at(0), reading(**DANGER, value=5))
    taken = handling.acknowledge(town.incidents[1], actor="c", now=at(5))
    town.incidents[1] = taken.subject
    town.step(at(10), reading(**DANGER, value=5))
    if not silent:
        town.route = msgspec.convert({"receivers": ["slack", "mail"]}, RouteSettings)
    assert town.step(at(700), reading(**DANGER, value=9)) == []
    assert town.step(at(710), reading(**DANGER, value=10)) == both("opened", 1)
    assert town.incidents[1].state is IncidentState.ACKNOWLEDGED


def test_what_a_digest_told_is_told_again_when_it_doubles_or_nobody_takes_it(reading):
    start = datetime(2026, 1, 18, 6, tzinfo=UTC)
    ends_at, hour = datetime(2026, 1, 18, 13, tzinfo=UTC), timedelta(hours=1)
    for value, later in ((9, hour), (1, 4 * hour)):
        town = Town(budget={"per": "8h", "notifications": 2})
        held = budget(reading, 2)
        town.step(start, budget(reading, 0), budget(reading, 1), held)
        assert town.step(ends_at, held)[-2:] == both("digest", 0)
        said = town.step(ends_at + later, replace(held, value=held.value * value))
        assert said == both("opened", 3)


def test_news_held_back_by_the_budget_are_in_the_digest_even_after_a_lull(reading):
    town = Town(budget={"per": "8h", "notifications": 1}, linger="1d", repeat_interval="12h")
    start = datetime(2026, 1, 18, 6, tzinfo=UTC)
    town.step(start, budget(reading, 0))
    joined = reading(rule="s", labels={"topic": "0"}, group={"n": "9"})
    assert town.step(start + timedelta(hours=1), budget(reading, 0), joined) == []
    assert town.incidents[1].muted.kind is MuteKind.BUDGET
    town.step(start + timedelta(hours=2))
    assert town.step(datetime(2026, 1, 18, 13, tzinfo=UTC)) == both("digest", 0)


def test_the_messages_stop_saying_that_it_is_silent_when_it_is_not(reading, at):
    town = Town()
    town.step(at(0), reading(**DANGER))
    town.silence(at(10), lasting=600, topic="danger")
    town.step(at(20), reading(**DANGER))
    town.silences = [replace(town.silences[0], ends_at=at(100))]
    assert town.step(at(100), reading(**DANGER)) == both("refreshed", 1)
    assert town.rows[-1].facts.muted_until is None
    assert town.step(at(110), reading(**DANGER)) == []


def test_a_silence_outlasts_a_lull(reading, at):
    town = Town(linger="1h")
    town.step(at(0), reading(**DANGER))
    town.silence(at(10), lasting=600, topic="danger")
    town.step(at(20), reading(**DANGER))
    town.step(at(30))
    assert town.incidents[1].muted.by == "S1"
    assert "incident.unmuted I1" not in town.events
    town.step(at(700))
    assert town.incidents[1].muted is None
    assert len(town.said) == 2
