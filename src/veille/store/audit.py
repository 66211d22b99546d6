"""The audit log: who did what, in rows that each carry the hash of all before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from veille.store.codec import clean, micros, to_json
from veille.store.engine import Db, Row

Snapshot = Mapping[str, str | int | float | bool | None]
"""What the target was: names and numbers, never the text of a mention."""

GENESIS = "0" * 64
_FIELDS = ("seq", "at", "actor", "action", "target", "before", "after")


def add(
    db: Db,
    *,
    at: datetime,
    actor: str,
    action: str,
    target: str,
    before: Snapshot | None = None,
    after: Snapshot | None = None,
) -> int:
    """Return the number of the row appended; it can be neither changed nor removed unnoticed."""
    last = db.row("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
    seq = 1 if last is None else last["seq"] + 1
    values = (
        seq,
        micros(at),
        clean(actor),
        clean(action),
        clean(target),
        None if before is None else to_json(before),
        None if after is None else to_json(after),
    )
    link = _link(GENESIS if last is None else last["hash"], values)
    db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, link))
    return int(seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How far the chain was verified: up to row `seq`, whose hash is `hash`.

    `broken` is the first row that was changed, removed or put in; `is_whole`: none follows.
    """

    seq: int = 0
    hash: str = GENESIS
    broken: int | None = None
    is_whole: bool = False


def verify(db: Db) -> int | None:
    """Return the number of the first row that was changed, removed or put in, None when all hold.

    A last row removed is noticed by SQLite's own counter. Whoever can rewrite the whole file can
    rewrite the chain too: keep the newest hash elsewhere to notice that.
    """
    return verify_on(db, Proof(), limit=-1).broken


def verify_on(db: Db, proof: Proof, *, limit: int) -> Proof:
    """Return the proof after up to `limit` more rows, all of them where it is negative."""
    seq, previous, count = proof.seq, proof.hash, 0
    rows = "SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"
    for row in db.execute(rows, (seq, limit)):
        if row["seq"] != seq + 1 or row["hash"] != _link(previous, _values(row)):
            return Proof(seq=seq, hash=previous, broken=seq + 1, is_whole=True)
        seq, previous, count = row["seq"], row["hash"], count + 1
    if count == limit:
        return Proof(seq=seq, hash=previous)
    used = db.value("SELECT seq FROM sqlite_sequence WHERE name = 'audit'") or 0
    return Proof(seq=seq, hash=previous, broken=seq + 1 if used > seq else None, is_whole=True)


def _values(row: Row) -> tuple[str | int | None, ...]:
    return tuple(row[name] for name in _FIELDS)


def _link(previous: str, values: tuple[str | int | None, ...]) -> str:
    return hashlib.sha256(f"{previous}\n{to_json(values)}".encode()).hexdigest()
