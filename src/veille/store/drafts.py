"""Draft answers of queue items, changed by compare-and-swap, and shared templates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from veille.domain.draft import Draft, DraftState, Template
from veille.domain.errors import ConflictError, InputError
from veille.store.codec import clean, micros, moment, to_json
from veille.store.engine import Db, Row


def add(db: Db, *, item: int, text: str, author: str, image: str | None, now: datetime) -> Draft:
    """Return the new draft of this queue item."""
    done = db.execute(
        """INSERT INTO drafts (item, text, author, image, state, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, 'draft', ?5, ?5)""",
        (item, clean(text), clean(author), clean(image), micros(now)),
    )
    found = get(db, done.lastrowid or 0)
    if found is None:
        raise ConflictError(f"the draft of Q{item} went while it was written: load it again")
    return found


def get(db: Db, id: int) -> Draft | None:
    """Return one draft, None when there is none of this number."""
    row = db.row("SELECT * FROM drafts WHERE id = ?", (id,))
    return None if row is None else _draft(row)


def of_item(db: Db, item: int) -> list[Draft]:
    """Return the drafts of a queue item, oldest first, dropped ones too."""
    rows = db.rows("SELECT * FROM drafts WHERE item = ? ORDER BY id", (item,))
    return [_draft(row) for row in rows]


def save(db: Db, draft: Draft, *, expected_version: int) -> Draft:
    """The draft stands as given if `expected_version` was current; return it one version up.

    ConflictError when somebody changed it first.
    """
    kept = replace(draft, version=expected_version + 1)
    changed = db.execute(
        """UPDATE drafts SET text = ?, author = ?, image = ?, state = ?, updated_at = ?,
        approved_by = ?, published_by = ?, published_at = ?, published_on = ?, link = ?,
        version = ? WHERE id = ? AND version = ?""",
        (
            clean(kept.text),
            clean(kept.author),
            clean(kept.image),
            kept.state,
            micros(kept.updated_at),
            clean(kept.approved_by),
            clean(kept.published_by),
            micros(kept.published_at),
            clean(kept.published_on),
            clean(kept.link),
            kept.version,
            kept.id,
            expected_version,
        ),
    ).rowcount
    if not changed:
        raise ConflictError(f"draft {draft.id} was changed by somebody else: load it again")
    return kept


def drop_of(db: Db, items: Iterable[int]) -> int:
    """No draft of these queue items is left; return how many went."""
    return db.execute(
        "DELETE FROM drafts WHERE item IN (SELECT value FROM json_each(?))",
        (to_json(list(items)),),
    ).rowcount


def templates(db: Db) -> list[Template]:
    """Return the templates people share, by name."""
    return [_template(row) for row in db.rows("SELECT * FROM templates ORDER BY name, id")]


def template(db: Db, name: str) -> Template | None:
    """Return the shared template of this name, None where there is none."""
    row = db.row("SELECT * FROM templates WHERE name = ?", (clean(name),))
    return None if row is None else _template(row)


def keep_template(
    db: Db, *, name: str, text: str, author: str, now: datetime, version: int | None
) -> Template:
    """Return the template that stands under this name now; `version` None: it is new.

    ConflictError when it exists already, or somebody changed it first.
    """
    found = db.row("SELECT * FROM templates WHERE name = ?", (clean(name),))
    if (None if found is None else found["version"]) != version:
        raise ConflictError(f'template "{name}" was changed by somebody else: load it again')
    db.execute(
        """INSERT INTO templates (name, text, author, updated_at) VALUES (?, ?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET text = excluded.text, author = excluded.author,
        updated_at = excluded.updated_at, version = version + 1""",
        (clean(name), clean(text), clean(author), micros(now)),
    )
    return next(t for t in templates(db) if t.name == clean(name))


def remove_template(db: Db, name: str, *, version: int | None = None) -> Template:
    """Return the template that is no more; `version` None: whichever it has.

    InputError when there is none of this name, ConflictError when somebody changed it first.
    """
    found = template(db, name)
    if found is None:
        raise InputError(f'no shared template is called "{name}"')
    if version not in {None, found.version}:
        raise ConflictError(f'template "{name}" was changed by somebody else: load it again')
    db.execute("DELETE FROM templates WHERE id = ?", (found.id,))
    return found


def _draft(row: Row) -> Draft:
    return Draft(
        id=row["id"],
        item=row["item"],
        text=row["text"],
        author=row["author"],
        state=DraftState(row["state"]),
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
        image=row["image"],
        approved_by=row["approved_by"],
        published_by=row["published_by"],
        published_at=moment(row["published_at"]),
        published_on=row["published_on"],
        link=row["link"],
        version=row["version"],
    )


def _template(row: Row) -> Template:
    return Template(
        id=row["id"],
        name=row["name"],
        text=row["text"],
        author=row["author"],
        version=row["version"],
    )
