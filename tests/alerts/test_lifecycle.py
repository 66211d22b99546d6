"""The life of an alert: what fires, what stays, what nobody hears of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from veille.alerts.lifecycle import EVIDENCE_LIMIT, Step, advance, step
from veille.domain.alert import Alert, AlertState, Reading, Severity
from veille.domain.ids import fingerprint

FIRING, PENDING, RESOLVED = AlertState.FIRING, AlertState.PENDING, AlertState.RESOLVED
V1 = {"r": "1"}


class Life:
    """Keeps the live alerts as the evaluate stage does."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.said: list[tuple[str, str | None]] = []

    def step(
        self, now: datetime, *readings: Reading, versions: Mapping[str, str] | None = None
    ) -> Step:
        found = step(self.alerts, readings, V1 if versions is None else versions, now)
        for alert in found.changed:
            if alert.state is RESOLVED:
                self.alerts.pop(alert.fingerprint)
            else:
                self.alerts[alert.fingerprint] = alert
        self.said += [(str(t.alert.state), t.reason) for t in found.transitions]
        return found


def keys(found: Step) -> Sequence[str]:
    return [flag.key for flag in found.flags]


def test_without_for_an_alert_fires_at_once_and_resolves_at_once(reading, at):
    life = Life()
    life.step(at(0), reading())
    life.step(at(10), reading())
    life.step(at(20), reading(is_active=False))
    assert life.said == [("firing", None), ("resolved", None)]
    assert life.alerts == {}


def test_for_makes_it_wait_and_counts_from_the_start_of_the_condition(reading, at):
    life, held = Life(), reading(hold=timedelta(seconds=60))
    for second in (0, 30, 59):
        life.step(at(second), held)
    assert life.said == [("pending", None)]
    found = life.step(at(60), held)
    assert life.said == [("pending", None), ("firing", None)]
    assert found.transitions[0].alert.started_at == at(0)
    assert found.transitions[0].alert.fired_at == at(60)


def test_a_pending_alert_that_clears_ends_silently_and_starts_over(reading, at):
    life, held = Life(), reading(hold=timedelta(seconds=60))
    life.step(at(0), held)
    (gone,) = life.step(at(30)).changed
    assert gone.state is RESOLVED
    life.step(at(40), held)
    life.step(at(60), held)
    assert [state for state, _ in life.said] == ["pending", "pending"]
    life.step(at(100), held)
    assert life.said[-1] == ("firing", None)


def test_keep_firing_for_bridges_gaps_and_counts_from_the_last_clearing(reading, at):
    life, kept = Life(), reading(keep_firing=timedelta(seconds=60))
    life.step(at(0), kept)
    life.step(at(10))
    life.step(at(69))
    assert life.said == [("firing", None)]
    life.step(at(69), kept)
    assert next(iter(life.alerts.values())).cleared_at is None
    life.step(at(80))
    life.step(at(139))
    assert life.said == [("firing", None)]
    life.step(at(140))
    assert life.said == [("firing", None), ("resolved", None)]


def test_value_follows_the_reading_and_evidence_accumulates(reading, at):
    life = Life()
    life.step(at(0), reading())
    (alert,) = life.step(at(10), reading(value=4, evidence=("c", "d"))).changed
    assert alert.value == 4
    assert alert.evidence == ("a", "b", "c", "d")
    assert life.step(at(20), reading(value=4, evidence=("c", "d"))).changed == ()


def test_evidence_is_bounded_and_the_newest_stay(reading, at):
    life = Life()
    life.step(at(0), reading())
    many = tuple(f"n{i}" for i in range(EVIDENCE_LIMIT))
    (alert,) = life.step(at(10), reading(evidence=many)).changed
    assert alert.evidence == many


def test_a_removed_or_changed_rule_closes_its_alert_with_the_reason(reading, at):
    life = Life()
    life.step(at(0), reading())
    life.step(at(10), reading(rule_version="2"), versions={"r": "2"})
    assert life.said == [("firing", None), ("resolved", "rule_changed"), ("firing", None)]
    assert next(iter(life.alerts.values())).rule_version == "2"
    life.step(at(20), versions={})
    assert life.said[-1] == ("resolved", "rule_removed")
    assert life.alerts == {}


