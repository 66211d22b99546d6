"""Public holidays and hours of a day, over both nights on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.calendar import (
    Region,
    holiday,
    is_holiday,
    open_span,
    parse_days,
    parse_hours,
    region_of,
    weekday,
)
from veille.domain.errors import InputError

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "region", "is_free"),
    [
        (date(2026, 7, 14), Region.METROPOLE, True),
        (date(2026, 4, 6), Region.METROPOLE, True),  # Easter Monday
        (date(2026, 4, 3), Region.METROPOLE, False),  # Good Friday
        (date(2026, 4, 3), Region.ALSACE_MOSELLE, True),
        (date(2026, 12, 26), Region.ALSACE_MOSELLE, True),
        (date(2026, 12, 26), Region.METROPOLE, False),
        (date(2026, 12, 20), Region.REUNION, True),  # abolition of slavery
        (date(2026, 5, 27), Region.GUADELOUPE, True),
        (date(2026, 5, 22), Region.MARTINIQUE, True),
        (date(2026, 6, 10), Region.GUYANE, True),
        (date(2026, 4, 27), Region.MAYOTTE, True),
        (date(2026, 12, 25), Region.NONE, False),
        (date(2026, 11, 12), Region.METROPOLE, False),
    ],
)
def test_public_holidays_are_those_of_the_region(day: date, region: Region, is_free: bool) -> None:
    assert is_holiday(day, region) is is_free


def test_a_holiday_has_a_french_name_and_counts_as_a_sunday() -> None:
    assert holiday(date(2026, 12, 25), Region.METROPOLE) == "Noël"
    assert weekday(date(2026, 12, 25), Region.METROPOLE) == 6
    assert weekday(date(2026, 12, 25), Region.NONE) == 4


@pytest.mark.parametrize("region", list(Region))
def test_every_region_has_its_holidays(region: Region) -> None:
    found = [date(2027, 1, 1) + timedelta(days=n) for n in range(365)]
    count = sum(is_holiday(day, region) for day in found)
    assert count == 0 if region is Region.NONE else count >= 11


@pytest.mark.parametrize(
    ("codes", "region"),
    [
        (["67482"], Region.ALSACE_MOSELLE),
        (["57"], Region.ALSACE_MOSELLE),
        (["97411"], Region.REUNION),
        (["2A004"], Region.METROPOLE),
        (["99001"], Region.METROPOLE),
        (["33063", "97209"], Region.MARTINIQUE),
        ([], Region.METROPOLE),
    ],
)
def test_the_region_follows_from_the_territory(codes: list[str], region: Region) -> None:
    assert region_of(codes) is region


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 28), 8), (date(2026, 10, 24), 10), (date(2026, 11, 20), 9)],
)
def test_a_night_is_as_long_as_clocks_make_it(day: date, hours: int) -> None:
    starts, ends = parse_hours("22:00-07:00").span(day, PARIS)
    assert ends - starts == hours * HOUR


@given(at=st.integers(0, 730 * 86_400).map(lambda s: FIRST + timedelta(seconds=s)))
def test_every_instant_is_in_the_day_span_or_in_the_night_span(at: datetime) -> None:
    spans = [
        open_span(at, hours=parse_hours(text), days=None, zone=PARIS)
        for text in ("07:00-22:00", "22:00-07:00")
    ]
    assert sum(span is not None for span in spans) == 1
    (span,) = [span for span in spans if span is not None]
    assert span[0] <= at < span[1]


def test_a_span_past_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = datetime(2026, 11, 21, 3, tzinfo=PARIS)
    weekdays = parse_days(["mon", "tue", "wed", "thu", "fri"])
    hours = parse_hours("18:00-08:00")
    assert open_span(friday_night, hours=hours, days=weekdays, zone=PARIS) is not None
    saturday_night = friday_night + timedelta(days=1)
    assert open_span(saturday_night, hours=hours, days=weekdays, zone=PARIS) is None


@pytest.mark.parametrize("text", ["", "8-18", "08:00", "25:00-26:00", "08:60-09:00", "٠٨:00-09:00"])
def test_what_is_no_span_of_hours_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write"):
        parse_hours(text)


def test_a_day_of_no_week_is_refused() -> None:
    with pytest.raises(InputError, match="lundi"):
        parse_days(["lundi"])
