"""Deliver: send what waits in the outbox, one receiver at a time, each on its own (T5)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from veille.domain.clock import monotonic_s
from veille.domain.errors import DeliveryError
from veille.domain.ids import short_id
from veille.domain.incident import Event
from veille.domain.notification import (
    Diverted,
    Document,
    Facts,
    Notification,
    NotificationKind,
    OutboxRow,
    Quote,
    Ref,
)
from veille.domain.places import communes, places
from veille.domain.record import StoredMention
from veille.domain.text import fold
from veille.net.retry import backoff_s
from veille.pipeline.escalate import why_over
from veille.store import erasure, incidents, mentions, outbox, timeline
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.telemetry.metrics import FAILED, PARKED, SENT, metrics

LEASE = timedelta(minutes=2)
"""Longer than one attempt may take, so that only a killed process leaves a row to repeat."""
ATTEMPT_S = 60.0
CAP_S = 60.0
"""The longest wait between tries: a receiver that comes back is served within a minute."""
REFUSED_S = 300.0
"""A refusal that only a person can mend (a wrong token) is tried again this rarely, not dropped."""
LONGEST_S = 600.0
"""A receiver may ask for patience, but not silence itself for hours."""
DIVERT_S = 30.0
"""After so long the fallback is told too. With `SHORT_S` for the attempt that may be under way, it
is within the minute that issue 5 asks for."""
SHORT_S = 25.0
SILENT = (
    NotificationKind.REFRESHED,
    NotificationKind.MUTED,
    NotificationKind.REDACTED,
    NotificationKind.DIGEST,
    NotificationKind.WEEKLY,
    NotificationKind.TRIAL,
)
"""Not told in an incident's timeline: nobody was."""
QUOTES = 3
PLACES = 3
LOOKED_AT = 200

log = structlog.get_logger()


class Notifier(Protocol):
    """Says one notification, or a document, on one channel; raises DeliveryError."""

    async def send(self, notification: Notification, *, ref: Ref | None) -> Ref: ...
    async def publish(self, document: Document) -> None: ...


Documents = Callable[[str], Awaitable[Document]]
"""Composes the document of an outbox key, as things are now."""


async def no_documents(key: str) -> Document:
    """Raise DeliveryError: this sender composes none."""
    raise DeliveryError(f"nothing composes {key} here", is_content=True)


