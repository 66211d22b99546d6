"""Obligations: what is owed to who asked, kept in step with mentions, the queue and its timeline.

`clocks` of a row holds the domain's clocks; `due_at` and `warn_at` are of the nearest that runs.
`same_as` names the obligation that this text repeats or continues: it is owed nothing of its own.
`replied_at` is when the first answer came, `answered_us` the business time until then. `replies`
are the answers seen on the platform: they outlive the texts. `told_at` says that people were
warned, of the clock that began last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from veille.domain.alert import Severity
from veille.domain.obligation import Account, Clock, Happening, Standing, Step, settle
from veille.domain.promise import ASKING, Duty, Promise, Promises
from veille.store import happenings
from veille.store.codec import json_list, micros, moment, to_json
from veille.store.engine import Db, Row

REPEATED, CORRECTED, EDITED = "repeated", "corrected", "edited"
"""How one ended that was none: another text says it, a person or its author made it no question."""
KIN = 50
"""Obligations of one author around a text that are looked at."""
_CLOCKS = msgspec.json.Decoder(tuple[Clock, ...])
_TIMES = msgspec.json.Decoder(tuple[int, ...])
_US = timedelta(microseconds=1)
_SUBJECT = """SELECT m.id, m.key, m.source, min(m.created_at, m.received_at) AS asked_at, m.author,
        m.thread, m.reply_to, m.own, f.intent, q.id AS item,
        (SELECT json_extract(analysis, '$.intent.label') FROM analyses
            WHERE mention = m.id AND version = m.version) AS machine,
        (SELECT cluster FROM cluster_members WHERE mention = m.id) AS cluster
    FROM mentions m JOIN queue_facts f ON f.key = m.key LEFT JOIN queue q ON q.mention = m.key
    WHERE m.key = ? AND m.state = 'analyzed'"""
_ABOVE = """WITH RECURSIVE above(key, depth) AS (
        SELECT reply_to, 1 FROM mentions WHERE key = ?1 AND reply_to IS NOT NULL
        UNION SELECT m.reply_to, depth + 1 FROM above JOIN mentions m ON m.key = above.key
        WHERE m.reply_to IS NOT NULL AND depth < ?2)
    SELECT key FROM above"""
# the same author's texts are few, whatever the thread; near are those of the same exchange
_KIN = """SELECT o.mention, m.key IN (SELECT value FROM json_each(?4))
        OR m.thread IN (SELECT value FROM json_each(?4)) AS is_near
    FROM mentions m JOIN obligations o ON o.mention = m.key
    WHERE m.author = ?1 AND m.source = ?2 AND m.key <> ?3 AND o.same_as IS NULL
    AND (m.key IN (SELECT value FROM json_each(?4)) OR m.thread IN (SELECT value FROM json_each(?4))
        OR ?5 = (SELECT cluster FROM cluster_members WHERE mention = m.id))
    ORDER BY o.is_asked DESC, o.asked_at, o.mention LIMIT ?6"""
_FIRST = """SELECT mention FROM obligations o
    WHERE mention IN (SELECT value FROM json_each(?1)) AND same_as IS NULL AND is_asked
    AND coalesce(outcome, '') NOT IN ('corrected', 'edited') AND (asked_at, mention) < (?2, ?3)
    AND (decided_at IS NULL OR decided_at >= ?2 OR mention IN (SELECT value FROM json_each(?4)))
    AND EXISTS (SELECT 1 FROM mentions m WHERE m.key = o.mention AND m.state = 'analyzed')
    ORDER BY asked_at, mention LIMIT 1"""
_COLUMNS = (
    "mention", "source", "intent", "is_asked", "asked_at", "thread", "same_as", "item", "state",
    "clocks", "due_at", "warn_at", "replied_at", "answered_us", "replies", "outcome", "actor",
    "decided_at",
)  # fmt: skip
_PUT = f"""INSERT INTO obligations ({", ".join(_COLUMNS)})
    VALUES ({", ".join("?" * len(_COLUMNS))}) ON CONFLICT (mention) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])}"""  # noqa: S608 columns


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """A mention as its obligation needs it; `around` are the keys of what it answers."""

    number: int
    key: str
    source: str
    asked_at: datetime
    intent: str
    machine: str
    author: str | None
    thread: str | None
    reply_to: str | None
    own: bool
    cluster: str | None
    item: int | None


def refresh(
    db: Db, keys: Iterable[str], promises: Promises, *, now: datetime
) -> dict[int, datetime]:
    """Obligations of these mentions, and those they repeat, continue or answer, are as they should.

    Return the queue items that stand for what is open and of which the author wrote again, with
    when that came in. Repeating it changes nothing.
    """
    waiting, seen, heard = list(dict.fromkeys(keys)), set[str](), dict[int, datetime]()
    while waiting:
        key = waiting.pop(0)
        if key not in seen:
            seen.add(key)
            waiting += _refresh(db, key, promises, now, heard)
    return heard


def clocks(db: Db, key: str) -> tuple[Clock, ...]:
    """Return the clocks of a mention, or of the one that it repeats or continues."""
    body = db.value(
        """SELECT coalesce(r.clocks, o.clocks) FROM obligations o
        LEFT JOIN obligations r ON r.mention = o.same_as WHERE o.mention = ?""",
        (key,),
    )
    return () if body is None else _CLOCKS.decode(body)


def _refresh(
    db: Db, key: str, promises: Promises, now: datetime, heard: dict[int, datetime]
) -> list[str]:
    """Return whose obligations must be looked at after this one."""
    subject = _subject(db, key)
    before = db.row("SELECT * FROM obligations WHERE mention = ?", (key,))
    repeats = db.rows("SELECT mention FROM obligations WHERE same_as = ?", (key,))
    followers = [row["mention"] for row in repeats]
    if before is not None and before["same_as"] is not None:
        followers.append(before["same_as"])
    if subject is None:
        return followers
    if subject.own:
        return followers + _answered(db, subject)
    kin = _kin(db, subject)
    is_asked = subject.intent in ASKING
    if not is_asked:
        was_asked = subject.machine in ASKING or (before is not None and before["is_asked"])
        if was_asked or subject.item is not None:
            heard |= _settle(db, subject, promises, is_asked=False)
        if was_asked:
            _withdraw(db, subject, before, now)
        return [*followers, *kin]
    known = before["same_as"] if before is not None else None
    # a cluster is forgotten after a day: what was a repeat then stays one
    first = _first(db, subject, kin, known)
    if first is None:
        heard |= _settle(db, subject, promises, is_asked=True)
        return [*kin, *(followers if known is not None else [])]
    _put_repeat(db, subject, first)
    return [*followers, *kin, first]


def _subject(db: Db, key: str) -> _Subject | None:
    """Return None while it is not analyzed, or once it is deleted."""
    row = db.row(_SUBJECT, (key,))
    if row is None:
        return None
    return _Subject(
        number=row["id"],
        key=row["key"],
        source=row["source"],
        asked_at=moment(row["asked_at"]),
        intent=row["intent"] or "",
        machine=row["machine"] or "",
        author=row["author"],
        thread=row["thread"],
        reply_to=row["reply_to"],
        own=bool(row["own"]),
        cluster=row["cluster"],
        item=row["item"],
    )


def _answered(db: Db, own: _Subject) -> list[str]:
    """Return the obligations that a text of ours may answer."""
    if own.reply_to is not None:
        return [own.reply_to]
    rows = db.rows(
        "SELECT mention FROM obligations WHERE thread = ? AND state = 'open'", (own.thread,)
    )
    return [row["mention"] for row in rows]


def _kin(db: Db, subject: _Subject) -> dict[str, bool]:
    """Return the obligations to the same author in the same exchange (true) or the same words."""
    if subject.author is None:
        return {}
    above = [row["key"] for row in db.rows(_ABOVE, (subject.key, happenings.DEPTH))]
    near = [*above, *([subject.thread] if subject.thread else []), subject.key]
    firsts = db.rows(  # who goes on under a repeat goes on under what it repeats
        """SELECT same_as FROM obligations
        WHERE mention IN (SELECT value FROM json_each(?)) AND same_as IS NOT NULL""",
        (json_list(near),),
    )
    around = json_list([*near, *(row["same_as"] for row in firsts)])
    rows = db.rows(
        _KIN, (subject.author, subject.source, subject.key, around, subject.cluster, KIN)
    )
    return {row["mention"]: bool(row["is_near"]) for row in rows}


def _first(db: Db, subject: _Subject, kin: Mapping[str, bool], known: str | None) -> str | None:
    """Return the obligation that this text repeats or continues, None when it stands for itself.

    Who says the same again after an answer or a decision asks anew.
    """
    near = [key for key, is_near in kin.items() if is_near]
    candidates = [*kin, *([known] if known else [])]
    rows = db.rows(
        _FIRST,
        (json_list(candidates), micros(subject.asked_at), subject.key, json_list(near)),
    )
    return rows[0]["mention"] if rows else None


def _settle(
    db: Db, subject: _Subject, promises: Promises, *, is_asked: bool
) -> dict[int, datetime]:
    """Return the item that stands for it, if the author wrote again and waits."""
    promise = promises.of(subject.source, subject.intent, severity(db, subject.key))
    if not promises.can_answer(subject.source):
        promise = replace(promise, bounds={})  # nothing is promised where nobody can answer
    asker = happenings.Asker(
        key=subject.key,
        asked_at=subject.asked_at,
        author=subject.author,
        thread=subject.thread,
    )
    said = happenings.exchange(db, asker, robot_within=promises.robot_within)
    replies = _replies(db, subject.key) | {micros(step.at) for step in said.replied}
    replied = [Step(at=moment(at), what=Happening.REPLIED) for at in sorted(replies)]
    items = _items(db, subject)
    done = happenings.done(db, items)
    steps = [*happenings.wrote_again(said, done), *replied, *done]
    account = settle(subject.asked_at, promise, steps, is_asked=is_asked, has_item=bool(items))
    main = items[0][0] if items else None
    subject = replace(subject, item=main)
    _put(db, subject, account, promise, replies=sorted(replies), is_asked=is_asked)
    waits = account.standing is Standing.OPEN
    return {main: said.heard_at} if waits and main is not None and said.heard_at else {}


def severity(db: Db, key: str) -> Severity | None:
    """Return how grave it is by the gravest of its items and of those that say the same."""
    rows = db.rows(
        """SELECT severity FROM queue WHERE mention = ?1 OR mention IN (
            SELECT mention FROM obligations WHERE same_as = ?1)""",
        (key,),
    )
    found = (Severity(row["severity"]) for row in rows)
    return max(found, key=lambda each: each.rank, default=None)


def _items(db: Db, subject: _Subject) -> list[tuple[int, bool]]:
    """Return its queue items, the one that stands for it (true) first.

    That is its own, else the first of a text that repeats or continues it.
    """
    rows = db.rows(
        """SELECT q.id FROM obligations o JOIN queue q ON q.mention = o.mention
        JOIN mentions m ON m.key = o.mention AND m.state = 'analyzed'
        WHERE o.same_as = ? ORDER BY q.id LIMIT ?""",
        (subject.key, KIN),
    )
    own = [] if subject.item is None else [subject.item]
    found = [*own, *(row["id"] for row in rows)]
    return [(number, place == 0) for place, number in enumerate(found)]


def _replies(db: Db, key: str) -> set[int]:
    body = db.value("SELECT replies FROM obligations WHERE mention = ?", (key,))
    return set() if body is None else set(_TIMES.decode(body))


def _put(
    db: Db,
    subject: _Subject,
    account: Account,
    promise: Promise,
    *,
    replies: list[int],
    is_asked: bool,
) -> None:
    nearest = account.nearest(promise)
    warn_at, due_at = (None, None) if nearest is None else map(micros, nearest)
    first = next((c for c in account.clocks if c.duty is Duty.FIRST), None)
    is_met = first is not None and first.met_at is not None
    db.execute(
        _PUT,
        (
            subject.key,
            subject.source,
            subject.intent,
            is_asked,
            micros(subject.asked_at),
            subject.thread or subject.key,
            None,
            subject.item,
            account.standing,
            to_json(account.clocks),
            due_at,
            warn_at,
            micros(first.met_at) if first is not None else None,
            first.spent // _US if first is not None and is_met else None,
            to_json(replies),
            account.outcome,
            account.actor,
            micros(account.decided_at),
        ),
    )
    begun = [clock.since for clock in account.clocks if clock.runs_from is not None]
    db.execute(  # what began after a warning is warned of anew
        "UPDATE obligations SET told_at = NULL WHERE mention = ? AND told_at < ?",
        (subject.key, micros(max(begun, default=None))),
    )
    db.execute(
        """UPDATE queue SET due_at = ?1, warn_at = ?2 WHERE mention = ?3 OR mention IN (
            SELECT mention FROM obligations WHERE same_as = ?3)""",
        (due_at, warn_at, subject.key),
    )


def _put_repeat(db: Db, subject: _Subject, first: str) -> None:
    """It stands under the obligation that it repeats or continues."""
    values = (
        subject.key, subject.source, subject.intent, True, micros(subject.asked_at), None, first,
        subject.item, "ended", "[]", None, None, None, None, "[]", REPEATED, None, None,
    )  # fmt: skip
    db.execute(_PUT, values)


def _withdraw(db: Db, subject: _Subject, before: Row | None, now: datetime) -> None:
    """It was no question, a person says, or its author made it none: that is a decision, too.

    What its queue item is due for stays.
    """
    said = db.row(
        """SELECT actor, at FROM corrections WHERE mention = ? AND head = 'intent' AND value <> ''
        ORDER BY seq DESC LIMIT 1""",
        (subject.number,),
    )
    if said is not None:
        outcome, actor, at = CORRECTED, said["actor"], said["at"]
    elif before is not None and before["outcome"] == EDITED:
        outcome, actor, at = EDITED, None, before["decided_at"]
    else:
        outcome, actor, at = EDITED, None, micros(now)
    db.execute(
        """UPDATE obligations SET state = 'ended', is_asked = 1, outcome = ?, actor = ?,
        decided_at = ?, due_at = NULL, warn_at = NULL WHERE mention = ?""",
        (outcome, actor, at, subject.key),
    )
