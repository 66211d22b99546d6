"""Observations: the analyzed mentions as rules read them, in one lasting order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import takewhile

import msgspec

from veille.domain.analysis import Analysis
from veille.domain.mention import MentionKind, Metrics
from veille.domain.record import Observation
from veille.store.codec import json_list, micros, moment
from veille.store.engine import Db, Row

_ANALYSIS = msgspec.json.Decoder(Analysis)
_NAMES = msgspec.json.Decoder(tuple[str, ...])
_METRICS = msgspec.json.Decoder(Metrics | None)

# a version that was edited since has its text in mention_versions; a deleted one has none left
_SELECT = """SELECT o.*, CASE WHEN o.version = m.version THEN m.text ELSE v.text END AS text,
        a.analysis, EXISTS (
            SELECT 1 FROM observations x WHERE x.mention = o.mention AND x.seq < o.seq) AS is_again
    FROM observations o
    JOIN mentions m ON m.id = o.mention
    LEFT JOIN mention_versions v ON v.mention = o.mention AND v.version = o.version
    LEFT JOIN analyses a ON a.mention = o.mention AND a.version = o.version"""
_AFTER = f"{_SELECT} WHERE o.seq > ? ORDER BY o.seq LIMIT ?"
_RECENT = f"""{_SELECT} WHERE o.seq <= ?1 AND o.mention IN (
        SELECT mention FROM observations WHERE received_at >= ?2 AND +seq <= ?1)
    ORDER BY o.seq"""  # noqa: S608 constants; + keeps the planner on the index by time

_NEWEST = f"""{_SELECT} WHERE o.seq IN (
        SELECT max(seq) FROM observations WHERE mention IN (
            SELECT id FROM mentions WHERE key IN (SELECT value FROM json_each(?)))
        AND seq <= ? GROUP BY mention)"""  # noqa: S608 constants


def after(db: Db, seq: int, *, limit: int, until: datetime | None = None) -> list[Observation]:
    """Return up to `limit` observations after `seq`, in order.

    They end before the first one received after `until`, so that the last `seq` returned is a safe
    watermark even when times are out of order.
    """
    found = map(
        _observation,
        db.rows(_AFTER, (seq, limit)),
    )
    return list(takewhile(lambda o: until is None or o.received_at <= until, found))


def recent(db: Db, *, since: datetime, up_to: int) -> Iterator[Observation]:
    """Yield what rebuilds windows that reach back to `since` as they were after `up_to`, in order.

    For each mention with an observation received since then, all of its observations: an edit or
    deletion counts even when its own time lies before. To be used up before `db` is given back.
    """
    return map(_observation, db.each(_RECENT, (up_to, micros(since))))


def newest(db: Db, keys: Iterable[str], *, up_to: int) -> list[Observation]:
    """Return what rules saw last of these mentions, up to `up_to`, in the order of `keys`."""
    wanted = list(keys)
    found = {o.key: o for o in map(_observation, db.rows(_NEWEST, (json_list(wanted), up_to)))}
    return [found[key] for key in wanted if key in found]


def sources_between(db: Db, since: datetime, until: datetime) -> set[str]:
    """Return the sources of what was received after `since` and until `until`."""
    found = db.rows(
        "SELECT DISTINCT source FROM observations WHERE received_at > ? AND received_at <= ?",
        (micros(since), micros(until)),
    )
    return {row["source"] for row in found}


def first_since(db: Db, at: datetime) -> int:
    """Return the number of the first observation received then or later, 1 past the last if none.

    Times may be out of order: it is the smallest number, not that of the earliest.
    """
    found = db.value("SELECT min(seq) FROM observations WHERE received_at >= ?", (micros(at),))
    return last_seq(db) + 1 if found is None else int(found)


def last_at(db: Db) -> datetime | None:
    """Return when the latest observation was received, None when there is none."""
    found = db.value("SELECT max(received_at) FROM observations")
    return None if found is None else moment(found)


def last_seq(db: Db) -> int:
    """Return the number of the newest observation, 0 when there is none."""
    return int(db.value("SELECT coalesce(max(seq), 0) FROM observations"))


def _observation(row: Row) -> Observation:
    return Observation(
        seq=row["seq"],
        key=row["key"],
        source=row["source"],
        watches=_NAMES.decode(row["watches"]),
        kind=MentionKind(row["kind"]),
        text=row["text"] or "",
        created_at=moment(row["created_at"]),
        received_at=moment(row["received_at"]),
        author=row["author"],
        followers=row["followers"],
        author_age=row["author_age"],
        role=row["role"],
        own=bool(row["own"]),
        reply_to=row["reply_to"],
        thread=row["thread"],
        media=_NAMES.decode(row["media"]),
        masked=_NAMES.decode(row["masked"]),
        metrics=_METRICS.decode(row["metrics"]),
        is_again=bool(row["is_again"]),
        analysis=None if row["analysis"] is None else _ANALYSIS.decode(row["analysis"]),
    )
