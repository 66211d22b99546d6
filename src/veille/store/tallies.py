"""Tallies: counts by quarter of an hour that outlive what was counted; no text, no author."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import msgspec

from veille.domain.analysis import Analysis, UrgencyLabel
from veille.store.codec import micros, moment, to_json
from veille.store.engine import Db

QUARTER_US = 15 * 60 * 1_000_000
"""Every time zone in use lies at a multiple of 15 min from UTC: a local day is whole quarters."""

Entry: TypeAlias = tuple[str, str, str]
"""What was counted, its name, its label: `("source", "presse", "negative")`."""

_ENTRIES = msgspec.json.Decoder(list[Entry])
_NAMES = msgspec.json.Decoder(list[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """So many of one thing in the quarter of an hour that began at `at`."""

    at: datetime
    what: str
    name: str
    label: str
    count: int


def add(db: Db, at: datetime, entries: Iterable[Entry]) -> None:
    """Each entry counts once more. Not repeatable: commit it with what it counts."""
    _change(db, micros(at), entries, by=1)


def take_back(db: Db, at: datetime, entries: Iterable[Entry]) -> None:
    """Each entry that was added for this moment counts once less."""
    _change(db, micros(at), entries, by=-1)


def count_mention(db: Db, number: int, analysis: Analysis) -> None:
    """The mention of this row number is counted as it is now, and no longer as it was before.

    It counts when it was written, or when it arrived if it says it was written later; an edit
    does not move it. Deleting it later changes nothing.
    """
    row = db.row(
        """SELECT m.source, m.watches, m.masked, m.own, min(m.created_at, m.received_at) AS at,
            c.at AS counted_at, c.entries
        FROM mentions m LEFT JOIN counted c ON c.mention = m.id WHERE m.id = ?""",
        (number,),
    )
    if row is None:
        return
    at = row["at"]
    if row["entries"] is not None:
        at = row["counted_at"]
        _change(db, at, _ENTRIES.decode(row["entries"]), by=-1)
    label = str(analysis.sentiment.label)
    if row["own"]:
        entries = [("own", row["source"], label)]
    else:
        entries = [("source", row["source"], label)]
        entries += [("watch", watch, label) for watch in _NAMES.decode(row["watches"])]
        entries += [("masked", kind, "") for kind in _NAMES.decode(row["masked"])]
        if analysis.urgency.label is UrgencyLabel.URGENT:
            entries.append(("urgent", row["source"], ""))
    _change(db, at, entries, by=1)
    db.execute("INSERT OR REPLACE INTO counted VALUES (?, ?, ?)", (number, at, to_json(entries)))


def count_deletion(db: Db, key: str, cause: str, now: datetime) -> None:
    """A deletion is counted under class (incident, flagged, neutral) and cause; call it before."""
    kind = db.value(
        """SELECT CASE WHEN EXISTS (SELECT 1 FROM evidence WHERE mention = ?1) THEN 'incident'
        WHEN EXISTS (SELECT 1 FROM queue WHERE mention = ?1) THEN 'flagged' ELSE 'neutral' END""",
        (key,),
    )
    add(db, now, [("deleted", kind, cause)])


def between(db: Db, start: datetime, end: datetime) -> Sequence[Tally]:
    """Return what was counted from `start` (included) to `end` (excluded), in order of time."""
    found = db.rows(
        """SELECT at, what, name, label, count FROM tallies
        WHERE at >= ? AND at < ? AND count > 0 ORDER BY at, what, name, label""",
        (micros(start), micros(end)),
    )
    return [
        Tally(
            at=moment(row["at"]),
            what=row["what"],
            name=row["name"],
            label=row["label"],
            count=row["count"],
        )
        for row in found
    ]


def _change(db: Db, at: int, entries: Iterable[Entry], *, by: int) -> None:
    quarter = at // QUARTER_US * QUARTER_US
    db.many(
        """INSERT INTO tallies (at, what, name, label, count) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (at, what, name, label) DO UPDATE SET count = count + excluded.count""",
        [(quarter, *entry, by) for entry in entries],
    )
