"""The clock of the demonstration: it leaps with the scenario, and never back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from veille.demo.scene import SceneClock

NIGHT = datetime(2026, 1, 18, 2, 5, tzinfo=UTC)


def test_the_clock_leaps_forward_and_never_back() -> None:
    clock = SceneClock()
    clock.begin(NIGHT)
    assert NIGHT <= clock.now() < NIGHT + timedelta(minutes=1)
    clock.set(NIGHT + timedelta(hours=1))
    clock.set(NIGHT + timedelta(minutes=30))
    assert clock.now() >= NIGHT + timedelta(hours=1)
