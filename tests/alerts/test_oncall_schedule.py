"""Who is on call: turns, restrictions, overrides, in both nights on which clocks change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veille.alerts.oncall_schedule import Schedule, gaps, on_call, overlaps, schedule, shifts
from veille.alerts.oncall_settings import ScheduleSettings
from veille.domain.calendar import Region
from veille.domain.oncall import Override, Shift

PARIS = ZoneInfo("Europe/Paris")
WEEK = {"people": ["anne", "bruno"], "start": "2026-11-16"}


def plan(*layers: dict[str, object], region: Region = Region.METROPOLE, **more: object) -> Schedule:
    given = {"id": "astreinte", "layers": list(layers), **more}
    return schedule(msgspec.convert(given, ScheduleSettings), zone=PARIS, region=region)


def paris(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2026-11-16T07:59:59", ()),
        ("2026-11-16T08:00", ("anne",)),
        ("2026-11-23T07:59:59", ("anne",)),
        ("2026-11-23T08:00", ("bruno",)),
        ("2026-11-30T08:00", ("anne",)),
    ],
)
def test_people_take_turns_by_the_week(at: str, who: tuple[str, ...]) -> None:
    assert on_call(plan(WEEK), paris(at)) == who


def test_turns_may_last_days() -> None:
    days = plan({"people": ["a", "b", "c"], "start": "2026-11-16", "rotation": "2d"})
    found = [on_call(days, paris(f"2026-11-{day}T12:00"))[0] for day in range(16, 23)]
    assert found == ["a", "a", "b", "b", "c", "c", "a"]


@pytest.mark.parametrize(
    ("start", "handoff", "before", "after"),
    [
        ("2026-03-28", "02:30", "2026-03-29T00:59Z", "2026-03-29T01:30Z"),  # 02:30 is skipped
        ("2026-10-24", "02:30", "2026-10-25T00:29Z", "2026-10-25T00:30Z"),  # 02:30 comes twice
    ],
)
def test_in_both_dst_nights_the_turn_changes_once(
    start: str, handoff: str, before: str, after: str
) -> None:
    daily = plan({"people": ["a", "b"], "start": start, "handoff": handoff, "rotation": "1d"})
    times = [datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (before, after)]
    assert [on_call(daily, at)[0] for at in times] == ["a", "b"]
    night = shifts(daily, times[0] - timedelta(hours=6), times[0] + timedelta(hours=6))
    assert [shift.people for shift in night] == [("a",), ("b",)]


def test_office_hours_lie_over_the_layer_below_except_on_holidays() -> None:
    office = {
        "people": ["claire"],
        "start": "2026-01-01",
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "hours": "08:00-18:00",
    }
    both = plan(WEEK, office)
    assert on_call(both, paris("2026-11-24T10:00")) == ("claire",)
    assert on_call(both, paris("2026-11-24T18:00")) == ("bruno",)
    assert on_call(both, paris("2026-12-25T10:00")) == ("bruno",)  # a Friday, Christmas
    strasbourg = plan(WEEK, office, region=Region.ALSACE_MOSELLE)
    assert on_call(strasbourg, paris("2027-03-26T10:00")) != ("claire",)  # Good Friday
    assert on_call(both, paris("2027-03-26T10:00")) == ("claire",)


def test_an_override_of_the_store_counts_more_than_one_of_the_file() -> None:
    fixed = {
        "person": "bruno",
        "starts_at": "2026-11-16T12:00:00",
        "ends_at": "2026-11-18T12:00:00",
    }
    found = plan(WEEK, overrides=[fixed])
    assert on_call(found, paris("2026-11-17T00:00")) == ("bruno",)
    stored = [
        Override(
            id=number,
            schedule="astreinte",
            person=person,
            starts_at=paris("2026-11-17T00:00"),
            ends_at=paris("2026-11-17T06:00"),
            actor="x",
            created_at=paris("2026-11-16T00:00"),
        )
        for number, person in ((2, "denis"), (1, "claire"))
    ]
    with_stored = replace(found, overrides=tuple(stored))
    assert on_call(with_stored, paris("2026-11-17T03:00")) == ("denis",)
    assert on_call(with_stored, paris("2026-11-17T06:00")) == ("bruno",)
    assert on_call(with_stored, paris("2026-11-18T12:00")) == ("anne",)


def test_gaps_and_overlaps_are_found() -> None:
    def event(starts: str, ends: str, person: str) -> Shift:
        return Shift(starts_at=paris(starts), ends_at=paris(ends), people=(person,))

    found = Schedule(
        id="x",
        zone=PARIS,
        calendar=(
            event("2026-11-16T08:00", "2026-11-18T08:00", "anne"),
            event("2026-11-17T08:00", "2026-11-19T08:00", "bruno"),
            event("2026-11-20T08:00", "2026-11-21T08:00", "anne"),
        ),
    )
    listed = shifts(found, paris("2026-11-16T08:00"), paris("2026-11-21T08:00"))
    assert [one.people for one in listed] == [
        ("anne",),
        ("anne", "bruno"),
        ("bruno",),
        (),
        ("anne",),
    ]
    assert [(one.starts_at, one.ends_at) for one in gaps(listed)] == [
        (paris("2026-11-19T08:00"), paris("2026-11-20T08:00"))
    ]
    assert [one.people for one in overlaps(listed)] == [("anne", "bruno")]


_days = st.sampled_from([None, ["mon", "tue"], ["sat", "sun"]])
_hours = st.sampled_from([None, "08:00-18:00", "18:00-08:00", "02:30-03:30"])


@settings(max_examples=30, deadline=None)
@given(
    days=_days,
    hours=_hours,
    handoff=st.sampled_from(["00:00", "02:30", "08:00"]),
    rotation=st.sampled_from(["1d", "3d", "1w"]),
    start=st.sampled_from(["2026-03-20", "2026-10-20"]),
    seconds=st.lists(st.integers(0, 14 * 86_400 - 1), min_size=5, max_size=20),
)
def test_shifts_say_at_every_instant_what_on_call_says(
    days: list[str] | None,
    hours: str | None,
    handoff: str,
    rotation: str,
    start: str,
    seconds: list[int],
) -> None:
    layer = {"people": ["a", "b", "c"], "start": start, "handoff": handoff, "rotation": rotation}
    found = plan(layer | ({"days": days} if days else {}) | ({"hours": hours} if hours else {}))
    first = paris(f"{start}T00:00")
    listed = shifts(found, first, first + timedelta(days=14))
    assert listed[0].starts_at == first
    assert all(one.ends_at == other.starts_at for one, other in pairwise(listed))
    for second in seconds:
        at = first + timedelta(seconds=second)
        (held,) = [one for one in listed if one.starts_at <= at < one.ends_at]
        assert held.people == on_call(found, at)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"layers": []}, "nobody is on it"),
        ({"layers": [WEEK | {"handoff": "8h"}]}, "handoff"),
        ({"layers": [WEEK | {"rotation": "1m"}]}, "rotation"),
        ({"layers": [WEEK | {"people": []}]}, "people is empty"),
        ({"layers": [WEEK | {"hours": "8-9"}]}, "hours"),
        ({"layers": [WEEK], "timezone": "Europe/Lutèce"}, "no time zone"),
        ({"layers": [WEEK], "refresh": "1s"}, "at least 1m"),
    ],
)
def test_what_could_never_work_is_refused_with_the_remedy(
    wrong: dict[str, object], said: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert({"id": "x", **wrong}, ScheduleSettings)
