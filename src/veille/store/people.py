"""Everything the store holds on one author: found, read out, and counted before it is erased."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from veille.store.codec import json_list
from veille.store.engine import Db, Row

# what stands in the rows of a mention apart from itself, and goes with it
PARTS = {
    "mention_versions": "mention IN (SELECT id FROM mentions WHERE key IN ({keys}))",
    "identities": "mention IN (SELECT id FROM mentions WHERE key IN ({keys}))",
    "analyses": "mention IN (SELECT id FROM mentions WHERE key IN ({keys}))",
    "cluster_members": "mention IN (SELECT id FROM mentions WHERE key IN ({keys}))",
    "corrections": "mention IN (SELECT id FROM mentions WHERE key IN ({keys}))",
    "evidence": "mention IN ({keys})",
    "examples": "mention IN ({keys})",
    "queue": "mention IN ({keys})",
    "drafts": "item IN (SELECT id FROM queue WHERE mention IN ({keys}))",
    "calls": "target IN (SELECT 'Q' || id FROM queue WHERE mention IN ({keys}))",
    "deed_parts": "target IN (SELECT 'Q' || id FROM queue WHERE mention IN ({keys}))",
    "item_verdicts": "item IN (SELECT id FROM queue WHERE mention IN ({keys}))",
    "split_off": "mention IN ({keys})",
    "obligations": "mention IN ({keys})",
}
_KEYS = "SELECT value FROM json_each(?1)"
_HELD = f"""SELECT m.*, i.native_id, i.url, i.author_id, i.author_name, a.analysis,
        CASE WHEN EXISTS (SELECT 1 FROM evidence e WHERE e.mention = m.key) THEN 'incident'
            WHEN EXISTS (SELECT 1 FROM queue q WHERE q.mention = m.key) THEN 'flagged'
            ELSE 'neutral' END AS class,
        (SELECT json_group_array(json_object('text', v.text, 'received_at', v.received_at))
            FROM mention_versions v WHERE v.mention = m.id) AS versions,
        (SELECT json_group_array(json_object('of', c.head, 'said', c.value, 'before', c.previous,
            'model', c.model, 'at', c.at))
            FROM corrections c WHERE c.mention = m.id) AS corrections,
        (SELECT json_group_array(json_object('id', 'Q' || q.id, 'state', q.state, 'rule', q.rule))
            FROM queue q WHERE q.mention = m.key) AS queue,
        (SELECT json_group_array('I' || e.incident)
            FROM evidence e WHERE e.mention = m.key) AS incidents,
        (SELECT json_group_array(DISTINCT s.receiver)
            FROM shown s WHERE s.mention = m.key) AS receivers
    FROM mentions m LEFT JOIN identities i ON i.mention = m.id
    LEFT JOIN analyses a ON a.mention = m.id AND a.version = m.version
    WHERE m.key IN ({_KEYS}) ORDER BY m.received_at, m.id"""  # noqa: S608 constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An author as an identity names them; `author` is the keyed hash, None when it was dropped."""

    source: str
    author: str | None
    author_id: str | None
    author_name: str | None


def sources(db: Db) -> list[str]:
    """Return every source a mention is kept of, by name."""
    return [row["source"] for row in db.rows("SELECT DISTINCT source FROM mentions ORDER BY 1")]


def writes(db: Db, source: str, author: str) -> bool:
    """Whether anything is kept of this author (a keyed hash) of this source."""
    return bool(
        db.value(
            """SELECT EXISTS (SELECT 1 FROM mentions
            WHERE author = ? AND source = ? AND state <> 'deleted')""",
            (author, source),
        )
    )


def named(db: Db, is_wanted: Callable[[Named], bool]) -> Iterator[Named]:
    """Yield each author whose identity is wanted, once."""
    found = db.execute(
        """SELECT DISTINCT m.source, m.author, i.author_id, i.author_name
        FROM identities i JOIN mentions m ON m.id = i.mention
        WHERE i.author_id IS NOT NULL OR i.author_name IS NOT NULL"""
    )
    for row in found:
        one = Named(
            source=row["source"],
            author=row["author"],
            author_id=row["author_id"],
            author_name=row["author_name"],
        )
        if is_wanted(one):
            yield one


def held(db: Db, keys: Iterable[str]) -> list[Row]:
    """Return all that is held with these mentions, oldest first."""
    return db.rows(_HELD, (json_list(keys),))


def texts(db: Db, keys: Iterable[str]) -> list[str]:
    """Return every text these mentions have or had, as stored, newest first."""
    found = db.rows(
        f"""SELECT text, 2 AS age FROM mentions WHERE key IN ({_KEYS})
        UNION SELECT v.text, 1 FROM mention_versions v JOIN mentions m ON m.id = v.mention
        WHERE m.key IN ({_KEYS}) ORDER BY age DESC""",  # noqa: S608 constants
        (json_list(keys),),
    )
    return [row["text"] for row in found]


def addresses(db: Db, keys: Iterable[str]) -> list[str]:
    """Return what names the author or the text outside: ids, addresses, names."""
    found = db.rows(
        f"""SELECT i.native_id, i.url, i.author_id, i.author_name FROM identities i
        JOIN mentions m ON m.id = i.mention WHERE m.key IN ({_KEYS})""",  # noqa: S608 constants
        (json_list(keys),),
    )
    return list(dict.fromkeys(value for row in found for value in row if value))


def parts(db: Db, keys: Iterable[str]) -> dict[str, int]:
    """Return how many rows go with these mentions, by table."""
    wanted = json_list(keys)
    return {
        table: int(
            db.value(
                f"SELECT count(*) FROM {table} WHERE {where.format(keys=_KEYS)}",  # noqa: S608
                (wanted,),
            )
        )
        for table, where in PARTS.items()
    }


def says(db: Db, piece: str) -> bool:
    """Whether a text that is kept, of anybody, holds this piece as it is; notes of staff too."""
    return bool(
        db.value(
            """SELECT EXISTS (SELECT 1 FROM mentions WHERE instr(text, ?1))
            OR EXISTS (SELECT 1 FROM mention_versions WHERE instr(text, ?1))
            OR EXISTS (SELECT 1 FROM timeline WHERE instr(text, ?1))
            OR EXISTS (SELECT 1 FROM drafts WHERE instr(text, ?1) OR instr(coalesce(image, ''), ?1))
            OR EXISTS (SELECT 1 FROM templates WHERE instr(text, ?1))
            OR EXISTS (SELECT 1 FROM identities WHERE instr(coalesce(url, ''), ?1)
                OR instr(native_id, ?1) OR instr(coalesce(author_name, ''), ?1))""",
            (piece,),
        )
    )


def notes(db: Db, names: Iterable[str]) -> list[str]:
    """Return the incidents and queue items whose notes or drafts hold one of these names."""
    found = db.rows(
        f"""SELECT DISTINCT target FROM (SELECT target, text FROM timeline WHERE text <> ''
            UNION ALL SELECT 'Q' || item, text || coalesce(image, '') || coalesce(link, '')
            FROM drafts)
        WHERE EXISTS (SELECT 1 FROM ({_KEYS}) WHERE instr(text, value)) ORDER BY target""",  # noqa: S608 constants
        (json_list(names),),
    )
    return [row["target"] for row in found]
