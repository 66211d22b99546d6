"""The queue: flagged mentions that people work on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from veille.domain.alert import Flag, Severity
from veille.domain.analysis import IntentLabel
from veille.domain.errors import ConflictError, InputError
from veille.domain.ids import short_id
from veille.domain.incident import Event, QueueItem, QueueState
from veille.store import tallies, timeline
from veille.store.codec import clean, json_list, micros, moment, to_json
from veille.store.engine import Db, Row

_OPEN = json_list(state for state in QueueState if state.is_open)
_ASKS = (IntentLabel.QUESTION, IntentLabel.REQUEST)
# an answer seen on the platform is one, too; who wrote again since waits for another; what repeats
# or continues a text is owed what that one is
_ASKING = """SELECT f.key FROM queue_facts f
    LEFT JOIN queue q ON q.mention = f.key LEFT JOIN obligations own ON own.mention = f.key
    LEFT JOIN obligations o ON o.mention = coalesce(own.same_as, f.key)
    WHERE f.key IN (SELECT value FROM json_each(?1))
    AND f.intent IN (SELECT value FROM json_each(?2))
    AND CASE WHEN o.replied_at IS NULL THEN q.answered_at IS NULL ELSE o.state = 'open' END"""


def flag(db: Db, flags: Sequence[Flag]) -> int:
    """Each mention has one item, as severe as its gravest flag; return how many changed.

    The same flag again changes nothing. What changed has a line in the timeline.
    """
    return sum(_flag(db, flagged) for flagged in flags)


def add_by_hand(db: Db, key: str, actor: str, now: datetime) -> QueueItem:
    """Return the item of this mention, made at severity info by `actor` unless it had one.

    InputError when no such mention is stored.
    """
    if db.row("SELECT 1 FROM mentions WHERE key = ? AND state <> 'deleted'", (key,)) is None:
        raise InputError(f"mention {key}: not stored (any more); look it up again")
    if (found := _of(db, key)) is not None:
        return found
    return _insert(db, Flag(key=key, rule="", severity=Severity.INFO, at=now), actor)


def get(db: Db, id: int) -> QueueItem | None:
    """Return one item, None when there is none of this number."""
    row = db.row("SELECT * FROM queue WHERE id = ?", (id,))
    return None if row is None else of_row(row)


def list_(
    db: Db, *, states: Collection[QueueState], limit: int, awake_at: datetime | None = None
) -> list[QueueItem]:
    """Return up to `limit` items: open ones gravest then oldest first, then others newest first.

    With `awake_at`, without those that are snoozed then.
    """
    rows = db.rows(
        """SELECT queue.*, state IN (SELECT value FROM json_each(?1)) AS is_open FROM queue
        WHERE state IN (SELECT value FROM json_each(?2))
        AND (?4 IS NULL OR snoozed_until IS NULL OR snoozed_until <= ?4) ORDER BY is_open DESC,
        CASE WHEN is_open THEN instr('info warning critical', severity) END DESC,
        CASE WHEN is_open THEN created_at ELSE -updated_at END, id LIMIT ?3""",
        (_OPEN, json_list(states), limit, micros(awake_at)),
    )
    return [of_row(row) for row in rows]


def of_ids(db: Db, ids: Iterable[int]) -> dict[int, QueueItem]:
    """Return the items of these numbers that exist."""
    rows = db.rows(
        "SELECT * FROM queue WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (to_json(list(ids)),),
    )
    return {row["id"]: of_row(row) for row in rows}


def of_keys(db: Db, keys: Iterable[str]) -> dict[str, QueueItem]:
    """Return the items of these mentions, by the mention's key; one without is absent."""
    rows = db.rows(
        "SELECT * FROM queue WHERE mention IN (SELECT value FROM json_each(?))", (json_list(keys),)
    )
    return {row["mention"]: of_row(row) for row in rows}


def wakes(db: Db, *, by: datetime, limit: int) -> list[QueueItem]:
    """Return up to `limit` items whose snooze is over by then, the earliest first."""
    rows = db.rows(
        "SELECT * FROM queue WHERE snoozed_until <= ? ORDER BY snoozed_until, id LIMIT ?",
        (micros(by), limit),
    )
    return [of_row(row) for row in rows]


def asking(db: Db, keys: Iterable[str]) -> set[str]:
    """Return which of these mentions are a question or request, as people or the model say.

    Those that were answered, and nothing was written since, are left out.
    """
    rows = db.rows(_ASKING, (json_list(keys), json_list(_ASKS)))
    return {row["key"] for row in rows}


