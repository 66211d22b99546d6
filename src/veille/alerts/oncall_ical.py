"""An iCalendar file (RFC 5545) as shifts: events titled by a person's id or name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from icalendar import Calendar

from veille.domain.errors import InputError
from veille.domain.oncall import Shift
from veille.domain.text import fold

LIMIT_BYTES = 1024 * 1024
EVENTS = 2_000
DEPTH = 4
"""A calendar holds a time zone that holds its rules, or an event that holds an alarm."""
RECURRING = 50
OCCURRENCES = 8_000
OLDEST = timedelta(days=20 * 366)
"""Repeated events are walked day by day from their beginning: about a second for all of them."""
LONGEST = timedelta(days=35)
"""No repeated shift lasts longer."""
_BEGINS = re.compile(rb"^BEGIN:", re.MULTILINE | re.IGNORECASE)
_BRACKETS = re.compile(rb"^(BEGIN|END):", re.MULTILINE | re.IGNORECASE)
_UNDERSTOOD = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"}
_WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_TITLE = 80
Event = Any
"""icalendar's: its properties are unions of thirty types, told apart here by what they hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The shifts of a calendar in order, and the titles that name nobody."""

    shifts: tuple[Shift, ...]
    unknown: tuple[str, ...]


def parse_calendar(
    data: bytes, *, people: Mapping[str, str], zone: tzinfo, starts_at: datetime, ends_at: datetime
) -> Imported:
    """Return the shifts that touch the time from `starts_at` to `ends_at`.

    `people` gives names by id; titles are compared without case and accents. Times without a zone
    and whole days are by `zone`. InputError for what is no calendar, is over 1 MiB, or repeats
    more often than daily, endlessly without effect, or too much.
    """
    known = {fold(word): person for person, name in people.items() for word in (name, person)}
    found: list[Shift] = []
    unknown: dict[str, None] = {}
    events = _events(data)
    for event in events:
        title = " ".join(str(event.get("SUMMARY", "")).split())
        person = known.get(fold(title))
        try:
            spans = _spans(event, _moved(event, events, zone), zone, starts_at, ends_at)
            if person is not None:
                found += [Shift(starts_at=s, ends_at=e, people=(person,)) for s, e in spans]
            elif "RRULE" in event or any(
                True for _ in spans
            ):  # how a stranger repeats is no matter
                unknown.setdefault(title[:_TITLE])
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise InputError(f"an event cannot be read ({type(error).__name__})") from error
        if len(found) > OCCURRENCES:
            raise InputError(f"the calendar has over {OCCURRENCES} shifts in these weeks")
    found.sort(key=lambda shift: (shift.starts_at, shift.people))
    return Imported(shifts=tuple(found), unknown=tuple(unknown))


def _events(data: bytes) -> list[Event]:
    if len(data) > LIMIT_BYTES:
        raise InputError(f"the calendar is over {LIMIT_BYTES} bytes: export on-call shifts alone")
    if _depth(data) > DEPTH:
        raise InputError("this is no iCalendar file: its parts are nested too deep")
    if len(_BEGINS.findall(data)) > EVENTS:
        raise InputError(f"the calendar holds over {EVENTS} events: export on-call shifts alone")
    try:
        calendars = Calendar.from_ical(data, multiple=True)
        events = [event for one in calendars for event in one.walk("VEVENT")]
    except Exception as error:  # a parser of hostile bytes: whatever it raises
        raise InputError(f"this is no iCalendar file ({type(error).__name__})") from error
    if not calendars:
        raise InputError("this is no iCalendar file: it holds no VCALENDAR")
    if sum("RRULE" in event for event in events) > RECURRING:
        raise InputError(f"the calendar repeats over {RECURRING} events: export shifts alone")
    return events


