"""Until when an item may be put off: moments people mean, in the town's own time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import InputError
from veille.web.snooze import choices, moment_of, until_of

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> datetime:
    """Return a moment of Paris."""
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def shown(now: str) -> list[tuple[str, str]]:
    found = choices(at(now), PARIS)
    return [(name, f"{when.astimezone(PARIS):%a %H:%M}") for name, when in found.items()]


@pytest.mark.parametrize(
    ("now", "offered"),
    [
        (
            "2026-11-18T10:00",  # a Wednesday
            [("hour", "Wed 11:00"), ("evening", "Wed 17:00"), ("tomorrow", "Thu 09:00"),
             ("monday", "Mon 09:00")],
        ),
        (
            "2026-11-18T16:30",
            [("hour", "Wed 17:30"), ("tomorrow", "Thu 09:00"), ("monday", "Mon 09:00")],
        ),
        (
            "2026-11-22T02:00",  # a Sunday, at night: tomorrow is Monday
            [("hour", "Sun 03:00"), ("evening", "Sun 17:00"), ("tomorrow", "Mon 09:00")],
        ),
        (
            "2026-11-23T08:30",  # on a Monday the next one is meant
            [("hour", "Mon 09:30"), ("evening", "Mon 17:00"), ("tomorrow", "Tue 09:00"),
             ("monday", "Mon 09:00")],
        ),
    ],
)  # fmt: skip
def test_what_is_offered_when(now: str, offered: list[tuple[str, str]]) -> None:
    assert shown(now) == offered


@pytest.mark.parametrize("night", ["2026-03-28T20:00", "2026-10-24T20:00"])
def test_nine_in_the_morning_is_nine_after_the_clocks_change(night: str) -> None:
    assert dict(shown(night))["tomorrow"] == "Sun 09:00"


@given(
    st.datetimes(
        datetime.fromisoformat("2026-01-01"),
        datetime.fromisoformat("2028-01-01"),
        timezones=st.just(UTC),
    )
)
def test_all_that_is_offered_lies_ahead_and_differs(now: datetime) -> None:
    found = list(choices(now, PARIS).values())
    assert all(timedelta(0) < when - now <= timedelta(days=8) for when in found)
    assert sorted(set(found)) == found


def test_what_is_not_offered_is_refused() -> None:
    with pytest.raises(InputError, match="load the page again"):
        until_of("evening", at("2026-11-18T18:00"), PARIS)
    with pytest.raises(InputError):
        until_of("2030-01-01", at("2026-11-18T18:00"), PARIS)


def test_a_date_is_of_the_town_s_clock() -> None:
    assert moment_of("2026-12-24T09:00", PARIS) == datetime(2026, 12, 24, 8, tzinfo=UTC)
    assert moment_of("2026-07-14T09:00", PARIS) == datetime(2026, 7, 14, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    "written", ["demain", "2026-13-01T09:00", "2026-12-24T09:00Z", "0001-01-01T00:00", "9" * 99]
)
def test_a_date_of_nonsense_is_refused(written: str) -> None:
    with pytest.raises(InputError):
        moment_of(written, PARIS)
