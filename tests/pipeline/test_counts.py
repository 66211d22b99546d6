"""Detectors on a series of counts: outages and saturation are no calm, events are found."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from zoneinfo import ZoneInfo

import pytest

from veille.domain.errors import InputError
from veille.pipeline.comparison import Origin, compare
from veille.pipeline.counted import Event, Setup, Sight, alarms, besides, delay
from veille.pipeline.counts import MINUTE, Counts, read_counts

PARIS = ZoneInfo("Europe/Paris")
START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def lines(*rows: dict[str, object]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def row(minute: int, count: int, **more: object) -> dict[str, object]:
    at = START + minute * MINUTE
    return {"minute": f"{at:%Y-%m-%dT%H:%MZ}", "count": count, **more}


def test_json_lines_and_csv_say_the_same() -> None:
    rows = [row(0, 3), row(1, 4, capped=True), row(3, 5), row(4, 0, gap=True)]
    text = "minute,count,capped,gap\n" + "".join(
        f"{r['minute']},{r['count']},{str(r.get('capped', False)).lower()},"
        f"{str(r.get('gap', False)).lower()}\n"
        for r in rows
    )
    first, second = read_counts(lines(*rows), "a"), read_counts(text.encode(), "b")
    assert first == second
    assert list(first.until) == [0, 3, 7, 7, 12, 12]
    assert first.unheard[-1] == 2, "the minute without a line, and the one that says so"
    assert first.capped[-1] == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no counts here"),
        (b"a,b\n1,2\n", "must name the columns"),
        (lines({"minute": "hier", "count": 1}), "line 1: minute: write"),
        (lines({"minute": "2026-03-02T00:00", "count": 1}), "the offset is missing"),
        (lines(row(0, 1), row(0, 2)), "line 2: the minute 2026-03-02T00:00Z stands twice"),
        (lines(row(0, -1)), "below 0"),
        (lines({"minute": "2026-03-02T00:00Z", "count": "x"}), "line 1: Expected `int`"),
        (lines(row(0, 1), {"minute": "2036-03-02T00:00Z", "count": 1}), "more than three years"),
        (b"minute,count\n", "no counts here"),
        (b"minute,count\n0001-01-01T00:00+14:00,1\n", "line 2: minute: write"),
        (lines({"minute": "9999-12-31T23:59-14:00", "count": 1}), "line 1: minute: write"),
        (b"x" * 200_000, "line 1: field larger"),
        (b'minute,count\n"' + b"x" * 200_000 + b'",1\n', "line 2: field larger"),
        (lines(row(0, 10**30)), "line 1: count: 1000"),
    ],
)
def test_a_wrong_line_is_named(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        read_counts(data, "c")


@cache
def week(burst: int = 0, *, silent: range = range(0), capped: range = range(0)) -> Counts:
    """Seven days of some 60 an hour; a burst for two hours from noon of the sixth."""
    draw = random.Random(5)
    noon = 5 * 1440 + 12 * 60
    minutes = range(7 * 1440)
    counts = [
        0 if n in silent else draw.randint(0, 2) + burst * (noon <= n < noon + 120) for n in minutes
    ]
    return Counts(
        start=START,
        until=(0, *accumulate(counts)),
        unheard=(0, *accumulate(int(n in silent) for n in minutes)),
        capped=(0, *accumulate(int(n in capped) for n in minutes)),
    )


NOON = Event(
    id="midi", start=START + timedelta(days=5, hours=12), end=START + timedelta(days=5, hours=14)
)


def setup() -> Setup:
    return Setup(window=HOUR, looks=1, zone=PARIS)


def test_a_burst_is_found_by_ours_and_calm_days_are_calm() -> None:
    found = compare(week(4), [NOON], setup())
    ours = {r.detector: r for r in found.rows if r.origin is Origin.SHIPPED}
    assert set(ours) == {"spike", "build"}
    for each in ours.values():
        assert each.found[0].delay_s is not None
        assert each.found[0].delay_s <= 3600
        assert each.other_per_week <= 1
    assert len(found.rows) == 10
    tuned = [r for r in found.rows if r.origin is Origin.TUNED]
    assert all(r.halves[0].other_per_week <= 3 for r in tuned), "chosen there"
    assert found.judged_from is not None
    assert found.judged_from - START >= timedelta(days=3)


def test_an_outage_teaches_nothing_and_raises_nothing() -> None:
    start = 4 * 1440
    counts = week(silent=range(start, start + 1440))
    assert len(counts.hours()) == 6 * 24
    found = compare(counts, [], setup())
    outage = START + start * MINUTE
    for each in found.rows[:2]:
        near = [a for a in each.other if abs(a.start - outage) < timedelta(days=4)]
        assert near == [], each.detector
    assert found.unheard_minutes == 1440


def test_saturated_hours_do_not_teach() -> None:
    counts = week(capped=range(600, 660))
    assert len(counts.hours()) == 7 * 24 - 1


def sight(end: int, score: float, **more: bool) -> Sight:
    return Sight(end=end, score=score, count=end, expected=1.0, **more)


def test_an_alarm_ends_after_calm_that_was_heard_and_not_capped() -> None:
    counts = week()
    apart = [sight(10, 9.0), sight(40, 1.0), sight(71, 9.0)]
    assert len(alarms(counts, apart, 9.0, HOUR)) == 1, "calm for half an hour only"
    calm = [sight(10, 9.0), sight(40, 1.0), sight(80, 1.0), sight(90, 9.0)]
    assert len(alarms(counts, calm, 9.0, HOUR)) == 2
    capped = [sight(10, 9.0), sight(40, 1.0), sight(80, 1.0, is_unsure=True), sight(90, 9.0)]
    assert len(alarms(counts, capped, 9.0, HOUR)) == 1


def test_the_delay_is_from_the_start_and_none_before_it() -> None:
    counts = week()
    found = alarms(counts, [sight(10, 9.0), sight(100, 1.0), sight(200, 9.5)], 9.0, HOUR)
    at = START + 5 * MINUTE
    event = Event(id="e", start=at, end=at + timedelta(hours=1))
    assert delay(event, found) == 5 * MINUTE
    early = Event(id="e", start=START + 10 * MINUTE, end=START + 11 * MINUTE)
    assert delay(early, found) == timedelta(0)
    assert [a.start for a in besides(found, [event])] == [START + 200 * MINUTE]
    assert (
        delay(Event(id="x", start=at - timedelta(days=2), end=at - timedelta(days=1)), found)
        is None
    )
