"""Seasons: the tail against a plain sum, hours over clock changes, bursts, false alarms."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veille.domain.history import History, hour_number, hour_start
from veille.rules.parse import parse_rules
from veille.rules.past import Past
from veille.rules.season import HOURS, expected, hour_of_week, learn, learnable
from veille.rules.tail import smallest, surprise

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def plain_tail(count: int, mean: float, dispersion: float) -> float:
    """P(X >= count) as 1 minus a sum of probabilities made one from the other."""
    if dispersion == 1:
        chance = math.exp(-mean)
        chances = [chance := chance * mean / k for k in range(1, count)]
        return 1 - math.fsum([math.exp(-mean), *chances][:count])
    size, p = mean / (dispersion - 1), 1 / dispersion
    chance = p**size
    chances = [chance := chance * (k - 1 + size) / k * (1 - p) for k in range(1, count)]
    return 1 - math.fsum([p**size, *chances][:count])


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 60),
    st.floats(0.01, 40),
    st.one_of(st.just(1.0), st.floats(1.01, 8)),
)
def test_the_surprise_is_that_of_a_plain_sum(count: int, mean: float, dispersion: float) -> None:
    chance = plain_tail(count, mean, dispersion)
    if chance > 1e-9:  # below, 1 minus a sum has no digits left
        assert surprise(count, mean, dispersion) == pytest.approx(-math.log(chance), abs=1e-5)
    else:
        assert surprise(count, mean, dispersion) > 20


def test_far_tails_stay_finite_and_exact() -> None:
    # the first term dominates: -ln(e^-m m^x / x!) up to the next ratio
    first = 0.001 - 50 * math.log(0.001) + math.lgamma(51)
    assert surprise(50, 0.001, 1.0) == pytest.approx(first, abs=1e-4)
    assert math.isfinite(surprise(100_000, 0.01, 3.0))
    assert surprise(100_000, 100_000.0, 2.0) == pytest.approx(math.log(2), abs=0.01)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 200), st.floats(1, 10), st.floats(1, 30))
def test_the_smallest_count_is_where_the_limit_is_crossed(
    mean: float, dispersion: float, limit: float
) -> None:
    count = smallest(limit, mean, dispersion)
    assert surprise(count, mean, dispersion) >= limit > surprise(count - 1, mean, dispersion)


@pytest.mark.parametrize(
    ("day", "hours"),
    [(datetime(2026, 3, 29, tzinfo=PARIS), 23), (datetime(2026, 10, 25, tzinfo=PARIS), 25)],
)
def test_the_days_the_clock_changes_hold_each_hour_once(day: datetime, hours: int) -> None:
    first = hour_number(day.astimezone(UTC))
    last = hour_number((day + timedelta(days=1)).astimezone(UTC))
    told = [hour_of_week(hour, PARIS) % 24 for hour in range(first, last)]
    assert len(told) == hours
    assert told == ([0, 1, *range(3, 24)] if hours == 23 else [0, 1, 2, 2, *range(3, 24)])
    season = learn(
        {h: 1 for h in range(first - 21 * 24, last)}, range(first - 21 * 24, last), PARIS
    )
    assert sum(season.days) == season.hours == 21 * 24 + hours
    assert season.rates == pytest.approx([1.0] * 168, rel=0.01)


@pytest.mark.parametrize("change", ["2026-03-29T01:00:00+00:00", "2026-10-25T01:00:00+00:00"])
def test_the_same_hour_of_the_town_is_expected_over_a_clock_change(change: str) -> None:
    """Noon is busy in the town's time: it is so the day after the change too."""
    end = datetime.fromisoformat(change)
    hours = range(hour_number(end) - 28 * 24, hour_number(end))
    counts = {h: 12 for h in hours if hour_start(h).astimezone(PARIS).hour == 12}
    season = learn(counts, hours, PARIS)
    noon = end.astimezone(PARIS).replace(hour=13, minute=0) + timedelta(days=1)
    by_hour = [expected(season, noon + i * HOUR, HOUR, PARIS) for i in range(-8, 9)]
    assert max(by_hour) == by_hour[8]


