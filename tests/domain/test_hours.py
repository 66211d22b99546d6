"""Business time over closing times, holidays and turns of clocks; the cases were worked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
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
LATER = opening("09:00-12:00", "13:30-17:00", closed=("2028-05-26",))
BARS = opening("22:00-02:00", days=("fri", "sat"))
ANTILLES = ZoneInfo("America/Guadeloupe")
NOUMEA = ZoneInfo("Pacific/Noumea")

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
    # the years to come
    ("leap_day", OFFICE, "2028-02-29 16:45", 30, "2028-03-01 09:15"),
    ("into_a_leap_day", OFFICE, "2028-02-28 16:59:30", 30, "2028-02-29 09:29:30"),
    ("easter_2028", OFFICE, "2028-04-14 16:45", 30, "2028-04-18 09:15"),
    ("easter_2028_in_colmar", ALSACE, "2028-04-13 16:45", 30, "2028-04-18 09:15"),
    ("christmas_2028_in_colmar", ALSACE, "2028-12-22 16:45", 30, "2028-12-27 09:15"),
    ("saint_stephen_on_a_sunday", ALSACE, "2027-12-24 16:45", 30, "2027-12-27 09:15"),
    ("ascension_2028_with_its_bridge", LATER, "2028-05-24 16:45", 30, "2028-05-29 09:15"),
    ("whit_monday_2028", OFFICE, "2028-06-02 16:45", 30, "2028-06-06 09:15"),
    ("labour_day_on_a_monday", OFFICE, "2028-04-30 12:00", 30, "2028-05-02 09:30"),
    ("victory_day_on_a_monday", OFFICE, "2028-05-05 16:45", 30, "2028-05-09 09:15"),
    ("all_saints_on_a_wednesday", OFFICE, "2028-11-01 10:00", 30, "2028-11-02 09:30"),
    ("abolition_in_guadeloupe", opening(zone=ANTILLES, region=Region.GUADELOUPE),
        "2027-05-26 16:45", 30, "2027-05-28 09:15", ANTILLES),
    ("citizenship_in_noumea", opening(zone=NOUMEA, region=Region.NOUVELLE_CALEDONIE),
        "2027-09-23 16:45", 30, "2027-09-27 09:15", NOUMEA),
    ("over_midnight", BARS, "2028-03-24 23:50", 30, "2028-03-25 00:20"),
    ("over_midnight_into_the_next_night", BARS, "2028-03-25 01:50", 30, "2028-03-25 22:20"),
    ("in_the_hour_that_is_lost", BARS, "2028-03-26 03:30", 30, "2028-03-31 22:30"),
    ("in_the_hour_that_comes_twice", BARS, "2028-10-29 01:50", 30, "2028-11-03 22:20"),
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


def test_a_local_time_over_a_turn_of_clocks_counts_what_passes() -> None:
    begun = datetime(2027, 3, 27, 23, tzinfo=PARIS)
    over = datetime(2027, 3, 28, 6, tzinfo=PARIS)
    assert elapsed(begun, over, NIGHTS) == timedelta(hours=6)
    assert due(begun, timedelta(hours=6), NIGHTS) == over.astimezone(UTC)


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


def walked(start: datetime, minutes: int, hours: Opening) -> datetime:
    """Return when it is due, by looking at the wall once a minute."""
    while minutes:
        wall = start.astimezone(hours.zone)
        for span in hours.spans:
            ends_tomorrow = span.ends <= span.starts
            is_late = ends_tomorrow and wall.time() < span.ends
            is_on = wall.time() >= span.starts and (ends_tomorrow or wall.time() < span.ends)
            day = wall.date() - timedelta(days=1 if is_late else 0)
            if (is_late or is_on) and day.weekday() in hours.days and day not in hours.closed:
                minutes -= 1
        start += timedelta(minutes=1)
    return start


@settings(max_examples=30)
@given(
    start=st.sampled_from(["2027-03-27 12:00", "2028-02-28 06:00", "2028-10-28 05:00"]),
    later=st.integers(0, 3000),
    minutes=st.integers(1, 400),
    spans=st.sampled_from([("09:00-12:00", "13:30-17:00"), ("22:00-06:00",), ("06:00-00:00",)]),
    days=st.sets(st.integers(0, 6), min_size=3),
    zone=st.sampled_from(["Europe/Paris", "America/Miquelon", "Pacific/Noumea"]),
)
def test_due_is_what_a_look_at_the_wall_each_minute_finds(
    start: str, later: int, minutes: int, spans: tuple[str, ...], days: set[int], zone: str
) -> None:
    hours = replace(
        opening(*spans, zone=ZoneInfo(zone), region=Region.NONE, closed=("2028-02-29",)),
        days=frozenset(days),
    )
    begun = moment(start, hours.zone) + timedelta(minutes=later)
    assert due(begun, timedelta(minutes=minutes), hours) == walked(begun, minutes, hours)


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
