"""What happened since somebody asked: their next messages, our replies, and what people did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from veille.domain.analysis import IntentLabel
from veille.domain.ids import short_id
from veille.domain.incident import QueueState
from veille.domain.obligation import Happening, Step
from veille.store.codec import moment
from veille.store.engine import Db, Row

VEILLE = "veille"
ROBOTS = ("bot", "robot", "auto")
"""Roles of an author that no person writes under, as sources of the interchange format say it."""
DEPTH = 10
"""Answers to answers that are followed; a source may send a loop."""
MOST = 500
"""Texts of one exchange that are read, the newest."""

_DATA = msgspec.json.Decoder(Mapping[str, str | int | float | list[str] | None])
# the newest texts below this one and those that repeat it (9e18: these first), by what they answer,
# and those of its thread; who writes to nobody answers nobody where others reply; the + keeps the
# planner from reading all that was ever analyzed
_EXCHANGE = """WITH RECURSIVE below(key, depth, at) AS (
        SELECT ?1, 0, 9e18 UNION SELECT mention, 0, 9e18 FROM obligations WHERE same_as = ?1 UNION
        SELECT m.key, depth + 1, m.created_at FROM below JOIN mentions m ON m.reply_to = below.key
        WHERE depth < ?3 ORDER BY 3 DESC LIMIT ?4)
    SELECT m.key, min(m.created_at, m.received_at) AS at, m.received_at, m.own, m.author, m.role,
        m.reply_to, f.intent FROM mentions m JOIN queue_facts f ON f.key = m.key
    WHERE +m.state = 'analyzed' AND m.key <> ?1 AND (+m.author = ?5 OR m.own AND (
        m.reply_to IS NULL AND NOT EXISTS (
            SELECT 1 FROM mentions WHERE thread = ?2 AND reply_to IS NOT NULL)
        OR m.reply_to = ?1
        OR EXISTS (SELECT 1 FROM mentions x WHERE x.key = m.reply_to AND x.author = ?5)))
    AND m.key IN (SELECT key FROM below UNION SELECT key FROM mentions WHERE thread = ?2)
    ORDER BY at DESC, m.id DESC LIMIT ?4"""
_DONE = "SELECT at, kind, actor, data FROM timeline WHERE target = ? ORDER BY seq"
_SAID = frozenset({"queue.answered", "draft.published"})
_UNDONE = frozenset({"queue.undone", "draft.undone"})
_STOPS = frozenset({QueueState.CLOSED, QueueState.REPORTED, QueueState.OUT_OF_SCOPE})
_WORKS = frozenset({QueueState.NEW, QueueState.TAKEN})
_DECIDED = frozenset({Happening.REPLIED, Happening.RESTED, Happening.STOPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asked, where: `key` of the mention, `thread` it is in, `author` None where unknown."""

    key: str
    asked_at: datetime
    author: str | None
    thread: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrote:
    """A next text of the author: when it was written, and when we had it (as it reads now)."""

    at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What was written after a question: the author's own next texts, and our answers to them."""

    wrote: tuple[Wrote, ...] = ()
    replied: tuple[Step, ...] = ()

    @property
    def heard_at(self) -> datetime | None:
        """When the last of the author's next texts came in."""
        return max((one.received_at for one in self.wrote), default=None)


def exchange(db: Db, asker: Asker, *, robot_within: timedelta) -> Exchange:
    """Return what the author wrote afterwards, thanks left out, and what persons of ours answered.

    An answer is ours when it replies to one of the author's texts, those that say the same
    included; in a thread without replies, when it comes after. A robot's is none: written under a
    role of `ROBOTS`, or sooner than `robot_within` after what it answers. Nor does the author
    write what comes under such a role.
    """
    rows = db.rows(_EXCHANGE, (asker.key, asker.thread or asker.key, DEPTH, MOST, asker.author))
    asked_at = {asker.key: asker.asked_at}
    wrote: list[Wrote] = []
    replied: list[Step] = []
    for row in reversed(rows):
        at = moment(row["at"])
        if at < asker.asked_at:
            continue
        if row["own"]:
            last = asked_at.get(row["reply_to"] or "")
            if row["reply_to"] is None:
                last = max(asked_at.values())
            if last is not None and row["role"] not in ROBOTS and at - last >= robot_within:
                replied.append(Step(at=at, what=Happening.REPLIED))
            continue
        asked_at[row["key"]] = at
        if row["intent"] != IntentLabel.THANKS and row["role"] not in ROBOTS:
            wrote.append(Wrote(at=at, received_at=moment(row["received_at"])))
    return Exchange(wrote=tuple(wrote), replied=tuple(replied))


def wrote_again(said: Exchange, done: Sequence[Step]) -> list[Step]:
    """Return the author's next texts as steps; one that came in after a decision counts from then.

    Who decided had not read it.
    """
    decided = [step.at for step in done if step.what in _DECIDED]
    found: list[Step] = []
    for one in said.wrote:
        is_late = any(one.at <= at < one.received_at for at in decided)
        found.append(Step(at=one.received_at if is_late else one.at, what=Happening.WROTE))
    return found


def done(db: Db, items: Sequence[tuple[int, bool]]) -> list[Step]:
    """Return what people did with these queue items; of those that are not main, only answers.

    What veille did by itself is none of it, nor is what was undone.
    """
    found: list[Step] = []
    for number, is_main in items:
        steps = _steps(db.rows(_DONE, (short_id("Q", number),)))
        found += [step for step in steps if is_main or step.what is Happening.REPLIED]
    return found


def _steps(rows: Sequence[Row]) -> list[Step]:
    found: list[tuple[object, Step]] = []  # with the deed that it is of
    state = QueueState.NEW
    for row in rows:
        at, by, data = moment(row["at"]), row["actor"], _DATA.decode(row["data"])
        told, deed = data.get("state"), data.get("deed")
        if not row["kind"].startswith(("queue.", "draft.")):
            continue
        after = QueueState(told) if isinstance(told, str) and told in set(QueueState) else state
        if by == VEILLE:
            state = after  # it came back by itself: what people do next starts there
            continue
        if row["kind"] in _UNDONE:
            found = [(of, step) for of, step in found if of != deed]
            state = after
            continue
        if row["kind"] in _SAID or (after is QueueState.ANSWERED and after is not state):
            step = Step(at=at, what=Happening.REPLIED, by=by, how=QueueState.ANSWERED)
            found.append((deed, step))
        if after is not state:
            found.append((deed, Step(at=at, what=_moved(after), by=by, how=after)))
        state = after
    return [step for _, step in found]


def _moved(state: QueueState) -> Happening:
    if state in _STOPS:
        return Happening.STOPPED
    return Happening.RESUMED if state in _WORKS else Happening.RESTED
