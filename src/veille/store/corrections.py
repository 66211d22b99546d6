"""What people corrected or confirmed of analyses; it goes with its mention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from veille.domain.analysis import Analysis
from veille.domain.correction import (
    TAKEN_BACK,
    Correction,
    Judged,
    is_choice,
    machine_labels,
    model_of,
    reading_of,
    settled,
)
from veille.domain.errors import InputError, RereadError
from veille.store import facets
from veille.store.codec import clean, json_list, micros, moment
from veille.store.engine import Db, Row

_ANALYSIS = msgspec.json.Decoder(Analysis)
# the last word on each head of the text as it is now: an edited text must be judged anew
_STANDING = """SELECT m.key, c.* FROM corrections c
    JOIN mentions m ON m.id = c.mention AND m.version = c.version
    WHERE m.key IN (SELECT value FROM json_each(?)) AND c.value <> ''
    AND c.seq = (SELECT max(x.seq) FROM corrections x
        WHERE x.mention = c.mention AND x.version = c.version AND x.head = c.head)
    ORDER BY c.seq"""
_ANALYZED = """SELECT m.id, m.version, a.analysis FROM mentions m
    JOIN analyses a ON a.mention = m.id AND a.version = m.version
    WHERE m.key = ? AND m.state = 'analyzed'"""
_JUDGED = """SELECT m.key, m.text, a.analysis FROM mentions m
    JOIN analyses a ON a.mention = m.id AND a.version = m.version
    WHERE m.state = 'analyzed' AND EXISTS (SELECT 1 FROM corrections c WHERE c.mention = m.id)
    ORDER BY m.id"""


def add(
    db: Db,
    key: str,
    labels: Mapping[str, str],
    *,
    actor: str,
    at: datetime,
    reading: str | None = None,
) -> dict[str, Correction]:
    """These labels stand, by head; return those that did not before. Repeating it changes nothing.

    A label equal to the machine's is kept as its confirmation; "" takes back what stood. InputError
    for a label that is none, for a target without hostility, or when the mention has no analysis
    (any more). A target that stood goes with the hostility. RereadError when what was judged,
    `reading`, is not what is stored now.
    """
    for head, value in labels.items():
        if not is_choice(head, value):
            raise InputError(f'mention {key}: "{value[:24]}" is no {head}: choose one of the list')
    row, analysis = _analyzed(db, key, reading)
    standing = {head: c.value for head, c in corrected(db, [key]).get(key, {}).items()}
    machine = machine_labels(analysis)
    found = {}
    for head, value in settled(labels, standing=standing, machine=machine).items():
        old = standing.get(head, TAKEN_BACK)
        if value != old:
            found[head] = Correction(
                head=head,
                value=value,
                previous=old or machine.get(head, ""),
                model=model_of(analysis, head),
                actor=actor,
                at=at,
            )
    db.many(
        """INSERT INTO corrections (mention, version, head, value, previous, model, actor, at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            (row["id"], row["version"], c.head, c.value, c.previous, c.model, clean(actor),
             micros(at))
            for c in found.values()
        ],
    )  # fmt: skip
    if found:
        facets.refresh(db, row["id"])
    return found


def last(db: Db) -> int:
    """Return the number of the last correction of all, 0 before the first."""
    return int(db.value("SELECT max(seq) FROM corrections") or 0)


def forget(db: Db, key: str, *, after: int) -> None:
    """What was said of this mention after that correction was never said."""
    number = db.value("SELECT id FROM mentions WHERE key = ?", (key,))
    if number is not None:
        db.execute("DELETE FROM corrections WHERE mention = ? AND seq > ?", (number, after))
        facets.refresh(db, number)


def corrected(db: Db, keys: Iterable[str]) -> dict[str, dict[str, Correction]]:
    """Return what people say of each mention now, by key and head; none of it is withdrawn."""
    found: dict[str, dict[str, Correction]] = {}
    for row in db.rows(_STANDING, (json_list(keys),)):
        found.setdefault(row["key"], {})[row["head"]] = _correction(row)
    return found


def judged(db: Db) -> list[Judged]:
    """Return every stored text people judged, with their labels and the machine's."""
    rows = db.rows(_JUDGED)
    standing = corrected(db, [row["key"] for row in rows])
    return [
        Judged(
            text=row["text"],
            labels={head: c.value for head, c in standing[row["key"]].items()},
            machine=machine_labels(_ANALYSIS.decode(row["analysis"])),
        )
        for row in rows
        if row["key"] in standing
    ]


def _analyzed(db: Db, key: str, reading: str | None) -> tuple[Row, Analysis]:
    row = db.row(_ANALYZED, (key,))
    if row is not None:
        analysis = _ANALYSIS.decode(row["analysis"])
        if reading in {None, reading_of(row["version"], analysis)}:
            return row, analysis
    if reading is None:
        raise InputError(f"mention {key}: not analyzed yet, or deleted; load it again")
    raise RereadError(f"mention {key}: text or analysis changed meanwhile; load it again")


def _correction(row: Row) -> Correction:
    return Correction(
        head=row["head"],
        value=row["value"],
        previous=row["previous"],
        model=row["model"],
        actor=row["actor"],
        at=moment(row["at"]),
    )
