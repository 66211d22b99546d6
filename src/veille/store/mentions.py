"""Mentions: added, edited, deleted, read back and searched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from veille.domain.analysis import Analysis
from veille.domain.correction import Correction
from veille.domain.mention import MentionKind
from veille.domain.record import MaskedMention, StoredMention, Tombstone
from veille.domain.text import fold, words
from veille.store import corrections, facets, oppositions, tallies
from veille.store.codec import bounded, clean, json_list, micros, moment, to_json
from veille.store.engine import Db, Row, Value

DELETED, ERASED, EXPIRED = "deleted", "erased", "expired"
"""Why a mention went: by its source, on request, by age."""

SEARCH_WORDS = 16
"""Words of a search that count; FTS5 refuses expressions deeper than 256."""

_ANALYSIS = msgspec.json.Decoder(Analysis)
_NAMES = msgspec.json.Decoder(tuple[str, ...])

_CONTENT = (
    "watches", "kind", "text", "received_at", "edited_at", "content_hash", "author", "followers",
    "author_age", "role", "lang", "reply_to", "thread", "media", "metrics", "own", "masked",
    "sealed",
)  # fmt: skip
_INSERT = (
    f"INSERT INTO mentions (key, source, created_at, {', '.join(_CONTENT)}) "  # noqa: S608 columns
    f"VALUES (?, ?, ?{', ?' * len(_CONTENT)})"
)
_EDIT = (
    f"UPDATE mentions SET {', '.join(f'{name} = ?' for name in _CONTENT)}, "  # noqa: S608 columns
    "version = version + 1, state = 'new', attempts = 0, due_at = 0, lease_until = 0, "
    "error = NULL WHERE id = ?"
)
_EMPTY = """UPDATE mentions SET text = '', sealed = NULL, media = '[]', metrics = 'null',
    masked = '[]', author = NULL, followers = NULL, author_age = NULL, role = NULL,
    reply_to = NULL, thread = NULL, content_hash = '', state = 'deleted', lease_until = 0,
    error = NULL WHERE id = ?"""
_OBSERVE = """INSERT INTO observations (mention, version, key, source, watches, kind, created_at,
        received_at, author, followers, role, own, author_age, reply_to, thread, media, masked,
        metrics)
    SELECT id, version, key, source, watches, kind, created_at, ?, author, followers, role, own,
        author_age, reply_to, thread,
        (SELECT json_group_array(json_extract(value, '$.type')) FROM json_each(mentions.media)),
        masked, metrics
    FROM mentions WHERE id = ?"""
_UNNAMED = """UPDATE observations SET author = NULL, followers = NULL, author_age = NULL,
    role = NULL, reply_to = NULL, thread = NULL, media = '[]', masked = '[]', metrics = 'null'
    WHERE mention = ?"""
_STORED = """SELECT m.*, i.url, a.analysis FROM mentions m
    LEFT JOIN identities i ON i.mention = m.id
    LEFT JOIN analyses a ON a.mention = m.id AND a.version = m.version
    WHERE m.key IN (SELECT value FROM json_each(?))"""
_EXPIRED = """SELECT m.key, m.source FROM mentions m
    WHERE m.state IN ('new', 'analyzed', 'parked') AND m.received_at < max(?1, ?2, ?3)
    AND m.received_at < CASE
        WHEN EXISTS (SELECT 1 FROM evidence e WHERE e.mention = m.key) THEN ?3
        WHEN EXISTS (SELECT 1 FROM queue q WHERE q.mention = m.key) THEN ?2
        ELSE ?1 END
    ORDER BY m.received_at LIMIT ?4"""
_NEWEST = """SELECT i.native_id FROM mentions m JOIN identities i ON i.mention = m.id
    WHERE m.source = ? AND m.state <> 'deleted' ORDER BY m.id DESC LIMIT ?"""
_SEARCH = """SELECT m.key FROM mention_index f JOIN mentions m ON m.id = f.rowid
    WHERE mention_index MATCH ? ORDER BY f.rowid DESC LIMIT ?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """How many mentions were new, were edits, were known already, or are now deleted.

    `opposed` were not stored because their author objected.
    """

    new: int = 0
    edited: int = 0
    seen: int = 0
    deleted: int = 0
    opposed: int = 0


def add(
    db: Db,
    *,
    mentions: Sequence[MaskedMention],
    tombstones: Sequence[Tombstone],
    now: datetime,
    is_ordered: bool = False,
) -> Added:
    """Every mention stands once, in its newest version; what is deleted is gone and stays gone.

    Repeating it changes nothing. Tombstones go first: a text deleted in its own batch is never
    written, and counts as seen. With `is_ordered` the tombstone of what is not stored is not kept.
    """
    count = {"new": 0, "edited": 0, "seen": 0, "opposed": 0}
    if is_ordered:
        tombstones = [t for t in tombstones if _is_stored(db, t.key)]
    deleted = sum(_delete(db, tombstone, now, cause=DELETED) for tombstone in tombstones)
    for mention in mentions:
        count[_add(db, mention)] += 1
    return Added(**count, deleted=deleted)


