from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import InputError
from veille.reports.settings import ReportsSettings
from veille.reports.week import Week

PARIS = ZoneInfo("Europe/Paris")
FIRST, LAST = datetime(1990, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 hypothesis adds UTC
ZONES = st.sampled_from(["Europe/Paris", "Pacific/Marquesas", "America/Cayenne", "Asia/Kathmandu"])


@pytest.mark.parametrize(
    ("name", "hours"), [("2026-W12", 168), ("2026-W13", 167), ("2026-W43", 169), ("2026-W47", 168)]
)
def test_a_week_is_as_long_as_clocks_make_it(name: str, hours: int) -> None:
    week = Week.named(name, PARIS)
    assert week.ends_at - week.starts_at == timedelta(hours=hours)


@given(st.datetimes(FIRST, LAST, timezones=st.just(UTC)), ZONES)
def test_every_instant_lies_in_exactly_one_week_which_its_name_finds_again(
    at: datetime, zone: str
) -> None:
    week = Week.of(at, ZoneInfo(zone))
    assert week.starts_at <= at < week.ends_at
    assert week.previous.ends_at == week.starts_at
    assert Week.named(week.name, ZoneInfo(zone)) == week


def test_the_first_days_of_january_may_belong_to_the_week_of_the_year_before() -> None:
    week = Week.of(datetime(2027, 1, 2, 12, tzinfo=UTC), PARIS)
    assert (week.name, week.monday) == ("2026-W53", date(2026, 12, 28))


@pytest.mark.parametrize(
    "name",
    ["", "2026", "2026-47", "2026-W54", "2025-W53", "2026-W00", "W47", "9999-W53", "0001-W01"],
)
def test_a_week_that_no_calendar_has_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(InputError, match="write it as 2026-W47"):
        Week.named(name, PARIS)


def test_an_hour_that_clocks_skip_is_due_all_the_same() -> None:
    due = Week.named("2026-W13", PARIS).at(6, time(2, 30))  # Sunday 29 March, 02:00 to 03:00
    assert due == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("written", ["monday 08:00", "mon 8:00", "mon 24:00", "mon", "lun 08:00"])
def test_a_time_that_never_comes_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match='write "mon 08:00", or "off"'):
        ReportsSettings(weekly=written)


@pytest.mark.parametrize("written", ["", "off"])
def test_the_summary_can_be_turned_off(written: str) -> None:
    assert ReportsSettings(weekly=written).when is None
    assert ReportsSettings().when is not None
