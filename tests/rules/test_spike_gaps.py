"""What a spike rule compares with when veille stood still, forgot, or comes back late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from veille.domain.history import History, hour_number
from veille.rules import sliding as sliding_module
from veille.rules.engine import PARIS, Engine
from veille.rules.parse import parse_rules
from veille.rules.past import Past

HOUR, MINUTE = 3600, 60
SEASONAL = "rules: [{id: v, kind: spike, window: 1h, min_count: 6, severity: info, group_by: []}]"
PREVIOUS = """rules:
  - {id: v, kind: spike, baseline: previous, window: 1h, points: 12, min_count: 6, severity: info,
     group_by: []}
"""


@pytest.fixture
def play(observed, at):
    """Feeds an engine: from so many hours on, so many mentions an hour, until so many hours."""

    class Play:
        seq = 0

        def __call__(self, engine, start: float, end: float, *, each: int = 20) -> None:
            for part in range(1, round((end - start) * each) + 1):
                moment = HOUR * (start + part / each)
                self.seq += 1
                engine.observe(observed(self.seq, moment))
                engine.slide(at(moment))

        def late(self, engine, start: float, end: float, *, each: int = 20) -> None:
            """What was written from `start` to `end` arrives at its end."""
            for part in range(1, round((end - start) * each) + 1):
                self.seq += 1
                written = at(HOUR * (start + part / each))
                engine.observe(observed(self.seq, HOUR * end, created_at=written))

    return Play()


def test_what_is_caught_up_with_after_a_stop_is_no_spike_at_any_moment(engine_of, play, at):
    engine = engine_of(SEASONAL)
    play(engine, 0, 24 * 28)
    play.late(engine, 24 * 28, 24 * 28 + 3)
    up = 24 * 28 + 3
    values = []
    for quarter in range(8):
        (reading,) = engine.readings(at(HOUR * (up + quarter / 4)))
        assert not reading.is_active, quarter
        values.append(reading.value)
        play(engine, up + quarter / 4, up + (quarter + 1) / 4)
    assert max(values) == 20, "never more than was written in one hour"


def test_a_burst_that_is_caught_up_with_in_time_is_a_spike(engine_of, play, at):
    engine = engine_of(SEASONAL)
    play(engine, 0, 24 * 28)
    play.late(engine, 24 * 28, 24 * 28 + 0.5, each=160)
    (reading,) = engine.readings(at(HOUR * (24 * 28 + 0.5)))
    assert reading.is_active
    assert reading.value == 80 + 10


def test_late_by_is_the_window_of_a_spike_up_to_six_hours_unless_written(engine_of, observed, at):
    def late_by(more: str) -> timedelta:
        text = f"rules: [{{id: v, kind: spike, min_count: 6, severity: info, {more}}}]"
        return parse_rules({"r.yml": text.encode()}).rules[0].late_by

    assert late_by("window: 20m") == timedelta(minutes=20)
    assert late_by("window: 1d") == timedelta(hours=6)
    assert late_by("window: 20m, late_by: 2h") == timedelta(hours=2)
    engine = engine_of(SEASONAL.replace("min_count", "late_by: 2h, min_count"))
    engine.observe(observed(1, 2 * HOUR, created_at=at(0)))
    assert engine.readings(at(2 * HOUR - 1)) == []
    (reading,) = engine.readings(at(2 * HOUR))
    assert reading.value == 1


def restored(text: str, stop: tuple[float, float], at, *, end: float) -> Past:
    """The past of a rule that counted 20 in each hour but those of the stop."""
    (rule,) = parse_rules({"r.yml": text.encode()}).rules
    first = hour_number(at(0))
    silent = range(int(stop[0]), round(stop[1] + 0.49))
    counts = {first + hour: 20 for hour in range(int(end)) if hour not in silent}
    past = Past(rule, PARIS)
    stopped = (at(HOUR * stop[0]), at(HOUR * stop[1]))
    past.restore(History(since=at(0), counts={"f": counts}, silences=(stopped,)))
    return past


def test_hours_in_which_veille_stood_still_are_not_learnt_as_calm(at):
    weeks = 24 * 14
    past = restored(SEASONAL, (weeks - 30, weeks - 26), at, end=weeks)
    season = past.season("f", at(HOUR * (weeks + 1)))
    assert season.hours == weeks - 4
    assert min(season.rates) > 19.9
    assert season.dispersion == 1.0


def test_a_restart_of_some_minutes_takes_no_hour_away(at):
    past = restored(SEASONAL, (100.0, 100.2), at, end=24 * 14)
    assert past.season("f", at(HOUR * (24 * 14 + 1))).hours == 24 * 14


def test_previous_windows_in_which_veille_stood_still_are_no_points(observed, play, at):
    (rule,) = parse_rules({"r.yml": PREVIOUS.encode()}).rules
    engine = Engine(parse_rules({"r.yml": PREVIOUS.encode()}))
    play(engine, 0, 10)
    play(engine, 13, 14)
    gap = ((at(10 * HOUR), at(13 * HOUR)),)
    engine.restore([], {rule.version: History(since=at(0), silences=gap)}, at(14 * HOUR))
    (reading,) = engine.readings(at(14 * HOUR))
    assert (reading.baseline.points, reading.baseline.expected) == (9, 20.0)


def test_windows_that_lost_mentions_to_the_bound_are_no_points(engine_of, play, at, monkeypatch):
    monkeypatch.setattr(sliding_module, "ENTRY_LIMIT", 210)
    engine = engine_of(PREVIOUS)
    play(engine, 0, 13)
    (reading,) = engine.readings(at(13 * HOUR))
    assert (reading.baseline.points, reading.baseline.expected) == (9, 20.0)


def test_windows_before_what_is_kept_are_no_points(observed, play, at):
    engine = Engine(parse_rules({"r.yml": PREVIOUS.encode()}), reach=timedelta(hours=9, minutes=30))
    play(engine, 0, 13)
    for seq in range(1, 70):  # the sweep takes what is older
        engine.observe(observed(seq, 13 * HOUR, is_gone=True))
    (reading,) = engine.readings(at(13 * HOUR))
    assert (reading.baseline.points, reading.baseline.expected) == (8, 20.0)
