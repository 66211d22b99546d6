"""Hourly counts of what rules matched: the past of spikes, and what is usual."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from veille.domain.alert import Alert
from veille.domain.history import HOUR, History, Tally, hour_number, hour_start
from veille.store import watermarks
from veille.store.codec import json_list, micros, moment
from veille.store.engine import Db

LONGEST, SHORTEST = timedelta(days=28), timedelta(hours=12)
"""How far back, and how little history at least, tells what is usual; judgement."""

SILENCE = timedelta(minutes=1)
"""Six pulses missed: a start takes less."""


def since(db: Db, versions: Iterable[str]) -> dict[str, datetime]:
    """Return since when these rule versions have listened; one that never has is absent."""
    found = db.rows(
        "SELECT version, since FROM listening WHERE version IN (SELECT value FROM json_each(?))",
        (json_list(versions),),
    )
    return {row["version"]: moment(row["since"]) for row in found}


def load(db: Db, versions: Iterable[str], *, counted: Iterable[str]) -> dict[str, History]:
    """Return the histories of rule versions; those in `counted` with their hourly counts."""
    counts: dict[str, dict[str, dict[int, int]]] = {}
    for row in db.rows(
        """SELECT version, fingerprint, hour, count FROM baselines
        WHERE version IN (SELECT value FROM json_each(?)) AND count > 0""",
        (json_list(counted),),
    ):
        groups = counts.setdefault(row["version"], {})
        groups.setdefault(row["fingerprint"], {})[row["hour"]] = row["count"]
    silences = _silences(db)
    return {
        version: History(since=at, counts=counts.get(version, {}), silences=silences)
        for version, at in since(db, versions).items()
    }


def note_silence(db: Db, *, until: datetime) -> None:
    """If the last pulse is more than `SILENCE` ago, the time since then is noted as not heard.

    Repeatable: a silence that was noted by a start that failed, or by a clock that was ahead, is
    noted again.
    """
    pulse = watermarks.get(db, watermarks.PULSE)
    db.execute("DELETE FROM silences WHERE ended_at > ?", (micros(until),))
    if pulse and until - moment(pulse) >= SILENCE:
        db.execute("INSERT OR REPLACE INTO silences VALUES (?, ?)", (pulse, micros(until)))


def enforce(db: Db, versions: Iterable[str], *, now: datetime) -> None:
    """These rule versions are in force, and no other.

    One that was not before has no history left: it did not listen meanwhile. The history of one
    that is no longer stays for what its alerts say, until its hours are pruned.
    """
    given = json_list(versions)
    db.execute(
        """DELETE FROM baselines WHERE version IN (
            SELECT version FROM listening WHERE retired_at IS NOT NULL
            AND version IN (SELECT value FROM json_each(?)))""",
        (given,),
    )
    db.execute(
        """DELETE FROM listening WHERE retired_at IS NOT NULL
        AND version IN (SELECT value FROM json_each(?))""",
        (given,),
    )
    db.execute(
        """UPDATE listening SET retired_at = ? WHERE retired_at IS NULL
        AND version NOT IN (SELECT value FROM json_each(?))""",
        (micros(now), given),
    )


def add(db: Db, tally: Tally) -> None:
    """The tally stands in the histories. Not repeatable: commit what led to it in one change."""
    db.many(
        """INSERT INTO baselines (version, fingerprint, hour, count) VALUES (?, ?, ?, ?)
        ON CONFLICT (version, fingerprint, hour) DO UPDATE SET count = count + excluded.count""",
        [(*key, count) for key, count in tally.counts.items()],
    )
    db.many(
        "INSERT OR IGNORE INTO listening (version, since) VALUES (?, ?)",
        [(version, micros(at)) for version, at in tally.since.items()],
    )


def prune(db: Db, *, before: datetime) -> None:
    """Nothing that only tells of earlier hours is left."""
    first = hour_number(before)
    start = micros(hour_start(first))
    db.execute("DELETE FROM baselines WHERE hour < ?", (first,))
    db.execute("DELETE FROM listening WHERE retired_at < ?", (start,))
    db.execute("DELETE FROM silences WHERE ended_at < ?", (start,))
    db.execute("DELETE FROM outages WHERE ended_at < ?", (start,))


def usual(db: Db, alert: Alert, *, before: datetime) -> float | None:
    """Return the mean count per window of an alert in earlier hours: a spike's own expectation,
    else over 28 days at most.

    None while less than `SHORTEST` was heard: too little to call anything usual.
    """
    if alert.baseline is not None:
        return alert.baseline.expected
    heard = since(db, [alert.rule_version]).get(alert.rule_version)
    if alert.window is None or heard is None:
        return None
    end = hour_start(hour_number(before)) - HOUR  # not the burst itself
    start = max(heard, end - LONGEST)
    silent = [min(end, b) - max(start, a) for a, b in _silences(db) if a < end and b > start]
    length = end - start - sum(silent, timedelta(0))
    if length < SHORTEST:
        return None
    count = db.value(
        """SELECT coalesce(sum(count), 0) FROM baselines
        WHERE version = ? AND fingerprint = ? AND hour BETWEEN ? AND ?""",
        (alert.rule_version, alert.fingerprint, hour_number(start), hour_number(end) - 1),
    )
    return float(count) * (alert.window / length)


def _silences(db: Db) -> tuple[tuple[datetime, datetime], ...]:
    found = db.rows("SELECT began_at, ended_at FROM silences ORDER BY began_at")
    return tuple((moment(row["began_at"]), moment(row["ended_at"])) for row in found)
