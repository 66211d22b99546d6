"""Histories: added in one change, kept by rule version, pruned by hour; what is usual."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from veille.domain.alert import Alert, AlertState, Baseline, BaselineKind, Severity
from veille.domain.history import History, Tally, hour_number
from veille.store import baselines, watermarks
from veille.store.codec import micros
from veille.store.engine import Db

NOON = datetime(2026, 1, 18, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def number(hours_before: int) -> int:
    return hour_number(NOON) - hours_before


def alert(version: str = "v1", **changes: object) -> Alert:
    return Alert(
        fingerprint="f", rule="r", rule_version=version, severity=Severity.INFO, group={},
        labels={}, state=AlertState.FIRING, started_at=NOON, window=timedelta(minutes=30),
        **changes,  # type: ignore[arg-type] test values
    )  # fmt: skip


def test_histories_add_up_by_version_and_keep_their_first_beginning(db: Db) -> None:
    baselines.add(db, Tally(counts={("v1", "f", 7): 2}, since={"v1": NOON}))
    baselines.add(db, Tally(counts={("v1", "f", 7): -1, ("v1", "g", 8): 1, ("v2", "f", 7): 9}))
    baselines.add(db, Tally(counts={("v1", "f", 9): 1}, since={"v1": NOON + HOUR}))
    baselines.add(db, Tally(counts={("v1", "f", 9): -1}))
    found = baselines.load(db, ["v1", "v2"], counted=["v1"])
    assert found == {"v1": History(since=NOON, counts={"f": {7: 1}, "g": {8: 1}})}
    assert baselines.load(db, ["v1"], counted=[]) == {"v1": History(since=NOON)}
    assert baselines.since(db, ["v1", "v3"]) == {"v1": NOON}


def test_old_hours_are_pruned(db: Db) -> None:
    baselines.add(db, Tally(counts={("v", "f", number(n)): 1 for n in range(5)}, since={"v": NOON}))
    baselines.prune(db, before=NOON - 2 * HOUR)
    (found,) = baselines.load(db, ["v"], counted=["v"]).values()
    assert sorted(found.counts["f"]) == [number(2), number(1), number(0)]


def test_what_is_usual_is_the_mean_of_earlier_windows_of_this_version(db: Db) -> None:
    counts = {("v1", "f", number(n)): 2 for n in (3, 5, 24)}
    counts |= {("v1", "f", number(0)): 40, ("v1", "g", number(3)): 9, ("v2", "f", number(3)): 9}
    baselines.add(db, Tally(counts=counts, since={"v1": NOON - 48 * HOUR}))
    # 6 in the 47 hours from the first observation to an hour before noon
    assert baselines.usual(db, alert(), before=NOON) == pytest.approx(6 / 47 / 2)
    assert baselines.usual(db, alert(), before=NOON - 40 * HOUR) is None
    assert baselines.usual(db, alert("v2"), before=NOON) is None, "it has never listened"


def test_a_spike_has_its_own_idea_of_what_is_usual(db: Db) -> None:
    baselines.add(db, Tally(counts={("v1", "f", number(5)): 99}, since={"v1": NOON - 48 * HOUR}))
    known = Baseline(kind=BaselineKind.PREVIOUS, points=12, expected=5.0)
    assert baselines.usual(db, alert(baseline=known), before=NOON) == 5.0
    cold = Baseline(kind=BaselineKind.SEASONAL, points=1, is_cold=True)
    assert baselines.usual(db, alert(baseline=cold), before=NOON) is None


def silences(db: Db) -> list[tuple[datetime, datetime]]:
    baselines.add(db, Tally(since={"v": NOON}))
    return list(baselines.load(db, ["v"], counted=[])["v"].silences)


def test_a_stop_is_noted_from_the_last_pulse_and_grows_while_starts_fail(db: Db) -> None:
    baselines.note_silence(db, until=NOON)
    assert silences(db) == [], "no pulse yet: a first start"
    watermarks.set(db, watermarks.PULSE, micros(NOON))
    baselines.note_silence(db, until=NOON + timedelta(seconds=59))
    assert silences(db) == []
    for hours in (1, 2):
        baselines.note_silence(db, until=NOON + hours * HOUR)
    assert silences(db) == [(NOON, NOON + 2 * HOUR)]
    baselines.prune(db, before=NOON + 3 * HOUR)
    assert silences(db) == []


def test_a_stop_noted_by_a_clock_that_was_ahead_is_taken_back(db: Db) -> None:
    watermarks.set(db, watermarks.PULSE, micros(NOON))
    baselines.note_silence(db, until=NOON + 100 * HOUR)
    baselines.note_silence(db, until=NOON + HOUR)
    assert silences(db) == [(NOON, NOON + HOUR)]
    watermarks.set(db, watermarks.PULSE, micros(NOON + 2 * HOUR))
    baselines.note_silence(db, until=NOON + timedelta(minutes=30))
    assert silences(db) == []


def test_what_is_usual_leaves_out_the_time_in_which_veille_stood_still(db: Db) -> None:
    counts = {("v1", "f", number(n)): 2 for n in (3, 24)}
    baselines.add(db, Tally(counts=counts, since={"v1": NOON - 48 * HOUR}))
    watermarks.set(db, watermarks.PULSE, micros(NOON - 20 * HOUR))
    baselines.note_silence(db, until=NOON - 10 * HOUR)
    # 4 in the 47 hours from the first observation to an hour before noon, of which 10 were silent
    assert baselines.usual(db, alert(), before=NOON) == pytest.approx(4 / 37 / 2)
    short = {("v2", "f", number(3)): 2}
    baselines.add(db, Tally(counts=short, since={"v2": NOON - 21 * HOUR}))
    assert baselines.usual(db, alert("v2"), before=NOON) is None, "ten hours were heard"


def test_a_version_that_was_out_of_force_starts_again_when_it_returns(db: Db) -> None:
    baselines.add(db, Tally(counts={("v1", "f", 7): 2, ("v2", "f", 7): 3}, since={"v1": NOON}))
    baselines.enforce(db, ["v1"], now=NOON)
    baselines.enforce(db, ["v2"], now=NOON)
    assert baselines.since(db, ["v1"]) == {"v1": NOON}, "incidents of then still say what is usual"
    baselines.enforce(db, ["v1"], now=NOON)
    assert baselines.since(db, ["v1"]) == {}
    assert db.value("SELECT group_concat(version) FROM baselines") == "v2"