def delete_author(
    db: Db, source: str, author: str, *, until: datetime, limit: int, now: datetime
) -> int:
    """Up to `limit` texts this author (a keyed hash) wrote there until then are gone; return their
    number, 0 when none is left.
    """
    found = db.rows(
        """SELECT key FROM mentions WHERE author = ? AND source = ? AND state <> 'deleted'
        AND created_at <= ? LIMIT ?""",
        (author, source, micros(until), limit),
    )
    return delete(db, [row["key"] for row in found], cause=DELETED, now=now)


def of_author(
    db: Db, source: str, author: str, *, limit: int = -1, until: datetime | None = None
) -> list[str]:
    """Return keys of what this author (a keyed hash) wrote there and is kept, oldest first.

    Up to `limit` (-1: all) of those received at `until` or before (None: whenever).
    """
    found = db.rows(
        """SELECT key FROM mentions WHERE author = ?1 AND source = ?2 AND state <> 'deleted'
        AND (?4 IS NULL OR received_at <= ?4) ORDER BY received_at, id LIMIT ?3""",
        (author, source, limit, micros(until)),
    )
    return [row["key"] for row in found]


def delete(db: Db, keys: Iterable[str], *, cause: str, now: datetime) -> int:
    """These mentions are gone as if their source had deleted them; return how many were kept."""
    found = db.rows(
        "SELECT key, source FROM mentions WHERE key IN (SELECT value FROM json_each(?))",
        (json_list(keys),),
    )
    gone = [Tombstone(key=row["key"], source=row["source"], at=now) for row in found]
    return sum(_delete(db, tombstone, now, cause=cause) for tombstone in gone)


def stored(db: Db, keys: Iterable[str]) -> dict[str, StoredMention]:
    """Return the mentions of these keys, each with analysis and corrections of its newest text."""
    rows = db.rows(_STORED, (json_list(keys),))
    judged = corrections.corrected(db, [row["key"] for row in rows])
    return {row["key"]: _stored(row, judged.get(row["key"], {})) for row in rows}


