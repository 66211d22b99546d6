"""Trails: from what people call a mention to its key, and from a mention to alert and incident."""

from __future__ import annotations

import msgspec

from veille.domain.alert import Alert
from veille.store.codec import micros
from veille.store.engine import Db

MATCHES = 5
"""Mentions of one name that are listed when it is not the only one."""

_ALERT = msgspec.json.Decoder(Alert)
_NAMED = """SELECT DISTINCT m.key, m.source, i.native_id FROM mentions m
    LEFT JOIN identities i ON i.mention = m.id
    WHERE m.key = ?1 OR i.native_id = ?1 OR i.url = ?1
    OR ?1 IN (m.source || ':' || i.native_id, m.source || '/' || i.native_id)
    ORDER BY m.key <> ?1, m.id DESC LIMIT ?2"""
# the newest first: a later state of an alert says more than an earlier one
_ALERTED = """SELECT alert FROM (
        SELECT alert, 1 AS is_live, 0 AS seq FROM alerts UNION ALL
        SELECT alert, 0, seq FROM transitions WHERE at >= ?3)
    WHERE json_extract(alert, '$.rule') = ?1
    AND EXISTS (SELECT 1 FROM json_each(alert, '$.evidence') WHERE value = ?2)
    ORDER BY json_extract(alert, '$.fired_at') IS NULL, is_live DESC, seq DESC LIMIT 1"""
_INCIDENT = """SELECT target FROM timeline WHERE kind = 'alert.firing' AND at >= ?2
    AND json_extract(data, '$.alert') = ?1 AND target LIKE 'I%' ORDER BY seq LIMIT 1"""


def named(db: Db, name: str) -> dict[str, str]:
    """Return keys, each with `source:id`, of mentions with this key, id, `source:id` or address.

    A key alone where it is one; at most MATCHES.
    """
    found = db.rows(_NAMED, (name, MATCHES))
    if found and found[0]["key"] == name:
        found = found[:1]
    return {row["key"]: f"{row['source']}:{row['native_id'] or row['key']}" for row in found}


def is_gone(db: Db, key: str) -> bool:
    """Whether a mention of this key was deleted, by whomever."""
    return db.row("SELECT 1 FROM tombstones WHERE key = ?", (key,)) is not None


def state(db: Db, key: str) -> str | None:
    """Return the mention's state in the store (new, analyzed, parked, deleted), None without."""
    found: str | None = db.value("SELECT state FROM mentions WHERE key = ?", (key,))
    return found


def alert_with(db: Db, rule: str, key: str) -> Alert | None:
    """Return the alert of this rule that holds the mention, one that fired before one that did not.

    It stands as last written.
    """
    received = db.value("SELECT received_at FROM mentions WHERE key = ?", (key,))
    row = db.row(_ALERTED, (rule, key, received or 0))
    return None if row is None else _ALERT.decode(row["alert"])


def incident_of(db: Db, alert: Alert) -> int | None:
    """Return the number of the incident that took the alert when it fired, None before."""
    target = db.value(_INCIDENT, (alert.fingerprint, micros(alert.fired_at or alert.started_at)))
    return None if target is None else int(str(target)[1:])
