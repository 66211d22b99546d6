"""Alerts and their numbered transitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from veille.domain.alert import Alert, AlertState, Transition
from veille.store import tallies
from veille.store.codec import json_list, micros, moment, to_json
from veille.store.engine import Db

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


def _append(db: Db, transition: Transition) -> int:
    alert = transition.alert
    done = db.execute(
        "INSERT INTO transitions (at, fingerprint, reason, alert) VALUES (?, ?, ?, ?)",
        (micros(transition.at), alert.fingerprint, transition.reason, to_json(alert)),
    )
    if alert.state is AlertState.FIRING and not alert.shadow:
        tallies.add(db, transition.at, [("alert", alert.rule, alert.severity)])
    return done.lastrowid or 0
