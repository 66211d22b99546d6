"""Search: pages of mentions, newest first or best first, and how many there are of each kind.

What one page reads is bounded: the newest entries of one list (`search_plan.EXAMINED`); it says
where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from veille.domain.search import Field, Search
from veille.store.codec import micros, to_json
from veille.store.engine import Db
from veille.store.facets import DAY
from veille.store.search_plan import EXAMINED, Plan, plan

COUNTED = 10_000
"""Hits that are counted, and exported, at most: beyond, a count says "more than"."""
RANKED = 2_000
"""The newest texts with the words, among which the best are sought."""
PERIODS = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
_TOP = 8  # values shown of each field
_NUMBERS = msgspec.json.Decoder(list[int])

# one row, put together by SQLite: ten thousand rows would cost Python more than the reading
_COUNT = """SELECT count(*) AS total, coalesce(group_concat(trim(terms, '[]')), '') AS terms,
    coalesce(group_concat(at), '') AS times, coalesce(group_concat(item), '') AS items
    FROM ({0} LIMIT ?)"""
_BEST = """SELECT c.id FROM (SELECT rowid AS id, bm25(mention_index) AS score FROM mention_index
        WHERE mention_index MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?) c
    CROSS JOIN search_facts f ON f.mention = c.id WHERE {0} ORDER BY c.score, c.id DESC LIMIT ?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Keys of mentions; `next` is the row number to go on before, None at the end.

    `is_cut`: reading stopped early, more may follow before `next`.
    """

    keys: tuple[str, ...] = ()
    next: int | None = None
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many hits there are, and how many of each value, most first.

    `has_more`: there are more, only the newest were counted.
    """

    total: int = 0
    has_more: bool = False
    values: Mapping[Field, list[tuple[str, int]]] = field(default_factory=dict)
    periods: Mapping[str, int] = field(default_factory=dict)


def page(db: Db, wanted: Search, *, limit: int, before: int | None = None) -> Page:
    """Return up to `limit` hits that were stored before row `before` (None: all), newest first."""
    found = plan(db, wanted, before=before)
    if found is None:
        return Page()
    rows = db.rows(f"{found.hits('c.id')} LIMIT ?", (*found.params, limit + 1))
    ids = [row["id"] for row in rows]
    if len(ids) > limit:
        return Page(keys=_keys(db, ids[:limit]), next=ids[limit - 1])
    cut = _cut(db, found)
    return Page(keys=_keys(db, ids), next=cut, is_cut=cut is not None)


def best(db: Db, wanted: Search, *, limit: int) -> Page:
    """Return the `limit` hits that say the words most, of the newest `RANKED` that say them.

    Without words none is better than another: the newest.
    """
    found = plan(db, wanted, by_words=True)
    if found is None or not found.words:
        return page(db, wanted, limit=limit)
    params = (found.words, found.low, found.high, RANKED, *found.kept, limit)
    rows = db.rows(_BEST.format(found.where), params)
    return Page(keys=_keys(db, [row["id"] for row in rows]))


def counts(db: Db, wanted: Search, *, now: datetime) -> Counts:
    """Return how many hits there are of each value, among the newest `COUNTED`."""
    found = plan(db, wanted)
    if found is None:
        return Counts()
    row = db.rows(_COUNT.format(found.hits("f.*")), (*found.params, COUNTED + 1))[0]
    times = _NUMBERS.decode(f"[{row['times']}]")
    periods = {
        name: sum(map(micros(now - length).__le__, times)) for name, length in PERIODS.items()
    }
    return Counts(
        total=min(row["total"], COUNTED),
        has_more=row["total"] > COUNTED or _cut(db, found) is not None,
        values=_named(db, row["terms"]) | _states(db, row["items"]),
        periods={name: count for name, count in periods.items() if count},
    )


def _named(db: Db, terms: str) -> dict[Field, list[tuple[str, int]]]:
    """Return the values that these numbers stand for, by field, the most frequent first."""
    counted = Counter(_NUMBERS.decode(f"[{terms}]"))
    rows = db.rows(
        """SELECT id, field, value FROM search_terms
        WHERE field <> ? AND id IN (SELECT value FROM json_each(?))""",
        (DAY, to_json(list(counted))),
    )
    found: dict[Field, list[tuple[str, int]]] = {}
    for row in sorted(rows, key=lambda row: (-counted[row["id"]], row["value"])):
        listed = found.setdefault(Field(row["field"]), [])
        if len(listed) < _TOP:
            listed.append((row["value"], counted[row["id"]]))
    return found


def _states(db: Db, items: str) -> dict[Field, list[tuple[str, int]]]:
    rows = db.rows(
        """SELECT state, count(*) AS count FROM queue WHERE id IN (SELECT value FROM json_each(?))
        GROUP BY state ORDER BY count DESC, state""",
        (f"[{items}]",),
    )
    return {Field.STATE: [(row["state"], row["count"]) for row in rows]} if rows else {}


def _keys(db: Db, ids: Sequence[int]) -> tuple[str, ...]:
    """Return the keys of these row numbers, in their order."""
    rows = db.rows(
        """SELECT m.key FROM json_each(?) wanted CROSS JOIN mentions m ON m.id = wanted.value
        ORDER BY wanted.key""",
        (to_json(ids),),
    )
    return tuple(row["key"] for row in rows)


def _cut(db: Db, found: Plan) -> int | None:
    """Return the last row number that was read, if reading stopped there."""
    if not found.tests:
        return None  # every entry is a hit: the limit of hits came first
    sql = f"SELECT id FROM ({found.driver}) LIMIT 1 OFFSET ?"  # noqa: S608 constants
    params = (*found.listed, found.low, found.high, EXAMINED, EXAMINED - 1)
    last = db.value(sql, params)
    return None if last is None else int(last)