def _depth(data: bytes) -> int:
    """Return how deep its parts are nested, before a parser that recurses looks at them."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(re.sub(rb"\r?\n[ \t]", b"", data)):
        depth += 1 if bracket.upper() == b"BEGIN" else -1
        deepest = max(deepest, depth)
    return deepest


def _moved(event: Event, events: list[Event], zone: tzinfo) -> frozenset[datetime]:
    """Return the times of a repeated event that other events stand for."""
    if "RRULE" not in event:
        return frozenset()
    return frozenset(
        _local(other["RECURRENCE-ID"].dt, zone).astimezone(UTC)
        for other in events
        if "RECURRENCE-ID" in other and str(other.get("UID", "")) == str(event.get("UID", ""))
    )


def _spans(
    event: Event,
    moved: frozenset[datetime],
    zone: tzinfo,
    starts_at: datetime,
    ends_at: datetime,
) -> Iterator[tuple[datetime, datetime]]:
    """Yield beginning and end of each occurrence that touches the time asked for."""
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    begins, lasts = _bounds(event, zone)
    for local in _occurrences(event, begins, zone, starts_at, ends_at):
        starts = local.astimezone(UTC)
        ends = (local.replace(tzinfo=None) + lasts).replace(tzinfo=local.tzinfo).astimezone(UTC)
        if starts not in moved and starts_at < ends and starts < ends_at:
            yield starts, ends


def _bounds(event: Event, zone: tzinfo) -> tuple[datetime, timedelta]:
    """Return the beginning by its own clocks, and how long it lasts by them."""
    first = event["DTSTART"].dt
    begins = _local(first, zone)
    if "DTEND" in event:
        last = _local(event["DTEND"].dt, zone).astimezone(begins.tzinfo)
        lasts = last.replace(tzinfo=None) - begins.replace(tzinfo=None)
    elif "DURATION" in event:
        lasts = event["DURATION"].dt
    else:
        lasts = timedelta(0) if isinstance(first, datetime) else timedelta(days=1)
    if lasts < timedelta(0):
        raise InputError("an event ends before it begins")
    return begins, lasts


def _occurrences(
    event: Event, begins: datetime, zone: tzinfo, starts_at: datetime, ends_at: datetime
) -> Iterator[datetime]:
    """Yield when the event begins, each time up to `ends_at`, by its own clocks.

    Of repeated ones those that begin more than `LONGEST` before `starts_at` are left out.
    """
    own = begins.tzinfo or zone
    if "RRULE" not in event:
        yield begins
    else:
        left_out = {at.astimezone(UTC) for at in _dates(event, "EXDATE", zone, own)}
        for naive in _walked(event["RRULE"], begins, own, starts_at, ends_at):
            local = naive.replace(tzinfo=own)
            if local.astimezone(UTC) not in left_out:
                yield local
    yield from _dates(event, "RDATE", zone, own)


def _walked(
    rule: Event, begins: datetime, own: tzinfo, starts_at: datetime, ends_at: datetime
) -> Iterator[datetime]:
    """Yield the times of a daily or weekly rule (RFC 5545, 3.3.10), a day at a time.

    Its own walk: dateutil follows a rule that never matches up to the year 9999.
    """
    frequency = "".join(str(one).upper() for one in rule.get("FREQ", []))
    others = {str(key).upper() for key in rule} - _UNDERSTOOD
    if frequency not in {"DAILY", "WEEKLY"} or others:
        raise InputError("a shift repeats otherwise than by day or week: write DAILY or WEEKLY")
    every = min([int(one) for one in rule.get("INTERVAL", [])] or [1])
    if every < 1:
        raise InputError("a shift repeats without end: INTERVAL is 0")
    if ends_at - begins.astimezone(UTC) > OLDEST:
        raise InputError("a repeated shift begins over twenty years ago: let it begin later")
    first = begins.replace(tzinfo=None)
    limits = [ends_at, *(_local(until, own) for until in rule.get("UNTIL", []))]
    last = min(limit.astimezone(own).replace(tzinfo=None) for limit in limits)
    earliest = (starts_at.astimezone(own).replace(tzinfo=None) - LONGEST - first).days
    days = {_WEEK.index(str(day).upper()) for day in rule.get("BYDAY", [])}
    if frequency == "WEEKLY":
        days = days or {first.weekday()}
    starts_on = _WEEK.index("".join(str(day).upper() for day in rule.get("WKST", ["MO"])))
    into_week = (first.weekday() - starts_on) % 7
    is_weekly = frequency == "WEEKLY"
    left = min([OCCURRENCES, *(int(n) for n in rule.get("COUNT", []))])
    for number in range((last - first).days + 1):
        period = (into_week + number) // 7 if is_weekly else number
        if period % every or (days and (first.weekday() + number) % 7 not in days):
            continue
        if number >= earliest:
            yield first + timedelta(days=number)
        left -= 1
        if left <= 0:
            return


def _dates(event: Event, name: str, zone: tzinfo, own: tzinfo) -> Iterator[datetime]:
    given = event.get(name, [])
    for one in given if isinstance(given, list) else [given]:
        for each in one.dts:
            at = each.dt[0] if isinstance(each.dt, tuple) else each.dt
            yield _local(at, zone).astimezone(own)


def _local(at: date, zone: tzinfo) -> datetime:
    """Return an aware time: a day begins at midnight, what has no zone has the schedule's."""
    if not isinstance(at, datetime):
        return datetime.combine(at, time(), tzinfo=zone)
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)
