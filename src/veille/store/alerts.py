"""Alerts and their numbered transitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from veille.domain.alert import Alert, Transition
from veille.store.codec import json_list, micros, moment, to_json
from veille.store.engine import Db

HOUR = timedelta(hours=1)
LONGEST, SHORTEST = timedelta(days=28), timedelta(hours=12)
"""How far back, and how little history at least, tells what is usual; judgement."""

_ALERT = msgspec.json.Decoder(Alert)


def live(db: Db) -> list[Alert]:
    """Return all pending and firing alerts, by fingerprint."""
    found = db.rows("SELECT alert FROM alerts WHERE state <> 'resolved' ORDER BY fingerprint")
    return [_ALERT.decode(row["alert"]) for row in found]


def get(db: Db, fingerprints: Iterable[str]) -> dict[str, Alert]:
    """Return the alerts of these fingerprints, in any state."""
    found = db.rows(
        """SELECT fingerprint, alert FROM alerts
        WHERE fingerprint IN (SELECT value FROM json_each(?)) ORDER BY fingerprint""",
        (json_list(fingerprints),),
    )
    return {row["fingerprint"]: _ALERT.decode(row["alert"]) for row in found}


def save(db: Db, alerts: Iterable[Alert]) -> None:
    """Each alert stands as given."""
    db.many(
        "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?)",
        [(alert.fingerprint, alert.state, to_json(alert)) for alert in alerts],
    )


def add_transitions(db: Db, transitions: Sequence[Transition]) -> list[Transition]:
    """Return the transitions as appended, numbered in order. Not repeatable: commit the watermark
    of what led to them in the same change.
    """
    return [replace(transition, seq=_append(db, transition)) for transition in transitions]


def transitions_after(db: Db, seq: int, *, limit: int) -> list[Transition]:
    """Return up to `limit` transitions after `seq`, in order."""
    found = db.rows("SELECT * FROM transitions WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
    return [
        Transition(
            seq=row["seq"],
            at=moment(row["at"]),
            reason=row["reason"],
            alert=_ALERT.decode(row["alert"]),
        )
        for row in found
    ]


def add_matches(db: Db, matches: Mapping[tuple[str, datetime], int]) -> None:
    """So many more mentions counted for these alerts in these hours."""
    db.many(
        """INSERT INTO matches (fingerprint, hour, count) VALUES (?, ?, ?)
        ON CONFLICT (fingerprint, hour) DO UPDATE SET count = count + excluded.count""",
        [(mark, micros(hour), count) for (mark, hour), count in matches.items()],
    )


def usual(db: Db, mark: str, *, before: datetime, window: timedelta) -> float | None:
    """Return the mean count per window in the hours before, over 28 days at most.

    None while less than `SHORTEST` was observed: too little to call anything usual.
    """
    first = db.value("SELECT min(received_at) FROM observations")
    end = before.replace(minute=0, second=0, microsecond=0) - HOUR  # not the burst itself
    start = end - LONGEST
    if first is not None and moment(first) > start:
        start = moment(first)
    if first is None or end - start < SHORTEST:
        return None
    count = db.value(
        """SELECT coalesce(sum(count), 0) FROM matches
        WHERE fingerprint = ? AND hour BETWEEN ? AND ?""",
        (mark, micros(start - HOUR), micros(end - HOUR)),
    )
    return float(count) * (window / (end - start))


def _append(db: Db, transition: Transition) -> int:
    alert = transition.alert
    done = db.execute(
        "INSERT INTO transitions (at, fingerprint, reason, alert) VALUES (?, ?, ?, ?)",
        (micros(transition.at), alert.fingerprint, transition.reason, to_json(alert)),
    )
    return done.lastrowid or 0
