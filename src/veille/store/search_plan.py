"""How a search is read: which list drives it, newest first, and what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from veille.domain.query import And, Node, Not, Or, Term
from veille.domain.search import Field, Filter, Search
from veille.domain.text import fold, words
from veille.store.codec import json_list, micros, to_json
from veille.store.engine import Db, Value
from veille.store.facets import DAY

EXAMINED = 60_000
"""Entries of one list that one page reads at most: some 50 ms (benchmarks/README.md)."""
_RARE = 500  # so short a list is read, and the words are looked up in each of its texts
_SORTED = 20_000  # entries of several lists that are merged by sorting; beyond, all are read
_END = 2**63 - 1
_AFTER = "\U0010ffff"
_OF_ITEM = {Field.STATE: "state", Field.SEVERITY: "severity", Field.RULE: "rule"}

_BY_WORDS = """SELECT rowid AS id FROM mention_index WHERE mention_index MATCH ?
    AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"""
_BY_VALUE = """SELECT mention AS id FROM search_postings WHERE term = ?
    AND mention >= ? AND mention < ? ORDER BY mention DESC LIMIT ?"""
_BY_VALUES = """SELECT DISTINCT mention AS id FROM search_postings
    WHERE term IN (SELECT value FROM json_each(?))
    AND mention >= ? AND mention < ? ORDER BY mention DESC LIMIT ?"""
_BY_AUTHOR = """SELECT id FROM mentions WHERE author >= ? AND author < ?
    AND id >= ? AND id < ? ORDER BY id DESC LIMIT ?"""
_BY_ITEM = """SELECT mention AS id FROM search_facts WHERE item IS NOT NULL
    AND mention >= ? AND mention < ? ORDER BY mention DESC LIMIT ?"""
_BY_TIME = """SELECT mention AS id FROM search_facts
    WHERE mention >= ? AND mention < ? ORDER BY mention DESC LIMIT ?"""
_HAS_WORDS = "EXISTS (SELECT 1 FROM mention_index WHERE mention_index MATCH ? AND rowid = c.id)"
_HAS_VALUE = """EXISTS (SELECT 1 FROM search_postings p WHERE p.mention = c.id
    AND p.term IN (SELECT value FROM json_each(?)))"""
_HAS_ITEM = """EXISTS (SELECT 1 FROM queue q WHERE q.id = f.item
    AND q.{0} IN (SELECT value FROM json_each(?)))"""
_HAS_AUTHOR = "c.id IN (SELECT id FROM mentions WHERE author >= ? AND author < ?)"
# the first and last entry of each day, not all of them
_BOUNDS = """SELECT
        min((SELECT mention FROM search_postings WHERE term = t.id ORDER BY mention LIMIT 1)) AS lo,
        max((SELECT mention FROM search_postings WHERE term = t.id ORDER BY mention DESC LIMIT 1))
            AS hi
    FROM search_terms t WHERE field = ? AND value >= ? AND value <= ?"""
_SIZE = """SELECT count(*) FROM (SELECT 1 FROM search_postings
    WHERE term IN (SELECT value FROM json_each(?)) AND mention >= ? AND mention < ? LIMIT ?)"""
_NAMED = """SELECT id FROM search_terms WHERE field = ?
    AND folded IN (SELECT value FROM json_each(?)) LIMIT 1000"""
# « lavoir » finds the street of that name
_PLACED = """SELECT t.id FROM search_terms t WHERE t.field = ?
    AND EXISTS (SELECT 1 FROM json_each(?) w
        WHERE instr(' ' || replace(replace(t.folded, '-', ' '), char(39), ' ') || ' ', w.value))
    LIMIT 1000"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`driver` lists row numbers, newest first; `tests` keep the hits among them, `words` is FTS5.

    `low` and `high` bound the row numbers, the first included.
    """

    driver: str
    listed: tuple[Value, ...]
    low: int
    high: int
    tests: tuple[str, ...] = ()
    kept: tuple[Value, ...] = ()
    words: str = ""

    @property
    def where(self) -> str:
        """What all hits fulfil."""
        return " AND ".join(self.tests) or "1"

    @property
    def params(self) -> tuple[Value, ...]:
        """What fills the placeholders of `hits`."""
        return (*self.listed, self.low, self.high, EXAMINED, *self.kept)

    def hits(self, columns: str) -> str:
        """Return the query of hits, in the order of the driver."""
        # CROSS JOIN: the driver stays outside, so that its order holds and a LIMIT ends it
        return (
            f"SELECT {columns} FROM ({self.driver}) c "  # noqa: S608 constants
            f"CROSS JOIN search_facts f ON f.mention = c.id WHERE {self.where}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """One filter: the test it is; `terms`, `is_item` and `author` say which list holds its hits."""

    sql: str
    params: tuple[Value, ...]
    terms: tuple[int, ...] = ()
    is_item: bool = False
    author: tuple[str, ...] = ()


def plan(
    db: Db, wanted: Search, *, before: int | None = None, by_words: bool = False
) -> Plan | None:
    """Return how to find what was stored before that row, None where nothing can be found.

    `by_words`: the words must drive it, if there are any.
    """
    bounds = _bounds(db, wanted)
    tests = [_test(db, each) for each in wanted.filters]
    if bounds is None or None in tests:
        return None
    low, high = bounds[0], min(bounds[1], _END if before is None else before)
    found = [test for test in tests if test is not None]
    words = expression(wanted.words.root) if wanted.has_words else ""
    driver, listed, used = _driver(db, words, found, (low, high), by_words=by_words)
    kept = [(test.sql, test.params) for test in found if test is not used]
    kept += _times(wanted)
    if words and driver != _BY_WORDS:
        kept.append((_HAS_WORDS, (words,)))
    return Plan(
        driver=driver,
        listed=listed,
        low=low,
        high=high,
        tests=tuple(sql for sql, _ in kept),
        kept=tuple(value for _, params in kept for value in params),
        words=words,
    )


def expression(node: Node) -> str:
    """Return the words as FTS5 writes them; domain.search has refused what it cannot."""
    match node:
        case Term(parts=parts):
            phrase = " ".join(word for word, _ in parts)
            return f'"{phrase}"{"*" if parts[-1][1] else ""}'
        case Or(nodes=nodes):
            return f"({' OR '.join(map(expression, nodes))})"
        case And(nodes=nodes):
            wanted = [expression(inner) for inner in nodes if not isinstance(inner, Not)]
            excluded = [expression(inner.node) for inner in nodes if isinstance(inner, Not)]
            both = f"({' AND '.join(wanted)})"
            return f"({both} NOT ({' OR '.join(excluded)}))" if excluded else both
        case Not():
            raise ValueError("an exclusion stands alone: domain.search refuses it")


def _driver(
    db: Db,
    words: str,
    tests: Sequence[_Test],
    bounds: tuple[int, int],
    *,
    by_words: bool,
) -> tuple[str, tuple[Value, ...], _Test | None]:
    """Return the list to read, what fills it, and the test it makes needless."""
    if words and by_words:
        return _BY_WORDS, (words,), None
    for test in tests:
        if len(test.author) == 1:
            return _BY_AUTHOR, test.params, test
    # looking up the beginning of a word merges its lists anew for each text
    may_look_up = "*" not in words
    listed = [test for test in tests if test.terms]
    if not words and len(listed) == 1 and len(listed[0].terms) == 1 and not _is_item(tests):
        return _BY_VALUE, listed[0].terms, listed[0]
    most = _RARE if words else EXAMINED
    sizes = [(_size(db, test.terms, bounds, most + 1), test) for test in listed]
    least, shortest = min(sizes, key=lambda pair: pair[0], default=(_END, None))
    if words and (shortest is None or least > _RARE or not may_look_up):
        return _BY_WORDS, (words,), None
    if _is_item(tests) and least > _SORTED:
        return _BY_ITEM, (), None
    if shortest is None:
        return _BY_TIME, (), None
    if len(shortest.terms) == 1:
        return _BY_VALUE, shortest.terms, shortest
    if least <= _SORTED:
        return _BY_VALUES, (to_json(shortest.terms),), shortest
    return _BY_TIME, (), None


def _is_item(tests: Sequence[_Test]) -> bool:
    return any(test.is_item for test in tests)


def _size(db: Db, terms: Sequence[int], bounds: tuple[int, int], most: int) -> int:
    return int(db.value(_SIZE, (to_json(terms), *bounds, most)))


def _test(db: Db, wanted: Filter) -> _Test | None:
    """Return the test of a filter, None for one that nothing passes."""
    no = "NOT " if wanted.is_excluded else ""
    if wanted.field is Field.AUTHOR:
        sql = " OR ".join([_HAS_AUTHOR] * len(wanted.values))
        ranges = tuple(end for who in wanted.values for end in (who, who + _AFTER))
        author = () if wanted.is_excluded else wanted.values
        return _Test(sql=f"{no}({sql})", params=ranges, author=author)
    if wanted.field in _OF_ITEM:
        sql = _HAS_ITEM.format(_OF_ITEM[wanted.field])
        params = (json_list(wanted.values),)
        return _Test(sql=f"{no}{sql}", params=params, is_item=not wanted.is_excluded)
    terms = _terms(db, wanted)
    if not terms and not wanted.is_excluded:
        return None
    drives = () if wanted.is_excluded else terms
    return _Test(sql=f"{no}{_HAS_VALUE}", params=(to_json(terms),), terms=drives)


def _terms(db: Db, wanted: Filter) -> tuple[int, ...]:
    if wanted.field is Field.PLACE:
        named = [f" {' '.join(words(fold(value)))} " for value in wanted.values]
        rows = db.rows(_PLACED, (wanted.field, json_list(named)))
    else:
        rows = db.rows(_NAMED, (wanted.field, json_list(map(fold, wanted.values))))
    return tuple(row["id"] for row in rows)


def _bounds(db: Db, wanted: Search) -> tuple[int, int] | None:
    """Return the row numbers between which a period lies, None for one without a mention."""
    if wanted.since is None and wanted.until is None:
        return 0, _END
    first = "" if wanted.since is None else wanted.since.date().isoformat()
    last = "~" if wanted.until is None else wanted.until.date().isoformat()
    row = db.row(_BOUNDS, (DAY, first, last))
    if row is None or row["lo"] is None:
        return None
    return row["lo"], row["hi"] + 1


def _times(wanted: Search) -> list[tuple[str, tuple[Value, ...]]]:
    found: list[tuple[str, tuple[Value, ...]]] = []
    if wanted.since is not None:
        found.append(("f.at >= ?", (micros(wanted.since),)))
    if wanted.until is not None:
        found.append(("f.at < ?", (micros(wanted.until),)))
    return found
