"""Business time over closing times, holidays and turns of clocks; the cases were worked by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from veille.domain.calendar import Region, parse_days, parse_hours
from veille.domain.hours import YEARS, Opening, due, elapsed, is_open

PARIS = ZoneInfo("Europe/Paris")
REUNION = ZoneInfo("Indian/Reunion")
WEEK = ("mon", "tue", "wed", "thu", "fri")


def opening(
    *spans: str,
    days: tuple[str, ...] = WEEK,
    region: Region = Region.METROPOLE,
    zone: ZoneInfo = PARIS,
    closed: tuple[str, ...] = (),
) -> Opening:
    return Opening(
        spans=tuple(map(parse_hours, spans or ("09:00-17:00",))),
        days=parse_days(days),
        zone=zone,
        region=region,
        closed=frozenset(map(date.fromisoformat, closed)),
    )


OFFICE = opening()
ALSACE = opening(region=Region.ALSACE_MOSELLE)
LUNCH = opening("09:00-12:00", "13:30-17:00")
SATURDAYS = opening(days=(*WEEK, "sat"))
ALWAYS = opening("00:00-24:00", days=(*WEEK, "sat", "sun"), region=Region.NONE)
NIGHTS = opening("22:00-07:00", days=(*WEEK, "sat", "sun"), region=Region.NONE)
AUGUST = opening(closed=("2026-08-10", "2026-08-11", "2026-08-12", "2026-08-13", "2026-08-14"))
ISLAND = opening("08:00-16:00", zone=REUNION, region=Region.REUNION)
BRIDGE = opening(closed=("2026-05-15",))

CASES = (
    # S7 of the acceptance: half an hour, Monday to Friday, 09:00 to 17:00
    ("s7a_over_a_weekend", OFFICE, "2026-04-10 16:45", 30, "2026-04-13 09:15"),
    ("s7b_over_easter_monday", OFFICE, "2026-04-03 16:45", 30, "2026-04-07 09:15"),
    ("s7c_good_friday_in_strasbourg", ALSACE, "2026-04-03 16:45", 30, "2026-04-07 09:30"),
    ("s7d_saturday_before_the_clocks_turn", OFFICE, "2026-03-28 11:00", 30, "2026-03-30 09:30"),
    # borders of a day
    ("inside_of_one_day", OFFICE, "2026-04-14 10:00", 30, "2026-04-14 10:30"),
    ("at_the_opening", OFFICE, "2026-04-14 09:00", 30, "2026-04-14 09:30"),
    ("a_second_before_the_opening", OFFICE, "2026-04-14 08:59:59", 30, "2026-04-14 09:30"),
    ("at_the_closing", OFFICE, "2026-04-14 17:00", 30, "2026-04-15 09:30"),
    ("a_second_before_the_closing", OFFICE, "2026-04-14 16:59:59", 30, "2026-04-15 09:29:59"),
    ("over_exactly_at_the_closing", OFFICE, "2026-04-14 16:30", 30, "2026-04-14 17:00"),
    ("at_midnight", OFFICE, "2026-04-14 00:00", 30, "2026-04-14 09:30"),
    ("a_whole_day_of_work", OFFICE, "2026-04-14 09:00", 480, "2026-04-14 17:00"),
    ("a_minute_more_than_a_day", OFFICE, "2026-04-14 09:00", 481, "2026-04-15 09:01"),
    ("a_week_of_work", OFFICE, "2026-04-13 12:00", 2400, "2026-04-20 12:00"),
    # several spans a day
    ("inside_of_lunch", LUNCH, "2026-04-14 12:30", 30, "2026-04-14 14:00"),
    ("over_lunch", LUNCH, "2026-04-14 11:45", 30, "2026-04-14 13:45"),
    ("over_exactly_when_lunch_begins", LUNCH, "2026-04-14 11:30", 30, "2026-04-14 12:00"),
    ("open_on_saturdays", SATURDAYS, "2026-04-10 16:45", 30, "2026-04-11 09:15"),
    # holidays
    ("labour_day_makes_a_long_weekend", OFFICE, "2026-04-30 16:50", 30, "2026-05-04 09:20"),
    ("labour_and_victory_day_in_nine_days", OFFICE, "2026-04-30 09:00", 3360, "2026-05-12 17:00"),
    ("ascension_and_its_bridge", BRIDGE, "2026-05-13 16:45", 30, "2026-05-18 09:15"),
    ("whit_monday", OFFICE, "2026-05-22 16:45", 30, "2026-05-26 09:15"),
    ("assumption_on_a_saturday", OFFICE, "2026-08-14 16:45", 30, "2026-08-17 09:15"),
    ("closed_in_august", AUGUST, "2026-08-07 16:45", 30, "2026-08-17 09:15"),
    ("christmas_elsewhere", OFFICE, "2026-12-24 16:45", 30, "2026-12-28 09:15"),
    ("new_year", OFFICE, "2026-12-31 16:45", 30, "2027-01-04 09:15"),
    ("saint_stephen_in_metz_2025", ALSACE, "2025-12-24 16:45", 30, "2025-12-29 09:15"),
    ("saint_stephen_is_worked_in_lille_2025", OFFICE, "2025-12-24 16:45", 30, "2025-12-26 09:15"),
    ("abolition_day_in_la_reunion", ISLAND, "2027-12-17 15:45", 30, "2027-12-21 08:15", REUNION),
    ("abolition_day_is_worked_in_paris", OFFICE, "2027-12-17 16:45", 30, "2027-12-20 09:15"),
    # turns of clocks
    ("spring_night_has_an_hour_less", ALWAYS, "2026-03-29 01:30", 60, "2026-03-29 03:30"),
    ("autumn_night_has_an_hour_more", ALWAYS, "2026-10-25 01:30", 120, "2026-10-25 02:30+01:00"),
    ("a_spring_night_is_8_h", NIGHTS, "2026-03-28 22:00", 480, "2026-03-29 07:00"),
    ("an_autumn_night_is_10_h", NIGHTS, "2026-10-24 22:00", 600, "2026-10-25 07:00"),
    ("working_days_are_as_long_after_spring", OFFICE, "2026-03-27 09:00", 960, "2026-03-30 17:00"),
    ("working_days_are_as_long_after_autumn", OFFICE, "2026-10-23 09:00", 960, "2026-10-26 17:00"),
)  # fmt: skip


def moment(text: str, zone: ZoneInfo = PARIS) -> datetime:
    """Return the moment that clocks show so; with an offset, that of both that come twice."""
    read = datetime.fromisoformat(text)
    return (read.replace(tzinfo=zone) if read.tzinfo is None else read).astimezone(UTC)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_when_it_is_due(case: tuple[str, Opening, str, int, str]) -> None:
    _, hours, start, minutes, expected, *zone = case
    begun, wanted = (moment(text, *zone) for text in (start, expected))
    lasting = timedelta(minutes=minutes)
    assert due(begun, lasting, hours) == wanted
    assert elapsed(begun, wanted, hours) == lasting


def test_nobody_is_there_at_the_closing_time_and_somebody_is_at_the_opening() -> None:
    found = [
        is_open(moment(f"2026-04-14 {clock}"), LUNCH)
        for clock in ("08:59:59", "09:00", "11:59:59", "12:00", "13:30", "17:00")
    ]
    assert found == [False, True, True, False, True, False]


def test_no_hour_counts_twice_in_the_night_that_loses_one() -> None:
    nights = opening("22:00-02:30", "03:00-06:00", days=("sat", "sun"), region=Region.NONE)
    evening = datetime(2027, 3, 27, 21, 0, tzinfo=UTC)
    assert elapsed(evening, evening + timedelta(hours=12), nights) == timedelta(hours=7)
    assert due(evening, timedelta(hours=7), nights) == evening + timedelta(hours=7)


def test_an_end_before_the_start_is_no_time() -> None:
    assert elapsed(moment("2026-04-14 12:00"), moment("2026-04-14 11:00"), OFFICE) == timedelta(0)


def test_very_old_and_very_far_moments_do_not_count_for_ever() -> None:
    now = moment("2026-04-14 12:00")
    assert elapsed(datetime.min.replace(tzinfo=UTC) + timedelta(days=2), now, OFFICE) > timedelta(0)
    # hours that are never enough end no process: it is due in ten years
    assert due(now, timedelta(days=3650), OFFICE) - now == YEARS


_MOMENTS = st.datetimes(
    min_value=datetime(2025, 1, 1),  # noqa: DTZ001 hypothesis wants it so, with `timezones`
    max_value=datetime(2028, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
_OPENINGS = st.sampled_from([OFFICE, ALSACE, LUNCH, SATURDAYS, ALWAYS, NIGHTS, AUGUST, ISLAND])


@given(start=_MOMENTS, minutes=st.integers(0, 6000), hours=_OPENINGS)
def test_elapsed_is_the_inverse_of_due(start: datetime, minutes: int, hours: Opening) -> None:
    lasting = timedelta(minutes=minutes)
    assert elapsed(start, due(start, lasting, hours), hours) == lasting


@given(start=_MOMENTS, hours=_OPENINGS, minutes=st.integers(1, 20_000))
def test_due_is_the_inverse_of_elapsed_while_somebody_is_there(
    start: datetime, hours: Opening, minutes: int
) -> None:
    end = start + timedelta(minutes=minutes)
    assume(is_open(end, hours))
    used = elapsed(start, end, hours)
    assume(used > timedelta(0))
    assert due(start, used, hours) == end


@given(start=_MOMENTS, hours=_OPENINGS, first=st.integers(0, 9000), then=st.integers(0, 9000))
def test_time_adds_up(start: datetime, hours: Opening, first: int, then: int) -> None:
    middle, end = (start + timedelta(minutes=m) for m in (first, first + then))
    whole = elapsed(start, end, hours)
    assert whole == elapsed(start, middle, hours) + elapsed(middle, end, hours)
    assert whole <= end - start
