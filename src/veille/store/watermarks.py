"""Watermarks: how far each stage has read."""

from __future__ import annotations

from veille.store.engine import Db

PULSE = "pulse"
"""When the daemon last wrote, every ten seconds or so, in microseconds since 1970."""
CLUSTERS_AFTER = "clusters.after"
"""The last observation of before there were clusters: what it counted is compared with nothing."""


def get(db: Db, name: str) -> int:
    """Return the last sequence number this stage has dealt with, 0 before the first."""
    return int(db.value("SELECT value FROM watermarks WHERE name = ?", (name,)) or 0)


def set(db: Db, name: str, value: int) -> None:
    """The stage has dealt with everything up to `value`; commit it with what that led to."""
    db.execute("INSERT OR REPLACE INTO watermarks VALUES (?, ?)", (name, value))
