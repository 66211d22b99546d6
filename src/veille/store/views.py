"""Saved views: filters of the queue that people keep under a name, for themselves or for all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from veille.domain.errors import InputError
from veille.domain.text import is_line
from veille.store.codec import clean, micros
from veille.store.engine import Db, Row

NAME_LENGTH = 40
"""Of a view's name: it is a link among a dozen on a phone."""
QUERY_LENGTH = 1000
MOST = 12
"""Views one person may keep, and views all share: each is counted on every page of the queue."""
EVERYBODY = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A filter of the queue, as the query string of its page; `is_shared` when all see it."""

    id: int
    name: str
    query: str
    is_shared: bool


def list_(db: Db, user: str) -> list[View]:
    """Return what everybody sees, then what this person keeps, each by name."""
    rows = db.rows(
        "SELECT * FROM views WHERE owner IN (?, ?) ORDER BY owner, name COLLATE NOCASE, id",
        (EVERYBODY, user),
    )
    return [_view(row) for row in rows]


def add(db: Db, *, owner: str, name: str, query: str, now: datetime) -> View:
    """Return the view; one of the same owner and name is replaced. `owner` EVERYBODY shares it.

    InputError for a name that is empty, too long or invisible, a filter that is too long, and for
    more than `MOST` views of an owner.
    """
    name = clean(name).strip()
    if not name or len(name) > NAME_LENGTH or not is_line(name):
        raise InputError(f"a view's name has 1 to {NAME_LENGTH} visible characters: write another")
    if len(query) > QUERY_LENGTH:
        raise InputError(f"a view's filter has at most {QUERY_LENGTH} characters: choose less")
    count = db.value("SELECT count(*) FROM views WHERE owner = ? AND name <> ?", (owner, name))
    if count >= MOST:
        raise InputError(f"{MOST} views are kept already: remove one first")
    db.execute(
        """INSERT INTO views (owner, name, query, made_at) VALUES (?, ?, ?, ?)
        ON CONFLICT (owner, name) DO UPDATE SET query = excluded.query""",
        (owner, name, query, micros(now)),
    )
    row = db.row("SELECT * FROM views WHERE owner = ? AND name = ?", (owner, name))
    if row is None:
        raise InputError(f'view "{name}": gone while it was kept; try again')
    return _view(row)


def get(db: Db, id: int, *, owner: str) -> View | None:
    """Return this view of this owner, None when they have none of this number."""
    row = db.row("SELECT * FROM views WHERE id = ? AND owner = ?", (id, owner))
    return None if row is None else _view(row)


def remove(db: Db, id: int, *, owner: str) -> bool:
    """Whether this view of this owner was there, and is gone."""
    return bool(db.execute("DELETE FROM views WHERE id = ? AND owner = ?", (id, owner)).rowcount)


def _view(row: Row) -> View:
    return View(
        id=row["id"],
        name=row["name"],
        query=row["query"],
        is_shared=row["owner"] == EVERYBODY,
    )
