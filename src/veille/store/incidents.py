"""Incidents, changed by compare-and-swap, and the mentions that led to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

import msgspec

from veille.domain.errors import ConflictError
from veille.domain.ids import short_id
from veille.domain.incident import Incident, IncidentState
from veille.store.codec import json_list, micros, to_json
from veille.store.engine import Db, Row

_MAX_ID = 2**63 - 1
_INCIDENT = msgspec.json.Decoder(Incident)
# of several keys too: an incident has those of what was merged into it
_TWIN = """SELECT id FROM incidents WHERE state IN ('open', 'acknowledged') AND id <> ?1
    AND (key IN (SELECT value FROM json_each(?2)) OR EXISTS (
        SELECT 1 FROM json_each(incident, '$.also') a
        WHERE a.value IN (SELECT value FROM json_each(?2))))"""


def get(db: Db, id: int) -> Incident | None:
    """Return one incident, None when there is none of this number."""
    row = db.row("SELECT incident FROM incidents WHERE id = ?", (id,))
    return None if row is None else _incident(row)


def unresolved(db: Db) -> list[Incident]:
    """Return all open and acknowledged incidents, oldest first."""
    return _all(db, "WHERE state IN ('open', 'acknowledged') ORDER BY id")


def list_(db: Db, *, states: Collection[IncidentState], limit: int) -> list[Incident]:
    """Return up to `limit` incidents in these states: unresolved by severity first, then newest."""
    return _all(
        db,
        """WHERE state IN (SELECT value FROM json_each(?)) ORDER BY state = 'resolved',
        CASE WHEN state = 'resolved' THEN 0 ELSE instr('info warning critical', severity) END DESC,
        id DESC LIMIT ?""",
        json_list(states),
        limit,
    )


def page(
    db: Db, *, states: Collection[IncidentState], limit: int, before: int | None = None
) -> list[Incident]:
    """Return up to `limit` incidents in these states with numbers below `before`, newest first."""
    # nearly all are resolved: those are read by number, the few others by state
    state = "+state" if IncidentState.RESOLVED in states else "state"
    return _all(
        db,
        f"""WHERE id < ? AND {state} IN (SELECT value FROM json_each(?))
        ORDER BY id DESC LIMIT ?""",  # noqa: S608 our own two words
        _MAX_ID if before is None else before,
        json_list(states),
        limit,
    )


def resolved(db: Db, *, limit: int) -> list[Incident]:
    """Return the last `limit` incidents that are over, the newest number first."""
    return _all(db, "WHERE state = 'resolved' ORDER BY id DESC LIMIT ?", limit)


def count(db: Db, *, states: Collection[IncidentState]) -> int:
    """Return how many incidents are in these states."""
    return int(
        db.value(
            "SELECT count(*) FROM incidents WHERE state IN (SELECT value FROM json_each(?))",
            (json_list(states),),
        )
    )


def due(db: Db, now: datetime) -> list[Incident]:
    """Return incidents whose next notification is due, longest overdue first."""
    return _all(db, "WHERE notify_at <= ? ORDER BY notify_at, id", micros(now))


def next_id(db: Db) -> int:
    """Return a number no incident ever had; the same until an incident is saved under it."""
    used = db.value("SELECT seq FROM sqlite_sequence WHERE name = 'incidents'")
    return int(used or 0) + 1


def save(db: Db, incident: Incident, *, expected_version: int | None) -> Incident:
    """Insert (None) or replace `expected_version`; return it as stored, with its new version.

    ConflictError when the number is taken, another incident of its key is unresolved, or somebody
    changed it first.
    """
    found = get(db, incident.id)
    if (None if found is None else found.version) != expected_version:
        raise ConflictError(
            f"{short_id('I', incident.id)} was changed by somebody else: load it again"
        )
    if incident.state is not IncidentState.RESOLVED:
        _refuse_twin(db, incident)
    kept = replace(incident, version=(expected_version or 0) + 1)
    db.execute(
        """INSERT INTO incidents VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET key = excluded.key, state = excluded.state,
        severity = excluded.severity, notify_at = excluded.notify_at, version = excluded.version,
        incident = excluded.incident""",
        (
            kept.id,
            kept.key,
            kept.state,
            kept.severity,
            micros(kept.notify_at),
            kept.version,
            to_json(kept),
        ),
    )
    return kept


def add_evidence(db: Db, incident_id: int, keys: Iterable[str]) -> None:
    """These mentions belong to the incident, after those it had; each once, deleted ones never.

    Nor those a person split off it.
    """
    db.many(
        """INSERT OR IGNORE INTO evidence (incident, mention)
        SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM tombstones WHERE key = ?2)
        AND NOT EXISTS (SELECT 1 FROM split_off WHERE incident = ?1 AND mention = ?2)""",
        [(incident_id, key) for key in keys],
    )


def evidence(db: Db, incident_id: int, limit: int) -> list[str]:
    """Return the keys of the last `limit` mentions added to the incident, newest last."""
    found = db.rows(
        "SELECT mention FROM evidence WHERE incident = ? ORDER BY seq DESC LIMIT ?",
        (incident_id, limit),
    )
    return [row["mention"] for row in reversed(found)]


def evidence_page(
    db: Db, incident_id: int, *, limit: int, before: int | None = None
) -> list[tuple[int, str]]:
    """Return up to `limit` rows of evidence below `before`, newest first: number and mention."""
    found = db.rows(
        "SELECT seq, mention FROM evidence WHERE incident = ? AND seq < ?"
        " ORDER BY seq DESC LIMIT ?",
        (incident_id, _MAX_ID if before is None else before, limit),
    )
    return [(row["seq"], row["mention"]) for row in found]


def of_mention(db: Db, key: str) -> list[Incident]:
    """Return the incidents that have this mention among their evidence, the newest first."""
    return _all(
        db,
        "WHERE id IN (SELECT incident FROM evidence WHERE mention = ?) ORDER BY id DESC LIMIT 5",
        key,
    )


def last_evidence(db: Db, incident_id: int) -> int:
    """Return the number of the incident's last row of evidence, 0 without any."""
    found = db.value("SELECT max(seq) FROM evidence WHERE incident = ?", (incident_id,))
    return int(found or 0)