def test_a_window_takes_its_share_of_each_hour() -> None:
    hours = range(hour_number(MONDAY) - 28 * 24, hour_number(MONDAY))
    season = learn({h: hour_of_week(h, PARIS) % 24 for h in hours}, hours, PARIS)
    at = MONDAY + timedelta(days=2, hours=9, minutes=20)
    rates = [season.rates[hour_of_week(hour_number(at) - n, PARIS)] for n in range(3)]
    quarter = expected(season, at, timedelta(minutes=15), PARIS)
    assert quarter == pytest.approx(rates[0] / 4)
    two_hours = expected(season, at, 2 * HOUR, PARIS)
    assert two_hours == pytest.approx(rates[0] / 3 + rates[1] + rates[2] * 2 / 3)
    week = expected(season, at, timedelta(days=7), PARIS)
    assert week == pytest.approx(sum(season.rates))


def test_a_burst_of_one_week_moves_neither_mean_nor_dispersion() -> None:
    hours = range(hour_number(MONDAY) - HOURS, hour_number(MONDAY))
    draw = random.Random(1)
    calm = {h: sum(draw.random() < 0.1 for _ in range(50)) for h in hours}
    burst = calm | {h: 300 for h in hours[500:506]}
    before, after = learn(calm, hours, PARIS), learn(burst, hours, PARIS)
    there = hour_of_week(hours[503], PARIS)
    assert after.rates[there] < before.rates[there] + 2
    assert after.dispersion < before.dispersion * 1.2


def test_only_whole_hours_before_the_window_are_learnt_from() -> None:
    since, now = MONDAY + timedelta(minutes=1), MONDAY + timedelta(hours=9, minutes=30)
    hours = learnable(since, now, timedelta(hours=2))
    assert hours == range(hour_number(MONDAY) + 1, hour_number(MONDAY) + 7)
    assert learnable(MONDAY, now, HOUR)[0] == hour_number(MONDAY)
    assert len(learnable(since, MONDAY, HOUR)) == 0
    assert len(learnable(since, MONDAY + timedelta(days=99), HOUR)) == HOURS


def test_a_season_is_learnt_once_an_hour_and_again_when_its_past_changes() -> None:
    text = "rules: [{id: v, kind: spike, window: 1h, min_count: 2, severity: info}]"
    (rule,) = parse_rules({"r.yml": text.encode()}).rules
    past = Past(rule, PARIS)
    past.restore(History(since=MONDAY, counts={"f": {hour_number(MONDAY): 3}}))
    now = MONDAY + timedelta(days=7, minutes=1)
    season = past.season("f", now)
    past.add("f", hour_number(now), 1)
    assert past.season("f", now + timedelta(minutes=58)) is season
    past.add("f", hour_number(MONDAY) + 5, 1)
    assert past.season("f", now) is not season


def test_memory_of_a_group_is_bounded() -> None:
    text = "rules: [{id: v, kind: spike, window: 1h, min_count: 2, severity: info}]"
    (rule,) = parse_rules({"r.yml": text.encode()}).rules
    past = Past(rule, PARIS)
    for hour in range(5 * HOURS):
        past.add("f", hour, 1)
    past.told.clear()
    assert len(past._counts["f"]) <= 2 * HOURS
    past.listen(MONDAY)


CALM = """rules:
  - {id: shipped, kind: spike, window: 1h, min_count: 8, min_authors: 5, severity: info}
  - {id: bare, kind: spike, window: 1h, min_count: 2, min_authors: 1, severity: info}
"""


def test_ten_a_day_for_eight_weeks_are_calm_and_eight_of_six_people_are_not(engine_of, observed):
    alarms = {"shipped": 0, "bare": 0}
    for seed in range(2):
        draw = random.Random(seed)
        engine, at, seq = engine_of(CALM), MONDAY, 0
        while (at := at + draw.expovariate(10 / 24) * HOUR) < MONDAY + timedelta(weeks=8):
            seq += 1
            engine.observe(observed(seq, 0, received_at=at, created_at=at))
            for reading in engine.readings(at):
                is_warm = at > MONDAY + timedelta(weeks=2)
                alarms[reading.rule] += reading.is_active and is_warm
        for part in range(8):
            at = MONDAY + timedelta(weeks=8, hours=1, minutes=7 * part)
            author = f"p{part % 6}"
            engine.observe(
                observed(seq + part + 1, 0, received_at=at, created_at=at, author=author)
            )
        assert {r.rule: r.is_active for r in engine.readings(at)}["shipped"]
    assert alarms["shipped"] == 0
    assert alarms["bare"] <= 6, "without floors, about one look in 8,000 and its echoes"
