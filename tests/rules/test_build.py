"""Builds: a slow rise in seasonal residuals; holidays; windows of any length; the fast tail."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veille.domain.calendar import Region
from veille.domain.history import hour_number, hour_start
from veille.rules.build import Build, against_steps, rise
from veille.rules.season import Season, dispersion_over, expected, hour_of_week, learn
from veille.rules.spike import Look
from veille.rules.tail import residual, surprise

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 1, 5, tzinfo=PARIS).astimezone(UTC)
FLAT = Season(rates=(5.0,) * 168, dispersion=1.0, days=(21,) * 24, hours=504)


def look(now: datetime = MONDAY) -> Look:
    return Look(now=now, window=HOUR, zone=PARIS)


def test_a_rise_of_which_no_hour_is_a_spike_is_found() -> None:
    slow = [5] * 14 + [8, 7, 9, 8, 9, 8, 9, 8, 9, 9]
    assert all(surprise(count, 5.0, 1.0) < 9 for count in slow)
    assert not against_steps(Build(), slow[:16], FLAT, look()).is_high
    found = against_steps(Build(), slow, FLAT, look())
    assert (found.is_high, found.total) == (True, 6.0)
    assert (found.steps, found.count, found.expected) == (10, 84, 50.0)


def test_after_the_first_usual_step_a_burst_does_not_echo() -> None:
    assert against_steps(Build(), [5] * 20 + [60], FLAT, look()).is_high
    after = against_steps(Build(), [5] * 20 + [60, 5], FLAT, look())
    assert (after.total, after.is_high, after.steps) == (0.0, False, 0)


def test_under_three_days_of_the_hour_nothing_is_said() -> None:
    young = Season(rates=(5.0,) * 168, dispersion=1.0, days=(2,) * 24, hours=60)
    assert against_steps(Build(), [5] * 20 + [60], young, look()) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-4, 8), min_size=1, max_size=30))
def test_the_sum_is_that_of_page_until_it_is_high(residuals: list[float]) -> None:
    counts, means = [1] * len(residuals), [1.0] * len(residuals)
    total = highest = 0.0
    for z in residuals:
        total = max(0.0, total + z - 0.7)
        highest = max(highest, total)
    found = rise(Build(limit=1e6), counts, means, residuals)
    assert found.total == pytest.approx(total, abs=1e-4)
    if highest < 6:
        assert not rise(Build(), counts, means, residuals).is_high


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 40), st.floats(0.05, 20), st.one_of(st.just(1.0), st.floats(1.1, 6)))
def test_a_residual_is_the_normal_quantile_of_the_mid_chance(
    count: int, mean: float, dispersion: float
) -> None:
    tails = [math.exp(-surprise(x, mean, dispersion)) for x in (count, count + 1)]
    chance = sum(tails) / 2
    found = residual(count, mean, dispersion)
    assert 0.5 * math.erfc(found / math.sqrt(2)) == pytest.approx(chance, rel=1e-6, abs=1e-9)


def test_residuals_of_rare_counts_are_no_sensation_and_those_of_absurd_ones_end() -> None:
    assert residual(0, 0.01, 1.0) == pytest.approx(0, abs=0.02)
    assert residual(1, 0.05, 1.5) < 2, "(x - mean) / sigma would be 3.5"
    assert residual(100_000, 0.01, 1.0) == 37
    assert -38 < residual(0, 90_000.0, 2.0) < -30


def test_far_tails_of_large_counts_agree_with_the_sum_they_stand_for() -> None:
    count, mean, dispersion = 4000, 2500.0, 120.0
    size, q = mean / (dispersion - 1), 1 - 1 / dispersion
    first = (
        math.lgamma(count + size) - math.lgamma(size) - math.lgamma(count + 1)
        + size * math.log(1 / dispersion) + count * math.log(q)
    )  # fmt: skip
    term, total = 1.0, 1.0
    for k in range(count, count + 100_000):
        term *= (k + size) / (k + 1) * q
        total += term
    assert surprise(count, mean, dispersion) == pytest.approx(-(first + math.log(total)), rel=1e-9)


@pytest.mark.parametrize(
    ("day", "region", "hour"),
    [
        (datetime(2026, 7, 14, tzinfo=PARIS), Region.METROPOLE, 6 * 24),  # a Tuesday
        (datetime(2026, 7, 14, tzinfo=PARIS), Region.NONE, 24),
        (datetime(2026, 12, 26, tzinfo=PARIS), Region.METROPOLE, 5 * 24),  # a Saturday
        (datetime(2026, 12, 26, tzinfo=PARIS), Region.ALSACE_MOSELLE, 6 * 24),
    ],
)
def test_a_public_holiday_is_a_sunday_where_it_is_one(
    day: datetime, region: Region, hour: int
) -> None:
    assert hour_of_week(hour_number(day), PARIS, region) == hour


def test_a_holiday_is_expected_to_be_as_calm_as_sundays_and_teaches_them() -> None:
    end = datetime(2026, 7, 14, tzinfo=PARIS)
    hours = range(hour_number(end) - 8 * 168, hour_number(end))
    counts = {h: 2 if hour_of_week(h, PARIS, Region.METROPOLE) >= 144 else 20 for h in hours}
    noon = end + timedelta(hours=13)
    known = learn(counts, hours, PARIS, Region.METROPOLE)
    plain = learn(counts, hours, PARIS)
    assert expected(known, noon, HOUR, PARIS) < 6
    assert expected(plain, noon, HOUR, PARIS) > 15


def hourly(draw: random.Random, hours: int, rate: float, wave: float, clump: int) -> dict[int, int]:
    """Counts whose rate drifts slowly by `wave`, or that come in clumps."""
    first, drift, counts = hour_number(MONDAY), 0.0, {}
    for hour in range(first, first + hours):
        drift = 0.9 * drift + draw.gauss(0, wave)
        mean = rate * math.exp(drift) / clump
        counts[hour] = clump * sum(draw.random() < mean / 400 for _ in range(400))
    return counts


def test_what_drifts_weighs_less_in_a_quarter_hour_and_clumps_weigh_the_same() -> None:
    draw = random.Random(3)
    drifting = hourly(draw, 1344, 60, 0.12, 1)
    clumped = hourly(draw, 1344, 60, 0.0, 4)
    quarter = timedelta(minutes=15)
    slow, thick = (learn(c, sorted(c), PARIS) for c in (drifting, clumped))
    assert slow.lasting > 0.5 * (slow.dispersion - 1)
    assert dispersion_over(slow, quarter) < 0.6 * slow.dispersion
    assert dispersion_over(slow, 6 * HOUR) > 1.5 * slow.dispersion
    assert thick.dispersion == pytest.approx(4, rel=0.25)
    assert dispersion_over(thick, quarter) > 0.8 * thick.dispersion
    assert dispersion_over(slow, HOUR) == pytest.approx(slow.dispersion)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 400), st.floats(0.02, 30))
def test_a_season_is_always_finite_and_its_dispersion_at_least_1(
    seed: int, hours: int, rate: float
) -> None:
    counts = hourly(random.Random(seed), hours, rate, 0.1, 1)
    found = learn({h: n for h, n in counts.items() if n}, sorted(counts), PARIS)
    assert all(0 < value < math.inf for value in found.rates)
    for minutes in (1, 15, 60, 90, 1440, 10_080):
        assert 1 <= dispersion_over(found, timedelta(minutes=minutes)) < math.inf


def test_the_level_of_the_last_day_moves_what_is_expected_by_at_most_what_it_saw() -> None:
    hours = range(hour_number(MONDAY) - 28 * 24, hour_number(MONDAY))
    usual = {h: 50 for h in hours}
    raised = usual | {h: 100 for h in hours[-24:]}
    before, after = (learn(c, hours, PARIS) for c in (usual, raised))
    assert before.rates[30] == pytest.approx(50, rel=0.02)
    assert 60 < after.rates[30] < 110
    assert hour_start(hours[-1]) < MONDAY
