"""The audit log as it is read: filtered, page by page, and when its chain was verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from veille.store.audit import GENESIS, Proof
from veille.store.codec import micros, moment
from veille.store.engine import Db

MOST_NAMES = 200
"""Actors or actions that a filter lists: a town has some dozens of each."""

_SNAPSHOT = msgspec.json.Decoder(dict[str, str | int | float | bool | None])
# one index is chosen, that of what is rarest: the others only narrow what it finds
_COLUMNS = ("target", "action", "actor")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilter:
    """Which rows: each field narrows, None does not. `until` is excluded."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the log; its hash makes it a link of the chain."""

    seq: int
    at: datetime
    actor: str
    action: str
    target: str
    before: Mapping[str, str | int | float | bool | None] | None
    after: Mapping[str, str | int | float | bool | None] | None
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """How the chain was verified last: `done_at` None before the first whole look.

    `count` is how many rows that look had, `broken` the first wrong one. `proof` is how far the
    look under way is.
    """

    proof: Proof
    done_at: datetime | None = None
    count: int = 0
    broken: int | None = None


def page(db: Db, where: TrailFilter, *, limit: int, before: int | None = None) -> list[Entry]:
    """Return up to `limit` rows, newest first, with numbers below `before`."""
    sql, values = statement(where, before=before)
    return [
        Entry(
            seq=row["seq"],
            at=moment(row["at"]),
            actor=row["actor"],
            action=row["action"],
            target=row["target"],
            before=_snapshot(row["before"]),
            after=_snapshot(row["after"]),
            hash=row["hash"],
        )
        for row in db.rows(f"{sql} LIMIT ?", (*values, limit))
    ]


def statement(where: TrailFilter, *, before: int | None) -> tuple[str, tuple[str | int, ...]]:
    """Return the query of a page and its values, without the limit."""
    asked = [(name, getattr(where, name)) for name in _COLUMNS]
    named = [(name, value) for name, value in asked if value is not None]
    terms = [f"{'+' if at else ''}{name} = ?" for at, (name, _) in enumerate(named)]
    values: list[str | int] = [value for _, value in named]
    if before is not None:
        terms.append("seq < ?")
        values.append(before)
    # a period is a span of numbers: its part of a narrow index is read, not the rows (a clock that
    # was set back may have put them in another order)
    if where.since is not None:
        terms.append("seq >= (SELECT coalesce(min(seq), 1 << 62) FROM audit WHERE at >= ?)")
        terms.append("+at >= ?")
        values += [micros(where.since)] * 2
    if where.until is not None:
        terms.append("seq <= (SELECT coalesce(max(seq), 0) FROM audit WHERE at < ?)")
        terms.append("+at < ?")
        values += [micros(where.until)] * 2
    stands = f" WHERE {' AND '.join(terms)}" if terms else ""
    return f"SELECT * FROM audit{stands} ORDER BY seq DESC", tuple(values)  # noqa: S608 our names


def names(db: Db, column: str) -> list[str]:
    """Return who acted (`actor`) or what was done (`action`), in order; MOST_NAMES at most."""
    if column not in _COLUMNS:
        raise KeyError(column)
    # each name is one look into its index, however many rows it has
    rows = db.rows(
        f"""WITH RECURSIVE named(name) AS (
            SELECT min({column}) FROM audit
            UNION ALL SELECT (SELECT min({column}) FROM audit WHERE {column} > named.name)
            FROM named WHERE named.name IS NOT NULL LIMIT ?)
        SELECT name FROM named WHERE name IS NOT NULL""",  # noqa: S608 one of our names
        (MOST_NAMES,),
    )
    return [row["name"] for row in rows]


def checked(db: Db) -> Checked:
    """Return when the chain was verified last, and how far the look under way is."""
    row = db.row("SELECT * FROM audit_checks")
    if row is None:
        return Checked(proof=Proof())
    return Checked(
        proof=Proof(seq=row["seq"], hash=row["hash"]),
        done_at=moment(row["done_at"]),
        count=row["count"],
        broken=row["broken"],
    )


def note_proof(db: Db, proof: Proof, now: datetime) -> None:
    """The look is so far; a whole one is the last one, and the next begins at the first row."""
    if proof.is_whole:
        db.execute(
            "INSERT OR REPLACE INTO audit_checks VALUES (1, 0, ?, ?, ?, ?)",
            (GENESIS, micros(now), proof.seq, proof.broken),
        )
        return
    db.execute(
        """INSERT INTO audit_checks (id, seq, hash) VALUES (1, ?, ?)
        ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash""",
        (proof.seq, proof.hash),
    )


def _snapshot(text: str | None) -> Mapping[str, str | int | float | bool | None] | None:
    return None if text is None else _SNAPSHOT.decode(text)
