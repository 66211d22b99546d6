"""The timeline (main courante): what happened to incidents and queue items. It only grows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from veille.domain.incident import Event
from veille.store.codec import clean, json_list, micros, moment, to_json
from veille.store.engine import Db, Row

# an undone merge leaves its line, but the incident is in no other any more
_JOINED = """SELECT DISTINCT json_extract(t.data, '$.from') AS name FROM timeline t
    JOIN incidents i ON i.id = CAST(substr(json_extract(t.data, '$.from'), 2) AS INTEGER)
    WHERE t.target = ?1 AND t.kind = 'incident.joined'
    AND 'I' || json_extract(i.incident, '$.merged_into') = ?1"""
_DATA = msgspec.json.Decoder(Mapping[str, str | int | float | list[str] | None])


def add(db: Db, events: Sequence[Event]) -> None:
    """The events stand at the end, in this order."""
    db.many(
        "INSERT INTO timeline (target, at, kind, actor, text, data) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (e.target, micros(e.at), e.kind, clean(e.actor), clean(e.text), to_json(e.data))
            for e in events
        ],
    )


def append(db: Db, event: Event) -> int:
    """The event stands at the end; return the number of its row."""
    add(db, [event])
    return int(db.value("SELECT seq FROM sqlite_sequence WHERE name = 'timeline'") or 0)


def is_repeat(db: Db, event: Event, *, since: datetime) -> bool:
    """Whether the last line of its target says the same, by the same actor, since then."""
    row = db.row(
        """SELECT kind, actor, text, at FROM timeline WHERE target = ?
        ORDER BY seq DESC LIMIT 1""",
        (event.target,),
    )
    said = (event.kind, clean(event.actor), clean(event.text))
    return (
        row is not None
        and (row["kind"], row["actor"], row["text"]) == said
        and (row["at"] >= micros(since))
    )


def of(db: Db, target: str) -> list[Event]:
    """Return what happened to `I12` or `Q345`, newest last."""
    rows = db.rows("SELECT * FROM timeline WHERE target = ? ORDER BY seq", (target,))
    return [_event(row) for row in rows]


def page(db: Db, target: str, *, limit: int, after: int = 0) -> list[tuple[int, Event]]:
    """Return up to `limit` lines of `target` behind number `after`, each with its own, in order."""
    rows = db.rows(
        "SELECT * FROM timeline WHERE target = ? AND seq > ? ORDER BY seq LIMIT ?",
        (target, after, limit),
    )
    return [(row["seq"], _event(row)) for row in rows]


def whole(db: Db, target: str) -> list[Event]:
    """Return what happened to an incident and to those merged into it, newest last."""
    targets, found = [target], dict.fromkeys([target])
    while targets:
        rows = db.rows(_JOINED, (targets.pop(),))
        new = [row["name"] for row in rows if row["name"] not in found]
        targets += new
        found.update(dict.fromkeys(new))
    rows = db.rows(
        "SELECT * FROM timeline WHERE target IN (SELECT value FROM json_each(?)) ORDER BY seq",
        (json_list(found),),
    )
    return [_event(row) for row in rows]


def wrote_again(db: Db, targets: Collection[str]) -> set[str]:
    """Return which of these came back as their author wrote again, and were not decided since."""
    rows = db.rows(
        """SELECT DISTINCT t.target FROM timeline t
        WHERE t.target IN (SELECT value FROM json_each(?)) AND t.kind = 'queue.returned'
        AND NOT EXISTS (SELECT 1 FROM timeline d WHERE d.target = t.target AND d.seq > t.seq AND
            d.kind IN ('queue.changed', 'queue.answered', 'queue.reported', 'draft.published',
                'queue.deleted', 'queue.erased', 'queue.expired'))""",
        (json_list(targets),),
    )
    return {row["target"] for row in rows}


def last_change(db: Db, target: str) -> Event | None:
    """Return what last changed `target`, None when nothing did; a note changes nothing.

    Of an incident, what a person did: veille's own changes leave a page of it as good as it was.
    """
    row = db.row(
        """SELECT * FROM timeline WHERE target = ?1 AND (kind GLOB 'queue.*'
            OR (actor <> 'veille' AND (kind GLOB 'incident.*' OR kind GLOB 'silence.*')))
        ORDER BY seq DESC LIMIT 1""",
        (target,),
    )
    return None if row is None else _event(row)


def log(db: Db) -> list[Event]:
    """Return everything that happened, in the order it was written."""
    return [_event(row) for row in db.rows("SELECT * FROM timeline ORDER BY seq")]


def _event(row: Row) -> Event:
    return Event(
        target=row["target"],
        at=moment(row["at"]),
        kind=row["kind"],
        actor=row["actor"],
        text=row["text"],
        data=_DATA.decode(row["data"]),
    )
