"""Looks: when each person last had an incident before them, so that a page can say what is new."""

from __future__ import annotations

from datetime import datetime, timedelta

from veille.store.codec import micros, moment
from veille.store.engine import Db

VISIT = timedelta(minutes=15)
"""Pages of one target opened within this time of each other are one visit; judgement."""


def since(db: Db, user: str, target: str, *, now: datetime) -> datetime | None:
    """Return when the person's visit before this one ended, None at the first."""
    row = db.row("SELECT at, before FROM looks WHERE user = ? AND target = ?", (user, target))
    if row is None:
        return None
    goes_on = row["at"] >= micros(now - VISIT)
    ended: int | None = row["before"] if goes_on else row["at"]
    return moment(ended)


def note(db: Db, user: str, target: str, *, now: datetime) -> None:
    """The person looks now: their visit goes on, or another begins. Repeatable."""
    db.execute(
        """INSERT INTO looks VALUES (?1, ?2, ?3, NULL) ON CONFLICT (user, target) DO UPDATE
        SET before = iif(at < ?4, at, before), at = ?3""",
        (user, target, micros(now), micros(now - VISIT)),
    )
