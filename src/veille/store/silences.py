"""Silences, what a digest is about, and what a shift's budget has spent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from veille.domain.incident import Incident
from veille.domain.notification import NotificationKind
from veille.domain.silence import Silence
from veille.store.codec import clean, json_list, micros, to_json
from veille.store.engine import Db, Row

_SILENCE = msgspec.json.Decoder(Silence)
_INCIDENT = msgspec.json.Decoder(Incident)
PREVIEWED = 1000
"""Incidents a preview looks at, the newest first."""
LISTED = 200
"""Silences a list shows, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An incident, and how many notifications of it were planned in the time asked for."""

    incident: Incident
    notifications: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """An incident that a silence hides, or would have: how many notifications it brought.

    `alerts` of its `of` alerts match; `is_now` says that one of those fires.
    """

    incident: Incident
    alerts: int
    of: int
    notifications: int
    is_now: bool

    @property
    def is_whole(self) -> bool:
        """Whether nobody would be told of it at all."""
        return self.alerts == self.of


def add(db: Db, silence: Silence) -> Silence:
    """Return the silence as stored, with its number."""
    kept = replace(silence, author=clean(silence.author), reason=clean(silence.reason))
    done = db.execute(
        "INSERT INTO alert_silences (ends_at, silence) VALUES (?, ?)",
        (micros(kept.ends_at), to_json(kept)),
    )
    return replace(kept, id=done.lastrowid or 0)


def get(db: Db, id: int) -> Silence | None:
    """Return one silence, None when there is none of this number."""
    row = db.row("SELECT id, silence FROM alert_silences WHERE id = ?", (id,))
    return None if row is None else _silence(row)


def end(db: Db, id: int, *, at: datetime, by: str) -> None:
    """The silence mutes nothing from `at` on; who ended it is on record."""
    silence = get(db, id)
    if silence is not None:
        ended = replace(silence, ends_at=max(at, silence.starts_at), ended_by=clean(by))
        db.execute(
            "UPDATE alert_silences SET ends_at = ?, silence = ? WHERE id = ?",
            (micros(ended.ends_at), to_json(ended), id),
        )


def lasting(db: Db, now: datetime) -> list[Silence]:
    """Return the silences that are not over, the first to end first."""
    found = db.rows(
        "SELECT id, silence FROM alert_silences WHERE ends_at > ? ORDER BY ends_at, id",
        (micros(now),),
    )
    return [_silence(row) for row in found]


def list_(db: Db, *, limit: int = LISTED, before: int | None = None) -> list[Silence]:
    """Return up to `limit` silences with numbers below `before`, over or not, newest first."""
    found = db.rows(
        "SELECT id, silence FROM alert_silences WHERE id < ? ORDER BY id DESC LIMIT ?",
        (2**63 - 1 if before is None else before, limit),
    )
    return [_silence(row) for row in found]


def recent(db: Db, *, since: datetime) -> list[Told]:
    """Return the incidents that are open or moved since then, the newest first."""
    found = db.rows(
        """SELECT i.incident, (SELECT count(DISTINCT key) FROM outbox o
            WHERE o.incident = i.id AND o.planned_at >= ?1) AS told
        FROM incidents i WHERE i.state <> 'resolved'
        OR EXISTS (SELECT 1 FROM timeline t WHERE t.target = 'I' || i.id AND t.at >= ?1)
        ORDER BY i.id DESC LIMIT ?2""",
        (micros(since), PREVIEWED),
    )
    return [
        Told(incident=_INCIDENT.decode(row["incident"]), notifications=row["told"]) for row in found
    ]


def spent(db: Db, kinds: Collection[NotificationKind], *, since: datetime) -> int:
    """Return how many notifications of these kinds were planned since then, whoever gets them."""
    return int(
        db.value(
            """SELECT count(DISTINCT key) FROM outbox WHERE planned_at >= ?
            AND kind IN (SELECT value FROM json_each(?))""",
            (micros(since), json_list(kinds)),
        )
    )


def gathered(db: Db) -> list[Incident]:
    """Return the resolved incidents that wait for the digest of their shift, oldest first."""
    found = db.rows(
        """SELECT incident FROM incidents
        WHERE state = 'resolved' AND notify_at IS NOT NULL ORDER BY id"""
    )
    return [_INCIDENT.decode(row["incident"]) for row in found]


def add_digest(db: Db, key: str, receiver: str, incidents: Sequence[int]) -> None:
    """The digest of this key is about these incidents, for this receiver."""
    db.many(
        "INSERT OR IGNORE INTO digests VALUES (?, ?, ?)",
        [(key, receiver, number) for number in incidents],
    )


def of_digest(db: Db, key: str, receiver: str) -> list[Incident]:
    """Return the incidents a digest is about as they are now, oldest first."""
    found = db.rows(
        """SELECT i.incident FROM digests d JOIN incidents i ON i.id = d.incident
        WHERE d.key = ? AND d.receiver = ? ORDER BY i.id""",
        (key, receiver),
    )
    return [_INCIDENT.decode(row["incident"]) for row in found]


def _silence(row: Row) -> Silence:
    return replace(_SILENCE.decode(row["silence"]), id=row["id"])
