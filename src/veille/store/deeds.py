"""What was done and may be undone for some seconds: each target as it was before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from veille.domain.draft import Draft
from veille.domain.incident import Incident, QueueItem, Verdict
from veille.domain.oncall import Escalation
from veille.store.codec import clean, json_list, micros, moment, to_json
from veille.store.engine import Db, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """One target before it was changed; `draft` without its text, which no action here changes.

    `evidence` is the last row of evidence there was. `verdict` is what had been said, where
    `was_judged`. `corrected` is the last correction there was, where the deed made others.
    """

    item: QueueItem | None = None
    incident: Incident | None = None
    escalation: Escalation | None = None
    evidence: int = 0
    draft: Draft | None = None
    was_judged: bool = False
    verdict: Verdict | None = None
    corrected: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One target of a deed: the version it left (of an incident `touched`)."""

    target: str
    version: int
    before: Before


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One deed with all it changed."""

    id: int
    at: datetime
    actor: str
    verb: str
    undone_at: datetime | None
    parts: tuple[Part, ...]


_BEFORE = msgspec.json.Decoder(Before)


def begin(db: Db, *, at: datetime, actor: str, verb: str) -> int:
    """Return the number of a new deed; its parts are added in the same transaction."""
    done = db.execute(
        "INSERT INTO deeds (at, actor, verb) VALUES (?, ?, ?)", (micros(at), clean(actor), verb)
    )
    return done.lastrowid or 0


def add_part(db: Db, deed: int, part: Part) -> None:
    """The deed changed this target; of several changes the first before and the last version."""
    db.execute(
        """INSERT INTO deed_parts VALUES (?, ?, ?, ?)
        ON CONFLICT (deed, target) DO UPDATE SET version = excluded.version""",
        (deed, part.target, part.version, to_json(part.before)),
    )


def get(db: Db, id: int) -> Record | None:
    """Return a deed, None when there is none of this number (any more)."""
    row = db.row("SELECT * FROM deeds WHERE id = ?", (id,))
    if row is None:
        return None
    parts = db.rows("SELECT * FROM deed_parts WHERE deed = ? ORDER BY target", (id,))
    return Record(
        id=row["id"],
        at=moment(row["at"]),
        actor=row["actor"],
        verb=row["verb"],
        undone_at=moment(row["undone_at"]),
        parts=tuple(map(_part, parts)),
    )


def last_of(db: Db, actor: str) -> int | None:
    """Return the number of the last deed of `actor`, None where there is none."""
    found: int | None = db.value("SELECT max(id) FROM deeds WHERE actor = ?", (clean(actor),))
    return found


def undone(db: Db, id: int, *, at: datetime) -> None:
    """The deed is undone: once."""
    db.execute("UPDATE deeds SET undone_at = ? WHERE id = ?", (micros(at), id))


def forget(db: Db, targets: list[str]) -> int:
    """Nothing of these targets can be undone any more; return how many parts went."""
    return db.execute(
        "DELETE FROM deed_parts WHERE target IN (SELECT value FROM json_each(?))",
        (json_list(targets),),
    ).rowcount


def _part(row: Row) -> Part:
    return Part(target=row["target"], version=row["version"], before=_BEFORE.decode(row["before"]))