def open_of(db: Db, keys: Sequence[str]) -> list[QueueItem]:
    """Return the open items of these mentions."""
    rows = db.rows(
        """SELECT * FROM queue WHERE mention IN (SELECT value FROM json_each(?))
        AND state IN (SELECT value FROM json_each(?)) ORDER BY id""",
        (json_list(keys), _OPEN),
    )
    return [of_row(row) for row in rows]


def count(db: Db, *, states: Collection[QueueState], awake_at: datetime | None = None) -> int:
    """Return how many items are in these states; with `awake_at` without those snoozed then."""
    return int(
        db.value(
            """SELECT count(*) FROM queue WHERE state IN (SELECT value FROM json_each(?1))
            AND (?2 IS NULL OR snoozed_until IS NULL OR snoozed_until <= ?2)""",
            (json_list(states), micros(awake_at)),
        )
    )


def save(db: Db, item: QueueItem, *, expected_version: int) -> QueueItem:
    """The item stands as given if `expected_version` was current; return it with its new version.

    ConflictError when somebody changed it first.
    """
    kept = replace(item, version=expected_version + 1)
    changed = db.execute(
        """UPDATE queue SET state = ?, severity = ?, rule = ?, assignee = ?, updated_at = ?,
        state_at = ?, snoozed_until = ?, snoozed_by = ?, waiting_for = ?, reason = ?,
        answered_at = ?, answered_by = ?, reported_at = ?, version = ?
        WHERE id = ? AND version = ?""",
        (
            kept.state,
            kept.severity,
            kept.rule,
            kept.assignee,
            micros(kept.updated_at),
            micros(kept.state_at or kept.updated_at),
            micros(kept.snoozed_until),
            clean(kept.snoozed_by),
            clean(kept.waiting_for),
            clean(kept.reason),
            micros(kept.answered_at),
            clean(kept.answered_by),
            micros(kept.reported_at),
            kept.version,
            kept.id,
            expected_version,
        ),
    ).rowcount
    if not changed:
        raise ConflictError(f"{short_id('Q', item.id)} was changed by somebody else: load it again")
    return kept


def _flag(db: Db, flagged: Flag) -> bool:
    found = _of(db, flagged.key)
    if found is None:
        # a rule may have seen it just before it was deleted
        if db.row("SELECT 1 FROM tombstones WHERE key = ?", (flagged.key,)):
            return False
        _insert(db, flagged, "veille")
        return True
    if flagged.severity.rank <= found.severity.rank:
        return False
    graver = replace(
        found,
        severity=flagged.severity,
        rule=flagged.rule,
        updated_at=flagged.at,
        snoozed_until=None,  # who put it off did not know how grave it is
        snoozed_by=None,
    )
    _tell(db, save(db, graver, expected_version=found.version), "veille")
    return True


def _insert(db: Db, flagged: Flag, actor: str) -> QueueItem:
    at = micros(flagged.at)
    db.execute(
        """INSERT INTO queue (mention, state, severity, rule, created_at, updated_at, state_at)
        VALUES (?1, 'new', ?2, ?3, ?4, ?4, ?4)""",
        (flagged.key, flagged.severity, flagged.rule or None, at),
    )
    item = _of(db, flagged.key)
    if item is None:
        raise ConflictError(f"mention {flagged.key} left the queue while it was put there")
    tallies.add(db, flagged.at, [("flagged", flagged.rule, flagged.severity)])
    _tell(db, item, actor)
    return item


def _tell(db: Db, item: QueueItem, actor: str) -> None:
    event = Event(
        target=short_id("Q", item.id),
        at=item.updated_at,
        kind="queue.flagged",
        actor=actor,
        data={"mention": item.mention, "rule": item.rule, "severity": item.severity},
    )
    timeline.add(db, [event])


def _of(db: Db, key: str) -> QueueItem | None:
    row = db.row("SELECT * FROM queue WHERE mention = ?", (key,))
    return None if row is None else of_row(row)


def of_row(row: Row) -> QueueItem:
    """Return the item that stands in a row of `queue`."""
    return QueueItem(
        id=row["id"],
        mention=row["mention"],
        state=QueueState(row["state"]),
        severity=Severity(row["severity"]),
        rule=row["rule"],
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
        assignee=row["assignee"],
        state_at=moment(row["state_at"]),
        snoozed_until=moment(row["snoozed_until"]),
        snoozed_by=row["snoozed_by"],
        waiting_for=row["waiting_for"],
        reason=row["reason"],
        answered_at=moment(row["answered_at"]),
        answered_by=row["answered_by"],
        reported_at=moment(row["reported_at"]),
        version=row["version"],
    )