def test_a_pending_alert_of_a_removed_rule_ends_silently(reading, at):
    life = Life()
    life.step(at(0), reading(hold=timedelta(minutes=1)))
    (gone,) = life.step(at(10), versions={}).changed
    assert gone.state is RESOLVED
    assert life.said == [("pending", None)]


def test_groups_of_one_rule_are_alerts_of_their_own(reading, at):
    life = Life()
    life.step(at(0), reading(), reading(group={"watch": "n"}))
    assert len(life.alerts) == 2
    life.step(at(10), reading(group={"watch": "n"}))
    (left,) = life.alerts.values()
    assert left.fingerprint == fingerprint("r", {"watch": "n"})


def test_one_mention_is_flagged_at_once_and_only_once(reading, at):
    life = Life()
    one = {"flag": True, "threshold": 1, "hold": timedelta(minutes=1)}
    assert keys(life.step(at(0), reading(evidence=("a",), **one))) == ["a"]
    assert keys(life.step(at(10), reading(evidence=("a", "b"), **one))) == ["b"]
    assert keys(life.step(at(60), reading(evidence=("a", "b"), **one))) == []


def test_a_count_rule_flags_its_mentions_when_it_fires(reading, at):
    life, hold = Life(), timedelta(seconds=20)
    held = reading(flag=True, hold=hold)
    assert keys(life.step(at(0), held)) == []
    found = life.step(at(20), held)
    assert keys(found) == ["a", "b", "c"]
    assert found.flags[0].severity is Severity.WARNING
    more = reading(flag=True, hold=hold, evidence=("b", "c", "d"))
    assert keys(life.step(at(30), more)) == ["d"]
    assert keys(life.step(at(40), reading(evidence=("x",)))) == []


def test_a_whole_batch_of_a_thousand_calls_is_flagged(reading, at):
    life = Life()
    many = tuple(f"n{i}" for i in range(1000))
    assert len(keys(life.step(at(0), reading(flag=True, evidence=many)))) == 1000
    assert keys(life.step(at(10), reading(flag=True, evidence=many))) == []


def test_a_resolved_alert_stays_or_begins_anew(reading, at):
    alert, _ = advance(None, reading(), at(0))
    closed, said = advance(alert, None, at(10))
    assert said is not None
    assert advance(closed, None, at(20)) == (closed, None)
    again, said = advance(closed, reading(), at(30))
    assert again is not None
    assert again.started_at == at(30)
    assert said is not None
    assert advance(None, None, at(0)) == (None, None)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.booleans()), max_size=40),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_states_follow_each_other_and_for_and_keep_are_respected(steps, hold, keep):
    life, now = Life(), datetime(2026, 1, 1, tzinfo=UTC)
    since: datetime | None = None
    for gap, active in steps:
        now += timedelta(seconds=gap)
        reading = Reading(
            rule="r", rule_version="1", severity=Severity.INFO, group={}, labels={},
            is_active=active, value=1, threshold=1, author_count=1, evidence=("a",), window=None,
            hold=timedelta(seconds=hold), keep_firing=timedelta(seconds=keep),
        )  # fmt: skip
        since = (since or now) if active else None
        for transition in life.step(now, reading).transitions:
            alert = transition.alert
            if alert.state is FIRING:
                assert alert.started_at == since
                assert now - alert.started_at >= timedelta(seconds=hold)
            if alert.state is RESOLVED:
                assert alert.cleared_at is not None
                assert now - alert.cleared_at >= timedelta(seconds=keep)
    states = [state for state, _ in life.said]
    follows = {("pending", "pending"), ("pending", "firing"), ("firing", "resolved"),
               ("resolved", "pending"), ("resolved", "firing")}  # fmt: skip
    assert set(pairwise(states)) <= follows


def test_of_a_full_alert_an_edited_mention_is_neither_lost_nor_flagged_again(reading, at):
    life = Life()
    many = tuple(f"n{i}" for i in range(EVIDENCE_LIMIT))
    life.step(at(0), reading(flag=True, evidence=many))
    newest = (*many[2:], many[0], "new")  # the first of them was edited: it stands last
    assert keys(life.step(at(10), reading(flag=True, evidence=newest))) == ["new"]
    found = life.step(at(20), reading(flag=True, evidence=newest))
    assert (keys(found), found.changed) == ([], ())
    assert set(newest) == set(next(iter(life.alerts.values())).evidence)
