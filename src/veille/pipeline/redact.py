"""Redact: take back everywhere what was deleted, and edit the messages that showed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from veille.domain.ids import short_id
from veille.domain.incident import Event, IncidentState, QueueState
from veille.domain.notification import NotificationKind, OutboxRow
from veille.store import calls, deeds, drafts, erasure, incidents, outbox, queue, timeline
from veille.store.engine import Db
from veille.store.erasure import Redaction
from veille.store.protocol import Store

BATCH = 200
ACTOR = "veille"

log = structlog.get_logger()


class Redact:
    """Follows up every deletion, whoever made it: a source, retention, or the command line.

    The text is gone with the deletion itself; this reaches what only names it.
    """

    name = "redact"

    def __init__(self, store: Store) -> None:
        self._store = store

    async def step(self, now: datetime) -> bool:
        """Follow up one batch; true when there was one."""
        if not await self._store.read(lambda db: erasure.pending(db, limit=1)):
            return False
        counts = await self._store.write(lambda db: follow_up(db, now))
        log.info("redacted", **counts)
        return True


def follow_up(db: Db, now: datetime) -> dict[str, int]:
    """Take back one batch of deleted mentions; return what that changed, by table."""
    batch = erasure.pending(db, limit=BATCH)
    keys = [redaction.mention for redaction in batch]
    touched = erasure.drop_evidence(db, keys)
    counts = {
        "mentions": len(batch),
        "queue": _close_items(db, batch, now),
        "answers": _forget_answers(db, keys),
        "outbox": erasure.strip_outbox(db, keys),
        "edits": _plan_edits(db, batch, now),
    }
    withdrawn = erasure.unheard(db, touched)
    counts["outbox"] += sum(_withdraw(db, number, now) for number in withdrawn)
    counts["incidents"] = len(withdrawn)
    erasure.done(db, batch)
    return counts


def _close_items(db: Db, batch: Sequence[Redaction], now: datetime) -> int:
    """Close the queue items of these mentions: there is nothing left to answer."""
    causes = {redaction.mention: redaction.cause for redaction in batch}
    found = queue.open_of(db, list(causes))
    for item in found:
        closed = replace(
            item,
            state=QueueState.CLOSED,
            state_at=now,
            updated_at=now,
            snoozed_until=None,
            snoozed_by=None,
        )
        queue.save(db, closed, expected_version=item.version)
        kind = f"queue.{causes[item.mention]}"
        timeline.add(db, [Event(target=short_id("Q", item.id), at=now, kind=kind, actor=ACTOR)])
    return len(found)


def _forget_answers(db: Db, keys: Sequence[str]) -> int:
    """Drop what people wrote about these mentions and what would bring it back; return how much."""
    found = queue.of_keys(db, keys).values()
    names = [short_id("Q", item.id) for item in found]
    for item in found:
        if item.waiting_for or item.reason:
            blank = replace(item, waiting_for=None, reason=None)
            queue.save(db, blank, expected_version=item.version)
    incidents.forget_split(db, keys)
    dropped = drafts.drop_of(db, [item.id for item in found])
    return dropped + calls.drop_of(db, names) + deeds.forget(db, names)


def _plan_edits(db: Db, batch: Sequence[Redaction], now: datetime) -> int:
    """Plan one edit of each message that may show them, as the newest notification told it."""
    keys = [redaction.mention for redaction in batch]
    rows = [
        OutboxRow(
            key=f"{short_id('I', found.incident)}-redacted-{batch[-1].seq}",
            receiver=found.receiver,
            incident=found.incident,
            kind=NotificationKind.REDACTED,
            facts=erasure.without(found.facts, keys),
            due_at=now,
        )
        for found in erasure.take_shown(db, keys)
        # one that waits already will show what is left then
        if not (found.kind is NotificationKind.REDACTED and found.is_untried)
    ]
    return outbox.add(db, rows)


def _withdraw(db: Db, number: int, now: datetime) -> int:
    """Close an incident of which nobody was told and nothing is left; return what waited of it.

    It must not stay open in silence: nobody would ever hear of it.
    """
    incident = incidents.get(db, number)
    if incident is None or incident.state is IncidentState.ACKNOWLEDGED:
        return 0  # a person has it
    if incident.state is IncidentState.OPEN:
        closed = replace(
            incident,
            state=IncidentState.RESOLVED,
            resolved_at=now,
            resolved_by=ACTOR,
            notify_at=None,
            updated_at=now,
        )
        incidents.save(db, closed, expected_version=incident.version)
        event = Event(target=short_id("I", number), at=now, kind="incident.withdrawn", actor=ACTOR)
        timeline.add(db, [event])
    return erasure.drop_unheard(db, number)
