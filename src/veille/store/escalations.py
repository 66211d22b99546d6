"""Escalations: how far each incident that nobody took went through its policy."""

from __future__ import annotations

import msgspec

from veille.domain.incident import Incident
from veille.domain.oncall import Escalation
from veille.store.codec import micros, to_json
from veille.store.engine import Db

_ESCALATION = msgspec.json.Decoder(Escalation)
_INCIDENT = msgspec.json.Decoder(Incident)


def get(db: Db, incident: int) -> Escalation | None:
    """Return the escalation of an incident, None before it was told."""
    found = db.value("SELECT escalation FROM escalations WHERE incident = ?", (incident,))
    return None if found is None else _ESCALATION.decode(found)


def running(db: Db) -> list[tuple[Escalation, Incident]]:
    """Return those that may still tell somebody, with their incidents, what is due first."""
    found = db.rows(
        """SELECT e.escalation, i.incident FROM escalations e JOIN incidents i ON i.id = e.incident
        WHERE e.due_at IS NOT NULL ORDER BY e.due_at, i.id"""
    )
    return [
        (_ESCALATION.decode(row["escalation"]), _INCIDENT.decode(row["incident"])) for row in found
    ]


def save(db: Db, escalation: Escalation) -> None:
    """The escalation stands as given."""
    db.execute(
        """INSERT INTO escalations VALUES (?, ?, ?) ON CONFLICT (incident) DO UPDATE
        SET due_at = excluded.due_at, escalation = excluded.escalation""",
        (escalation.incident, micros(escalation.due_at), to_json(escalation)),
    )
