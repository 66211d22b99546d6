"""The timeline (main courante): what happened to incidents and queue items. It only grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from veille.domain.incident import Event
from veille.store.codec import clean, micros, moment, to_json
from veille.store.engine import Db, Row

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


def of(db: Db, target: str) -> list[Event]:
    """Return what happened to `I12` or `Q345`, newest last."""
    rows = db.rows("SELECT * FROM timeline WHERE target = ? ORDER BY seq", (target,))
    return [_event(row) for row in rows]


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
