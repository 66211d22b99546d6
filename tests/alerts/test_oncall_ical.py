"""Imported calendars: what Google, Nextcloud and people write, and what nobody should."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from veille.alerts.oncall_ical import LIMIT_BYTES, Imported, parse_calendar
from veille.domain.errors import InputError

PARIS = ZoneInfo("Europe/Paris")
PEOPLE = {"anne": "Anne Lefèvre", "bruno": "Bruno"}


def calendar(*events: str) -> bytes:
    inner = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//FR\r\n"
    return f"{head}{inner}END:VCALENDAR\r\n".encode()


def read(data: bytes, since: str = "2026-10-01", until: str = "2026-12-01") -> Imported:
    first, last = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (since, until))
    return parse_calendar(data, people=PEOPLE, zone=PARIS, starts_at=first, ends_at=last)


def times(found: Imported) -> list[tuple[str, str, str]]:
    return [
        (f"{s.starts_at:%m-%dT%H:%M}", f"{s.ends_at:%m-%dT%H:%M}", s.people[0])
        for s in found.shifts
    ]


def test_events_are_found_by_id_or_name_without_case_and_accents() -> None:
    events = [
        f"UID:{n}\r\nSUMMARY:{title}\r\nDTSTART:2026110{n}T080000Z\r\nDTEND:2026110{n}T200000Z"
        for n, title in enumerate(("ANNE", "anne  lefevre", "Bruno", "Congés de Paul"), start=1)
    ]
    found = read(calendar(*events))
    assert times(found) == [
        ("11-01T08:00", "11-01T20:00", "anne"),
        ("11-02T08:00", "11-02T20:00", "anne"),
        ("11-03T08:00", "11-03T20:00", "bruno"),
    ]
    assert found.unknown == ("Congés de Paul",)


def test_whole_days_zones_and_floating_times_are_by_the_clocks_they_name() -> None:
    found = read(
        calendar(
            "UID:1\r\nSUMMARY:anne\r\nDTSTART;VALUE=DATE:20261024\r\nDTEND;VALUE=DATE:20261026",
            "UID:2\r\nSUMMARY:bruno\r\nDTSTART:20261101T080000\r\nDURATION:PT12H",
            "UID:3\r\nSUMMARY:anne\r\nDTSTART;TZID=Indian/Reunion:20261102T080000\r\n"
            "DTEND;TZID=Indian/Reunion:20261102T200000",
        )
    )
    assert times(found) == [
        ("10-23T22:00", "10-25T23:00", "anne"),  # the clocks change in between: 49 hours
        ("11-01T07:00", "11-01T19:00", "bruno"),
        ("11-02T04:00", "11-02T16:00", "anne"),
    ]


def test_a_weekly_event_keeps_its_hour_when_clocks_change_and_skips_what_was_taken_out() -> None:
    weekly = (
        "UID:1\r\nSUMMARY:anne\r\nDTSTART;TZID=Europe/Paris:20261016T180000\r\n"
        "DTEND;TZID=Europe/Paris:20261017T080000\r\n"
        "RRULE:FREQ=WEEKLY;COUNT=5\r\nEXDATE;TZID=Europe/Paris:20261030T180000"
    )
    moved = (
        "UID:1\r\nSUMMARY:bruno\r\nRECURRENCE-ID;TZID=Europe/Paris:20261106T180000\r\n"
        "DTSTART;TZID=Europe/Paris:20261106T200000\r\nDTEND;TZID=Europe/Paris:20261107T080000"
    )
    assert times(read(calendar(weekly, moved))) == [
        ("10-16T16:00", "10-17T06:00", "anne"),
        ("10-23T16:00", "10-24T06:00", "anne"),
        ("11-06T19:00", "11-07T07:00", "bruno"),
        ("11-13T17:00", "11-14T07:00", "anne"),
    ]


def test_what_was_cancelled_or_lies_elsewhere_does_not_count() -> None:
    found = read(
        calendar(
            "UID:1\r\nSUMMARY:anne\r\nSTATUS:CANCELLED\r\nDTSTART:20261101T080000Z\r\n"
            "DTEND:20261101T200000Z",
            "UID:2\r\nSUMMARY:anne\r\nDTSTART:20200101T080000Z\r\nDTEND:20200101T200000Z",
        )
    )
    assert found.shifts == ()


RULE = "UID:1\r\nSUMMARY:anne\r\nDTSTART:20261001T080000Z\r\nDTEND:20261001T200000Z\r\nRRULE:"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no iCalendar"),
        (b"<html>Sign in</html>", "no iCalendar"),
        (b"\xff\xfe\x00", "no iCalendar"),
        (b"BEGIN:VCALENDAR\r\n" * 1000, "nested too deep"),
        (b"x" * (LIMIT_BYTES + 1), "over"),
        (calendar(*["UID:1\r\nSUMMARY:anne"] * 2001), "over 2000 events"),
        (calendar(RULE + "FREQ=SECONDLY"), "by day or week"),
        (calendar(RULE + "FREQ=DAILY;BYHOUR=1,2,3"), "by day or week"),
        (calendar(RULE + "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), "by day or week"),
        (calendar(RULE + "FREQ=MONTHLY;BYDAY=1MO"), "by day or week"),
        (calendar(RULE + "FREQ=WEEKLY;BYDAY=1MO"), "cannot be read"),
        (calendar(RULE + "FREQ=DAILY;INTERVAL=0"), "INTERVAL"),
        (calendar(*[RULE + "FREQ=DAILY"] * 51), "repeats over"),
        (calendar(RULE.replace("2026", "1926") + "FREQ=DAILY"), "twenty years"),
        (calendar("UID:1\r\nSUMMARY:anne\r\nDTSTART:demain"), "cannot be read"),
        (calendar("UID:1\r\nSUMMARY:anne"), "cannot be read"),
        (
            calendar("UID:1\r\nSUMMARY:anne\r\nDTSTART:20261101T080000Z\r\nDTEND:20261031T080000Z"),
            "ends before",
        ),
    ],
)
def test_hostile_calendars_are_refused_with_a_reason(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(data)


def test_an_old_rule_keeps_its_rhythm() -> None:
    fortnightly = RULE.replace("20261001", "20180104") + "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH"
    found = read(calendar(fortnightly)).shifts
    assert {(one.starts_at.date() - date(2018, 1, 4)).days % 14 for one in found} == {0}
    assert len(found) == 5


def test_fifty_rules_of_twenty_years_are_walked_through() -> None:
    daily = calendar(*[RULE.replace("2026", "2007") + "FREQ=DAILY;COUNT=8000"] * 50)
    assert len(read(daily, "2026-11-01", "2026-11-02").shifts) == 50


def test_one_occurrence_that_was_cancelled_is_left_out() -> None:
    daily = RULE + "FREQ=DAILY;COUNT=3"
    gone = (
        "UID:1\r\nSUMMARY:anne\r\nSTATUS:CANCELLED\r\nRECURRENCE-ID:20261002T080000Z\r\n"
        "DTSTART:20261002T080000Z\r\nDTEND:20261002T200000Z"
    )
    assert [one.starts_at.day for one in read(calendar(daily, gone)).shifts] == [1, 3]


def test_a_stranger_of_years_ago_is_not_reported() -> None:
    past = "UID:2\r\nSUMMARY:Paul\r\nDTSTART:20200101T080000Z\r\nDTEND:20200101T200000Z"
    assert read(calendar(past)).unknown == ()
