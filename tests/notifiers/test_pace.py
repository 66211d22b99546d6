from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from veille.notifiers.pace import Pace


async def test_another_channel_does_not_wait(clock: Any) -> None:
    pace = Pace(clock=clock, sleep=clock.sleep)
    assert [await pace.turn(channel) for channel in "abc"] == [0.0] * 3
    assert clock.slept_s == 0.0


async def test_a_long_wait_is_handed_back_and_takes_no_turn(clock: Any) -> None:
    pace = Pace(clock=clock, sleep=clock.sleep)
    pace.hold("a", 60.0)
    assert [await pace.turn("a"), await pace.turn("a")] == [60.0, 60.0]
    clock.now_s += 60.0
    assert await pace.turn("a") == 0.0
    assert clock.slept_s == 0.0


async def test_a_shorter_hold_does_not_shorten_a_longer_one(clock: Any) -> None:
    pace = Pace(clock=clock, sleep=clock.sleep)
    pace.hold("a", 60.0)
    pace.hold("a", 10.0)
    assert await pace.turn("a") == 60.0


@given(pauses=st.lists(st.floats(0, 3), max_size=30))
async def test_turns_are_never_closer_than_a_second(pauses: list[float]) -> None:
    now_s, turns = 0.0, []

    async def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    pace = Pace(clock=lambda: now_s, sleep=sleep)
    for pause in pauses:
        now_s += pause
        assert await pace.turn("a") == 0.0
        turns.append(now_s)
    gaps = [later - earlier for earlier, later in pairwise(turns)]
    assert all(gap >= 1.0 - 1e-9 for gap in gaps)
