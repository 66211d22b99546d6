"""What the clock stage reads and notes beside obligations: where it is, whom to warn of what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from veille.domain.promise import ASKING
from veille.store.codec import json_list, micros, moment
from veille.store.engine import Db

_ASKING = ", ".join(f"'{intent.value}'" for intent in sorted(ASKING))
# most texts ask for nothing, answer nobody and are of no item: they are passed over here
_FRESH = f"""SELECT o.key FROM observations o
    JOIN mentions m ON m.id = o.mention JOIN queue_facts f ON f.key = o.key
    WHERE o.seq > ?1 AND o.seq <= ?2 AND (f.intent IN ({_ASKING})
        OR (m.own OR m.author IS NOT NULL) AND (m.reply_to IS NOT NULL OR m.thread IS NOT NULL)
        OR EXISTS (SELECT 1 FROM obligations WHERE mention = o.key OR same_as = o.key)
        OR EXISTS (SELECT 1 FROM queue WHERE mention = o.key)) ORDER BY o.seq"""  # noqa: S608
_HANDLED = """SELECT DISTINCT q.mention FROM timeline t
    JOIN queue q ON q.id = CAST(substr(t.target, 2) AS INTEGER)
    WHERE t.seq > ?1 AND t.seq <= ?2 AND substr(t.target, 1, 1) = 'Q' ORDER BY t.seq"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """An obligation whose warning time has come."""

    mention: str
    item: int | None
    source: str
    intent: str
    due_at: datetime


def next_seq(db: Db, table: str, after: int, *, limit: int) -> int:
    """Return the number up to which `limit` rows of observations or timeline follow `after`."""
    found = db.value(
        f"SELECT max(seq) FROM (SELECT seq FROM {table} WHERE seq > ? ORDER BY seq LIMIT ?)",  # noqa: S608
        (after, limit),
    )
    return after if found is None else int(found)


def observed(db: Db, after: int, until: int) -> list[str]:
    """Return the mentions observed in between that may make, meet or end an obligation."""
    return [row["key"] for row in db.rows(_FRESH, (after, until))]


def handled(db: Db, after: int, until: int) -> list[str]:
    """Return the mentions whose queue items something happened to in between."""
    return [row["mention"] for row in db.rows(_HANDLED, (after, until))]


def standing(db: Db, after: str, *, limit: int) -> list[str]:
    """Return the mentions, after this one, of obligations that are open, in order."""
    rows = db.rows(
        """SELECT mention FROM obligations WHERE mention > ? AND state = 'open'
        ORDER BY mention LIMIT ?""",
        (after, limit),
    )
    return [row["mention"] for row in rows]


def to_warn(db: Db, now: datetime, *, limit: int) -> list[Warned]:
    """Return up to `limit` questions and requests of which nobody was warned yet and should be."""
    rows = db.rows(
        """SELECT mention, item, source, intent, due_at FROM obligations WHERE warn_at <= ?
        AND told_at IS NULL AND is_asked AND state = 'open' ORDER BY warn_at, mention LIMIT ?""",
        (micros(now), limit),
    )
    return [
        Warned(
            mention=row["mention"],
            item=row["item"],
            source=row["source"],
            intent=row["intent"],
            due_at=moment(row["due_at"]),
        )
        for row in rows
    ]


def note_told(db: Db, mentions: Iterable[str], now: datetime) -> None:
    """People were warned of these, or need not be any more."""
    db.execute(
        """UPDATE obligations SET told_at = ?
        WHERE mention IN (SELECT value FROM json_each(?))""",
        (micros(now), json_list(mentions)),
    )


def owed(db: Db, mentions: Sequence[str], now: datetime) -> set[str]:
    """Return which of these still wait, their warning time come."""
    rows = db.rows(
        """SELECT mention FROM obligations WHERE mention IN (SELECT value FROM json_each(?))
        AND state = 'open' AND warn_at <= ?""",
        (json_list(mentions), micros(now)),
    )
    return {row["mention"] for row in rows}