def drop_evidence_after(db: Db, incident_id: int, seq: int, keep: Iterable[str]) -> None:
    """What came to the incident after this row of evidence went, but for the mentions to `keep`."""
    db.execute(
        """DELETE FROM evidence WHERE incident = ? AND seq > ?
        AND mention NOT IN (SELECT value FROM json_each(?))""",
        (incident_id, seq, json_list(keep)),
    )


def split_off(db: Db, incident_id: int, keys: Iterable[str], *, to: int) -> int:
    """These mentions are evidence of `to` now, in their order; return how many were of this one.

    The incident's alerts do not bring them back.
    """
    wanted = json_list(keys)
    db.execute(
        """INSERT OR IGNORE INTO split_off SELECT incident, mention FROM evidence
        WHERE incident = ?1 AND mention IN (SELECT value FROM json_each(?2))""",
        (incident_id, wanted),
    )
    return db.execute(
        """UPDATE evidence SET incident = ?3 WHERE incident = ?1
        AND mention IN (SELECT value FROM json_each(?2))""",
        (incident_id, wanted, to),
    ).rowcount


def forget_split(db: Db, keys: Iterable[str]) -> None:
    """It is not known any more that these mentions were split off an incident."""
    db.execute(
        "DELETE FROM split_off WHERE mention IN (SELECT value FROM json_each(?))",
        (json_list(keys),),
    )


def rejoin(db: Db, incident_id: int, *, off: int) -> None:
    """What was split off this incident to `off` is its evidence again, in its old place."""
    db.execute(
        """UPDATE OR IGNORE evidence SET incident = ?1 WHERE incident = ?2
        AND mention IN (SELECT mention FROM split_off WHERE incident = ?1)""",
        (incident_id, off),
    )
    db.execute(
        """DELETE FROM split_off WHERE incident = ?1
        AND mention IN (SELECT mention FROM evidence WHERE incident = ?1)""",
        (incident_id,),
    )


def has_new_evidence(db: Db, keys: Iterable[str]) -> bool:
    """Whether any of these mentions stands on no incident yet, and was not deleted."""
    return bool(
        db.value(
            """SELECT EXISTS (SELECT 1 FROM json_each(?) AS key
            WHERE key.value NOT IN (SELECT mention FROM evidence)
            AND key.value NOT IN (SELECT key FROM tombstones))""",
            (json_list(keys),),
        )
    )


def _refuse_twin(db: Db, incident: Incident) -> None:
    twin = db.value(_TWIN, (incident.id, json_list((incident.key, *incident.also))))
    if twin is not None:
        raise ConflictError(f"{short_id('I', twin)} is about the same thing and not resolved")


def _all(db: Db, where: str, *params: str | int) -> list[Incident]:
    rows = db.rows(f"SELECT incident FROM incidents {where}", params)  # noqa: S608 constants above
    return [_incident(row) for row in rows]


def _incident(row: Row) -> Incident:
    return _INCIDENT.decode(row["incident"])