def no_link(facts: Facts) -> str:
    """Return "": this sender's receiver has no page on which it takes an incident."""
    del facts
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Whose name and address stand in every notification, and who composes documents.

    `take_link` gives the address at which the receiver takes the incident of these facts.
    """

    institution: str
    public_url: str
    documents: Documents = no_documents
    take_link: Callable[[Facts], str] = no_link


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """The receiver told instead, its kind, and the kind of the one that fails."""

    receiver: str
    via: str
    channel: str


class Deliver:
    """The outbox of one receiver. A failure pauses this receiver and no other."""

    def __init__(
        self,
        store: Store,
        *,
        receiver: str,
        notifier: Notifier,
        sender: Sender,
        fallback: Fallback | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = f"deliver.{receiver}"
        self._store = store
        self._receiver = receiver
        self._notifier = notifier
        self._sender = sender
        self._fallback = fallback
        self._divert_at: datetime | None = None
        self._attempt_s = ATTEMPT_S if fallback is None else SHORT_S
        self._jitter = jitter
        self._failures = 0
        self._since: datetime | None = None
        self._pause = timedelta(0)

    async def step(self, now: datetime) -> bool:
        """Try the oldest row that is due; false when there is none or the receiver is paused.

        While it fails, its fallback is told what waits.
        """
        if self._divert_at is not None and now >= self._divert_at:
            await self._store.write(lambda db: self._divert(db, now))
        if self._since is not None and timedelta(0) <= now - self._since < self._pause:
            return False
        row = await self._store.write(lambda db: self._claim(db, now))
        if row is None:
            return False
        started_s = monotonic_s()
        try:
            async with asyncio.timeout(self._attempt_s):
                new_ref = await self._send(row)
        except TimeoutError:
            silence = DeliveryError("no answer in time", is_unknown=True)
            await self._failed(row, silence, now, started_s)
        except DeliveryError as error:
            await self._failed(row, error, now, started_s)
        except Exception as error:  # noqa: BLE001 the edge of a channel: it must end no other
            cause = f"{type(error).__name__} in the notifier"
            broken = DeliveryError(cause, is_unknown=True)
            await self._failed(row, broken, now, started_s)
        else:
            await self._sent(row, new_ref, now)
            if row.facts is not None and row.kind is NotificationKind.OPENED:
                waited = _later(now, started_s) - row.facts.opened_at
                metrics().notification_delay.observe(waited.total_seconds())
        return True

    async def _sent(self, row: OutboxRow, new_ref: Ref, now: datetime) -> None:
        self._failures, self._since, self._divert_at = 0, None, None

        def note(db: Db) -> None:
            outbox.sent(db, row, ref=new_ref, now=now)
            if row.kind not in SILENT:
                timeline.add(db, [self._event(row, "notification.sent", now)])

        await self._store.write(note)
        metrics().notified(self._receiver, SENT)
        log.info("notification_sent", receiver=self._receiver, incident=row.incident, key=row.key)

    def _claim(self, db: Db, now: datetime) -> OutboxRow | None:
        # after a failure the other kind: a cry that fails each time keeps no text from going
        is_turn = self._failures % 2 == 1
        while True:
            row = outbox.claim(db, self._receiver, now=now, lease=LEASE, is_turn_of_edits=is_turn)
            if row is None or row.kind is not NotificationKind.ESCALATED:
                return row
            incident = incidents.get(db, row.incident)
            if incident is not None and why_over(incident) is None:
                return row
            # somebody took it meanwhile: nobody else is called
            outbox.drop(db, row, now=now)
            timeline.add(db, [self._event(row, "notification.dropped", now)])

    async def _send(self, row: OutboxRow) -> Ref:
        facts = row.facts
        if facts is None:
            await self._notifier.publish(await self._sender.documents(row.key))
            return {}
        # in a write: what the message shows is on record before it can be outside
        notification, ref = await self._store.write(lambda db: self._compose(db, row, facts))
        return await self._notifier.send(notification, ref=ref)

    async def _failed(
        self, row: OutboxRow, error: DeliveryError, began: datetime, started_s: float
    ) -> None:
        now = _later(began, started_s)
        if error.is_content:
            await self._park(row, error, now)
            return
        self._failures += 1
        wait_s = REFUSED_S
        if error.may_retry:
            backoff = backoff_s(self._failures, base=1.0, cap=CAP_S, jitter=self._jitter)
            wait_s = min(error.retry_after_s or backoff, LONGEST_S)
        self._since, self._pause = now, timedelta(seconds=wait_s)
        due_at = now + self._pause

        def note(db: Db) -> datetime | None:
            # silent since it was asked: an attempt that hangs is part of the minute
            outbox.retry(
                db,
                row,
                due_at=due_at,
                error=str(error),
                now=now,
                since=began,
                is_unknown=error.is_unknown,
            )
            # the first failure is news, the others are the same news; a document has no incident
            if not row.attempts and row.facts is not None:
                timeline.add(db, [self._event(row, "notification.failed", now)])
            return outbox.failing_since(db, self._receiver)

        since = await self._store.write(note) or began
        if self._fallback is not None:
            is_long = wait_s >= DIVERT_S  # refused, or asked to come back late: it will not pass
            self._divert_at = now if is_long else since + timedelta(seconds=DIVERT_S)
        metrics().notified(self._receiver, FAILED)
        log.warning(
            "notification_failed",
            receiver=self._receiver,
            incident=row.incident,
            key=row.key,
            attempt=row.attempts,
            may_repeat=error.is_unknown,
            wait_s=round(wait_s, 1),
        )

    async def _park(self, row: OutboxRow, error: DeliveryError, now: datetime) -> None:
        """Put aside what is refused for what it says, so that the next one goes."""

        def note(db: Db) -> None:
            self._divert(db, now, only=row)
            outbox.park(db, row, error=str(error), now=now)
            if row.facts is not None:
                timeline.add(db, [self._event(row, "notification.failed", now)])

        await self._store.write(note)
        metrics().notified(self._receiver, PARKED)
        log.error("notification_parked", receiver=self._receiver, key=row.key)

    def _divert(self, db: Db, now: datetime, *, only: OutboxRow | None = None) -> None:
        """Let the fallback tell what waits here; the timeline says so once a notification."""
        fallback = self._fallback
        if fallback is None:
            return
        since = outbox.failing_since(db, self._receiver)
        if since is None and only is None:  # what failed was dropped: the next may well arrive
            return
        told = Diverted(
            receiver=self._receiver, channel=fallback.channel, via=fallback.via, since=since or now
        )
        new = outbox.divert(
            db,
            self._receiver,
            to=fallback.receiver,
            told=told,
            now=now,
            except_kinds=SILENT,
            only=0 if only is None else only.id,
        )
        events = [self._event(row, "notification.diverted", now) for row in new]
        timeline.add(db, [replace(e, data={**e.data, "to": fallback.receiver}) for e in events])

    def _event(self, row: OutboxRow, kind: str, now: datetime) -> Event:
        target = short_id("I", row.incident)
        data: dict[str, str | int | float | list[str] | None] = {"receiver": self._receiver}
        if row.may_repeat:
            data["may_repeat"] = 1
        return Event(target=target, at=now, kind=kind, data=data)

    def _compose(self, db: Db, row: OutboxRow, facts: Facts) -> tuple[Notification, Ref | None]:
        keys = facts.evidence[-LOOKED_AT:]
        found = mentions.stored(db, keys)
        evidence = [found[key] for key in keys if key in found and not found[key].is_deleted]
        quoted, own = quotable(evidence, facts.news), [self._sender.institution]
        named = places(evidence, limit=PLACES, known=own)
        told = [m for m in evidence if set(places([m], limit=LOOKED_AT)).intersection(named)]
        shown = {mention.key for mention in (*quoted, *told)}
        erasure.note_shown(db, row.incident, self._receiver, sorted(shown))
        notification = Notification(
            key=row.key,
            kind=row.kind,
            facts=facts,
            institution=self._sender.institution,
            link=f"{self._sender.public_url.rstrip('/')}/incidents/{row.incident}",
            quotes=quotes(quoted),
            places=named,
            communes=communes(evidence, limit=1),
            card=next((m.card for m in quoted if m.card and not m.card.is_empty), None),
            take_link=self._sender.take_link(facts),
            may_repeat=row.may_repeat,
        )
        return notification, outbox.ref(db, self._receiver, row.incident)


def _later(now: datetime, started_s: float) -> datetime:
    """Return `now` after an attempt that began then: waits count from its end."""
    return now + timedelta(seconds=monotonic_s() - started_s)


def quotable(
    evidence: Sequence[StoredMention], news: Collection[str] = ()
) -> tuple[StoredMention, ...]:
    """Return up to three mentions to quote: `news`, the most urgent, the newest; no text twice."""

    def weight(mention: StoredMention) -> tuple[bool, float, datetime]:
        score = mention.analysis.urgency.score if mention.analysis else 0.0
        return mention.key in news, score, mention.received_at

    chosen: dict[str, StoredMention] = {}
    for mention in sorted(evidence, key=weight, reverse=True):
        chosen.setdefault(fold(mention.text), mention)
        if len(chosen) == QUOTES:
            break
    return tuple(chosen.values())


def quotes(quoted: Sequence[StoredMention]) -> tuple[Quote, ...]:
    """Return them as they are quoted: without their authors."""
    return tuple(Quote(text=m.text, source=m.source, at=m.created_at, lang=m.lang) for m in quoted)