def native_ids(db: Db, keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return (source, native id) of each key whose identity is still kept."""
    found = db.rows(
        """SELECT m.key, m.source, i.native_id FROM mentions m JOIN identities i ON i.mention = m.id
        WHERE m.key IN (SELECT value FROM json_each(?))""",
        (json_list(keys),),
    )
    return {row["key"]: (row["source"], row["native_id"]) for row in found}


def newest_ids(db: Db, source: str, limit: int) -> list[str]:
    """Return the native ids of up to `limit` kept mentions of this source, the last first."""
    found = db.rows(_NEWEST, (source, limit))
    return [row["native_id"] for row in found]


def search(db: Db, text: str, limit: int) -> list[str]:
    """Return keys of mentions that hold all these words or word beginnings, newest first.

    Case, accents and ligatures do not matter; no sign in `text` is an operator.
    """
    wanted = [word.lstrip("#@") for word in words(fold(text))][:SEARCH_WORDS]
    if not wanted:
        return []
    query = " ".join(f'"{word}"*' for word in wanted)
    return [row["key"] for row in db.rows(_SEARCH, (query, limit))]


def original(db: Db, key: str) -> bytes | None:
    """Return the sealed unmasked text, None when there is none (any more)."""
    found: bytes | None = db.value("SELECT sealed FROM mentions WHERE key = ?", (key,))
    return found


def drop_originals(db: Db, *, before: datetime, limit: int = -1) -> int:
    """Drop up to `limit` sealed texts received before that time (-1: all); return how many."""
    return db.execute(
        """UPDATE mentions SET sealed = NULL WHERE id IN (SELECT id FROM mentions
        WHERE sealed IS NOT NULL AND received_at < ? LIMIT ?)""",
        (micros(before), limit),
    ).rowcount


def expire(
    db: Db, *, neutral: datetime, flagged: datetime, incident: datetime, now: datetime, limit: int
) -> int:
    """Delete up to `limit` mentions received before the time of their class; return how many.

    A class is the weightiest that holds: evidence of an incident, in the queue, neither. They are
    deleted as by their source, so that a feed that still lists them does not bring them back.
    """
    found = db.rows(_EXPIRED, (micros(neutral), micros(flagged), micros(incident), limit))
    for row in found:
        _delete(db, Tombstone(key=row["key"], source=row["source"], at=now), now, cause=EXPIRED)
    return len(found)


def counts(db: Db) -> dict[str, int]:
    """Return how many mentions are new, analyzed, parked, deleted; a state of none is absent."""
    found = db.rows("SELECT state, count(*) AS count FROM mentions GROUP BY state")
    return {row["state"]: row["count"] for row in found}


def parked_count(db: Db) -> int:
    """Return how many mentions could not be analyzed and wait for a person."""
    return int(db.value("SELECT count(*) FROM mentions WHERE state = 'parked'"))


def _is_stored(db: Db, key: str) -> bool:
    return db.row("SELECT 1 FROM mentions WHERE key = ?", (key,)) is not None


def _add(db: Db, mention: MaskedMention) -> str:
    if mention.marks and oppositions.holds(db, mention.marks):
        return "opposed"
    if db.row("SELECT 1 FROM tombstones WHERE key = ?", (mention.key,)):
        return "seen"
    old = db.row(
        """SELECT id, version, text, content_hash, edited_at, received_at FROM mentions
        WHERE key = ?""",
        (mention.key,),
    )
    if old is None:
        first = (mention.key, mention.source, micros(mention.created_at))
        db.execute(_INSERT, (*first, *_content(mention)))
    elif _is_known(db, old, mention):
        return "seen"
    else:
        db.execute("INSERT INTO mention_versions VALUES (?, ?, ?, ?, ?, ?)", tuple(old))
        db.execute(_EDIT, (*_content(mention), old["id"]))
    _identify(db, mention)
    facets.refresh_key(db, mention.key)
    return "new" if old is None else "edited"


def _is_known(db: Db, old: Row, mention: MaskedMention) -> bool:
    """Whether this text is the stored one, or an older one that arrives (again) late."""
    if mention.content_hash == old["content_hash"]:
        return True
    edited_at, old_edited_at = micros(mention.edited_at), old["edited_at"]
    if edited_at != old_edited_at:
        return old_edited_at is not None and (edited_at is None or edited_at < old_edited_at)
    # no date tells which is newer: a text we had before is a late copy, not a change back
    return bool(
        db.row(
            "SELECT 1 FROM mention_versions WHERE mention = ? AND content_hash = ?",
            (old["id"], mention.content_hash),
        )
    )


def _content(mention: MaskedMention) -> tuple[Value, ...]:
    """Return the values of `_CONTENT`, in its order."""
    media = [replace(m, url=clean(m.url), alt=clean(m.alt)) for m in mention.media]
    return (
        to_json(mention.watches),
        mention.kind,
        clean(mention.text),
        micros(mention.received_at),
        micros(mention.edited_at),
        mention.content_hash,
        mention.author,
        bounded(mention.followers),
        bounded(mention.author_age),
        clean(mention.role),
        clean(mention.lang),
        mention.reply_to,
        mention.thread,
        to_json(media),
        to_json(mention.metrics),
        mention.own,
        to_json(mention.masked),
        mention.sealed,
    )


def _identify(db: Db, mention: MaskedMention) -> None:
    who = mention.identity
    names = (clean(who.native_id), clean(who.url), clean(who.author_id), clean(who.author_name))
    db.execute(
        "INSERT OR REPLACE INTO identities SELECT id, ?, ?, ?, ? FROM mentions WHERE key = ?",
        (*names, mention.key),
    )


def _delete(db: Db, tombstone: Tombstone, now: datetime, *, cause: str) -> bool:
    """Return whether a stored mention is now deleted; its text is left in no table.

    What else shows it (queue, evidence, outbox, messages sent) waits in `redactions`.
    """
    db.execute(
        "INSERT OR IGNORE INTO tombstones VALUES (?, ?, ?)",
        (tombstone.key, tombstone.source, micros(tombstone.at)),
    )
    number = db.value(
        "SELECT id FROM mentions WHERE key = ? AND state <> 'deleted'", (tombstone.key,)
    )
    if number is None:
        return False
    tallies.count_deletion(db, tombstone.key, cause, now)
    db.execute(_EMPTY, (number,))
    db.execute("DELETE FROM mention_versions WHERE mention = ?", (number,))
    db.execute("DELETE FROM identities WHERE mention = ?", (number,))
    db.execute("DELETE FROM analyses WHERE mention = ?", (number,))  # its entities quote the text
    db.execute("DELETE FROM corrections WHERE mention = ?", (number,))
    db.execute("DELETE FROM cluster_members WHERE mention = ?", (number,))
    facets.refresh(db, number)
    db.execute(_UNNAMED, (number,))
    db.execute("INSERT INTO redactions (mention, cause) VALUES (?, ?)", (tombstone.key, cause))
    observe(db, number, now)
    return True


def observe(db: Db, number: int, received_at: datetime) -> None:
    """The mention of this row number stands at the end of the observations as it is now."""
    db.execute(_OBSERVE, (micros(received_at), number))


def _stored(row: Row, judged: Mapping[str, Correction]) -> StoredMention:
    return StoredMention(
        key=row["key"],
        source=row["source"],
        watches=_NAMES.decode(row["watches"]),
        kind=MentionKind(row["kind"]),
        text=row["text"],
        created_at=moment(row["created_at"]),
        received_at=moment(row["received_at"]),
        author=row["author"],
        followers=row["followers"],
        role=row["role"],
        lang=row["lang"],
        own=bool(row["own"]),
        edited_at=moment(row["edited_at"]),
        masked=_NAMES.decode(row["masked"]),
        version=row["version"],
        is_deleted=row["state"] == "deleted",
        has_original=row["sealed"] is not None,
        url=row["url"],
        analysis=None if row["analysis"] is None else _ANALYSIS.decode(row["analysis"]),
        corrections=judged,
    )
