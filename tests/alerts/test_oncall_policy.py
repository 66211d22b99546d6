"""A policy in time: what is told, what waits, and what a changed configuration leaves of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veille.alerts.oncall_policy import Staff, advance, begin, staff
from veille.alerts.oncall_settings import EscalationSettings, PersonSettings
from veille.alerts.settings import RouteSettings, escalation
from veille.domain.alert import Severity
from veille.domain.calendar import Region
from veille.domain.oncall import Ended

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)  # 03:00 in Paris, a Sunday
MINUTE = timedelta(minutes=1)


def policy(*afters: int, repeat: int = 0, **more: object) -> EscalationSettings:
    steps = [{"after": f"{after}m", "people": ["anne"], **more} for after in afters]
    given = {"id": "p", "steps": steps, "repeat": repeat, "repeat_after": "10m"}
    return msgspec.convert(given, EscalationSettings)


def people(*, quiet: str | None = None) -> Staff:
    anne = PersonSettings(id="anne", name="Anne", receivers=("tel",), quiet=quiet)
    return staff((anne,), zone=ZoneInfo("Europe/Paris"), region=Region.METROPOLE)


@settings(max_examples=50, deadline=None)
@given(
    pauses=st.lists(st.integers(1, 120), max_size=60),
    afters=st.lists(st.integers(0, 60), min_size=1, max_size=6, unique=True),
)
def test_however_time_is_cut_each_step_is_told_once_and_never_early(
    pauses: list[int], afters: list[int]
) -> None:
    plan = policy(*sorted(afters))
    at, now, told = begin(1, plan, Severity.CRITICAL, at=START, now=START), START, []
    for pause in [0, *pauses, 10_000]:
        now += pause * MINUTE
        done = advance(at, plan, staff=people(), duty=lambda _: (), now=now)
        at = done.escalation
        told += [(call.number, call.relay.step, now) for call in done.calls]
    assert [(n, s) for n, s, _ in told] == [(n, n) for n in range(1, len(afters) + 1)]
    for (_, step, when), after in zip(told, sorted(afters), strict=True):
        assert when >= START + after * MINUTE, step
    assert at.ended is Ended.FINISHED


def test_the_final_step_comes_in_the_last_round_alone() -> None:
    plan = msgspec.convert(
        {
            "id": "p",
            "repeat": 1,
            "repeat_after": "10m",
            "steps": [
                {"people": ["anne"]},
                {"after": "5m", "people": ["anne"]},
                {"after": "9m", "receivers": ["direction"], "final": True},
            ],
        },
        EscalationSettings,
    )
    at, told = begin(1, plan, Severity.CRITICAL, at=START, now=START), []
    for minute in range(60):
        now = START + minute * MINUTE
        done = advance(at, plan, staff=people(), duty=lambda _: (), now=now)
        at = done.escalation
        told += [(minute, call.relay.step, call.relay.round, call.receivers) for call in done.calls]
    assert told == [
        (0, 1, 1, ("tel",)),
        (5, 2, 1, ("tel",)),
        (15, 1, 2, ("tel",)),
        (20, 2, 2, ("tel",)),
        (24, 3, 2, ("direction",)),
    ]


def test_a_step_outside_of_its_hours_hands_over_at_once() -> None:
    plan = msgspec.convert(
        {
            "id": "p",
            "steps": [
                {"receivers": ["accueil"], "hours": "08:00-18:00"},
                {"after": "5m", "people": ["anne"]},
            ],
        },
        EscalationSettings,
    )
    at = begin(1, plan, Severity.CRITICAL, at=START, now=START)
    done = advance(at, plan, staff=people(), duty=lambda _: (), now=START)
    assert [(c.receivers, c.relay.step, c.relay.nobody) for c in done.calls] == [
        (("tel",), 2, (1,))
    ]


def test_who_waits_for_the_morning_is_told_though_the_policy_was_shortened() -> None:
    long = policy(0, 5)
    asleep = people(quiet="22:00-07:00")
    at = begin(1, long, Severity.WARNING, at=START, now=START)
    night = advance(at, long, staff=asleep, duty=lambda _: (), now=START + 6 * MINUTE)
    assert night.calls == ()
    morning = START + timedelta(hours=4)
    assert night.escalation.due_at == morning
    done = advance(night.escalation, policy(0), staff=asleep, duty=lambda _: (), now=morning)
    assert [call.receivers for call in done.calls] == [("tel",)]
    gone = staff((), zone=ZoneInfo("Europe/Paris"), region=Region.METROPOLE)
    assert (
        advance(night.escalation, policy(0), staff=gone, duty=lambda _: (), now=morning).calls == ()
    )


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"severity": "critical"}, "crise"),
        ({"severity": "info"}, ""),
        ({"severity": "warning"}, "jour"),
        ({"severity": "critical", "topic": "roads"}, "crise"),
    ],
)
def test_the_first_branch_that_names_a_policy_decides(labels: dict[str, str], found: str) -> None:
    route = RouteSettings(
        receivers=("salon",),
        escalation="jour",
        routes=(
            RouteSettings(match={"topic": "roads"}, continue_=True),
            RouteSettings(match={"severity": "critical"}, escalation="crise"),
            RouteSettings(match={"severity": "info"}, escalation=""),
        ),
    )
    assert escalation(route, labels) == found


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": []}, "no step"),
        ({"steps": [{}]}, "tells nobody"),
        ({"steps": [{"people": ["a"]}, {"people": ["b"]}]}, "not later"),
        ({"steps": [{"people": ["a"], "after": "8d"}]}, "0s to 7d"),
        ({"steps": [{"people": ["a"], "final": True}, {"people": ["b"], "after": "1m"}]}, "final"),
        ({"steps": [{"people": ["a"]}], "repeat": 6}, "<= 5"),
        ({"steps": [{"people": ["a"]}], "repeat_after": "0s"}, "1s to 7d"),
    ],
)
def test_a_policy_that_could_never_work_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert({"id": "p", **wrong}, EscalationSettings)
