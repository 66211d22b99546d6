"""What people do: one pure change and one transaction, with its actor in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeVar

from veille.alerts import handling
from veille.alerts.announcing import announce
from veille.alerts.handling import Handled
from veille.alerts.settings import RouteSettings
from veille.domain.correction import TAKEN_BACK
from veille.domain.errors import ConflictError, InputError
from veille.domain.ids import parse_short_id, short_id
from veille.domain.incident import (
    Event,
    Incident,
    IncidentState,
    QueueItem,
    QueueState,
    Verdict,
)
from veille.domain.notification import NotificationKind
from veille.domain.silence import Match, Silence
from veille.pipeline import silencing
from veille.pipeline.dispatch import complete
from veille.store import (
    alerts,
    audit,
    corrections,
    incidents,
    outbox,
    queue,
    tallies,
    timeline,
    verdicts,
)
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.store.silences import Hidden

NOTE_LENGTH = 4000
Subject = TypeVar("Subject", Incident, QueueItem)


class Actions:
    """Acknowledge, assign, resolve and note; the same for the web and the command line.

    Conflicts say when in `zone`.
    """

    def __init__(
        self,
        store: Store,
        *,
        route: RouteSettings,
        now: Callable[[], datetime],
        zone: tzinfo = UTC,
    ) -> None:
        self._store = store
        self._route = route
        self._now = now
        self._zone = zone

    async def acknowledge(self, target: str, *, actor: str, version: int | None = None) -> None:
        """`target` is taken by `actor`; ConflictError when somebody else has it."""
        now, zone = self._now(), self._zone
        await self._change(
            target,
            version,
            on_incident=lambda i: handling.acknowledge(i, actor=actor, now=now, zone=zone),
            on_item=lambda q: handling.take(q, actor=actor, now=now),
        )

    async def assign(self, target: str, *, to: str, actor: str, version: int | None = None) -> None:
        """`target` is entrusted to `to`."""
        now, zone = self._now(), self._zone
        await self._change(
            target,
            version,
            on_incident=lambda i: handling.assign(i, to=to, actor=actor, now=now, zone=zone),
            on_item=lambda q: handling.assign_item(q, to=to, actor=actor, now=now),
        )

    async def resolve(
        self,
        target: str,
        *,
        actor: str,
        state: QueueState | None = None,
        version: int | None = None,
    ) -> None:
        """An incident is resolved; a queue item is in `state` (None: closed)."""
        now, zone = self._now(), self._zone
        ended = state or QueueState.CLOSED
        if state is not None and parse_short_id(target)[0] == "I":
            raise InputError(f"{target}: a state is for queue items; an incident is resolved")
        await self._change(
            target,
            version,
            on_incident=lambda i: handling.resolve(i, actor=actor, now=now, zone=zone),
            on_item=lambda q: handling.change(q, to=ended, actor=actor, now=now),
        )

    async def judge(
        self, target: str, *, verdict: Verdict, actor: str, version: int | None = None
    ) -> None:
        """`actor` says so of an incident and its rules; a false alarm is resolved with it.

        Nothing changes where that stands already. InputError for a queue item.
        """
        letter, number = parse_short_id(target)
        if letter != "I":
            raise InputError(f"{target}: a verdict is for incidents; correct a queue item instead")
        now = self._now()

        def write(db: Db) -> None:
            before = _incident(db, number)
            _check_seen(version, before.touched, before.assignee)
            rules = [alert.rule for alert in alerts.get(db, before.alerts).values()]
            if verdicts.add(db, number, rules, verdict=verdict, actor=actor, at=now):
                done = handling.judge(before, verdict=verdict, actor=actor, now=now)
                self._save_incident(db, before, done)
            said = _incident(db, number)
            is_over = said.state is IncidentState.RESOLVED
            if verdict is Verdict.FALSE_ALARM and not is_over:
                self._save_incident(db, said, handling.resolve(said, actor=actor, now=now))

        await self._store.write(write)

    async def silence(
        self, target: str | Match, *, lasting: timedelta, reason: str, actor: str
    ) -> Silence:
        """An incident (`I12`), or what matches, is not told from now on, for 1 min to 30 days.

        Return the silence. It mutes nothing graver than the incident is, and its alerts and queue
        items stay as they are. InputError without a reason, ConflictError when it is resolved.
        """
        now = self._now()

        def write(db: Db) -> Silence:
            match = silencing.matched(db, target)
            made = silencing.add(db, match, lasting=lasting, reason=reason, actor=actor, now=now)
            if isinstance(target, str):
                self._tell_silence(db, _incident(db, parse_short_id(target)[1]), made)
            return made

        return await self._store.write(write)

    def _tell_silence(self, db: Db, incident: Incident, made: Silence) -> None:
        """Let the messages of an incident that was told say until when it is silent."""
        if incident.notified_at is None:
            return
        rows = announce(
            incident,
            NotificationKind.MUTED,
            alerts=list(alerts.get(db, incident.alerts).values()),
            route=self._route,
            now=made.created_at,
            actor=made.author,
        )
        # its version stays: the silence makes the key
        key = f"{short_id('I', incident.id)}-{NotificationKind.MUTED}-{short_id('S', made.id)}"
        found = [complete(db, replace(row, key=key)) for row in rows]
        outbox.add(
            db,
            [
                replace(row, facts=replace(row.facts, muted_until=made.ends_at))
                for row in found
                if row.facts is not None
            ],
        )

    async def preview(self, target: str | Match) -> tuple[Match, list[Hidden]]:
        """Return what a silence of `target` matches, and what of 24 h and of now that hides."""
        now = self._now()

        def look(db: Db) -> tuple[Match, list[Hidden]]:
            match = silencing.matched(db, target)
            return match, silencing.preview(db, match, now=now)

        return await self._store.read(look)

    async def expire(self, silence_id: int, *, actor: str) -> Silence:
        """The silence is over: what still fires is told. ConflictError when it was over before."""
        now, zone = self._now(), self._zone
        return await self._store.write(
            lambda db: silencing.expire(db, silence_id, actor=actor, now=now, zone=zone)
        )

    async def note(self, target: str, *, text: str, actor: str) -> None:
        """`text` stands in the timeline of `target`."""
        words = text.strip()
        if not words or len(words) > NOTE_LENGTH:
            raise InputError(f"a note has 1 to {NOTE_LENGTH} characters")
        letter, number = parse_short_id(target)
        now = self._now()

        def write(db: Db) -> None:
            _incident(db, number) if letter == "I" else _item(db, number)
            name = short_id(letter, number)
            timeline.add(db, [Event(target=name, at=now, kind="note", actor=actor, text=words)])
            audit.add(db, at=now, actor=actor, action="note", target=name, before=None, after=None)

        await self._store.write(write)

    async def correct(
        self,
        target: str,
        *,
        labels: Mapping[str, str],
        actor: str,
        version: int | None = None,
        reading: str | None = None,
    ) -> bool:
        """The mention of a queue item has these labels, by head; "" takes a person's label back.

        Return whether that changed anything.
        RereadError when `reading`, the text and analysis that were judged, is of before.

        Rules do not look at it again: what was alerted stays, and nothing new is. The audit log
        and the timeline name the heads, not the labels: those go with their mention.
        """
        letter, number = parse_short_id(target)
        if letter != "Q":
            raise InputError(f"{target}: only the mention of a queue item is corrected")
        now = self._now()

        def write(db: Db) -> bool:
            item = _item(db, number)
            _check_seen(version, item.version, item.assignee)
            changed = corrections.add(
                db, item.mention, labels, actor=actor, at=now, reading=reading
            )
            if not changed:
                return False
            queue.save(db, item, expected_version=item.version)
            withdrawn = sorted(head for head, c in changed.items() if c.value == TAKEN_BACK)
            said = sorted(changed.keys() - set(withdrawn))
            for kind, heads in (("queue.corrected", said), ("queue.uncorrected", withdrawn)):
                if heads:
                    _note_judgement(db, short_id("Q", number), kind, heads, actor=actor, at=now)
            return True

        return await self._store.write(write)

    async def _change(
        self,
        target: str,
        version: int | None,
        *,
        on_incident: Callable[[Incident], Handled[Incident]],
        on_item: Callable[[QueueItem], Handled[QueueItem]],
    ) -> None:
        letter, number = parse_short_id(target)

        def write(db: Db) -> None:
            if letter == "I":
                before = _incident(db, number)
                _check_seen(version, before.touched, before.assignee)
                self._save_incident(db, before, on_incident(before))
            else:
                item = _item(db, number)
                _check_seen(version, item.version, item.assignee)
                _save_item(db, item, on_item(item))

        await self._store.write(write)

    def _save_incident(self, db: Db, before: Incident, done: Handled[Incident]) -> None:
        if done.event is None:
            return
        incident, event = done.subject, done.event
        incidents.save(db, incident, expected_version=before.version)
        timeline.add(db, [event])
        _audit(db, event, before, incident)
        if done.announce is None:
            return
        rows = announce(
            incident,
            done.announce,
            alerts=list(alerts.get(db, incident.alerts).values()),
            route=self._route,
            now=event.at,
            actor=event.actor,
        )
        outbox.add(db, [complete(db, row) for row in rows])


def _save_item(db: Db, before: QueueItem, done: Handled[QueueItem]) -> None:
    if done.event is None:
        return
    queue.save(db, done.subject, expected_version=before.version)
    timeline.add(db, [done.event])
    if before.state.is_open and not done.subject.state.is_open:
        tallies.add(db, done.event.at, [("handled", "", done.subject.state)])
    _audit(db, done.event, before, done.subject)


def _incident(db: Db, number: int) -> Incident:
    found = incidents.get(db, number)
    if found is None:
        raise InputError(f"I{number} does not exist: veille queue list shows what does")
    return found


def _item(db: Db, number: int) -> QueueItem:
    found = queue.get(db, number)
    if found is None:
        raise InputError(f"Q{number} does not exist: veille queue list shows what does")
    return found


def _check_seen(seen: int | None, current: int, assignee: str | None) -> None:
    """Refuse to act on what a page shows when people have changed it since."""
    if seen is not None and seen != current:
        who = assignee or "nobody"
        raise ConflictError(f"it changed meanwhile (now with {who}): look again, then decide")


def _note_judgement(
    db: Db, name: str, kind: str, heads: list[str], *, actor: str, at: datetime
) -> None:
    event = Event(target=name, at=at, kind=kind, actor=actor, data={"heads": heads})
    timeline.add(db, [event])
    after = {"heads": " ".join(heads)}
    audit.add(db, at=at, actor=actor, action=kind, target=name, after=after)


def _said(event: Event) -> dict[str, str | None]:
    verdict = event.data.get("verdict")
    return {"verdict": verdict} if isinstance(verdict, str) else {}


def _audit(db: Db, event: Event, before: Subject, after: Subject) -> None:
    audit.add(
        db,
        at=event.at,
        actor=event.actor,
        action=event.kind,
        target=event.target,
        before={"state": before.state, "assignee": before.assignee},
        after={"state": after.state, "assignee": after.assignee} | _said(event),
    )
