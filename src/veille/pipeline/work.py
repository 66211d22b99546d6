"""One action inside its transaction: saved, told, audited, and kept for its undo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, tzinfo

from veille.alerts.announcing import announce
from veille.alerts.handling import Handled
from veille.alerts.settings import RouteSettings
from veille.domain.deed import UNDO_FOR, Done
from veille.domain.draft import Draft
from veille.domain.errors import ConflictError, InputError
from veille.domain.ids import content_hash, short_id
from veille.domain.incident import Event, Incident, QueueItem, QueueState
from veille.domain.notification import NotificationKind
from veille.pipeline.dispatch import complete
from veille.store import (
    alerts,
    audit,
    deeds,
    drafts,
    escalations,
    incidents,
    outbox,
    queue,
    tallies,
    timeline,
)
from veille.store.audit import Snapshot
from veille.store.deeds import Before, Part
from veille.store.engine import Db

UNHANDLED = (QueueState.NEW, QueueState.TAKEN, QueueState.WAITING)
"""Nothing was done yet for who wrote: the weekly summary counts what leaves these states."""


class Work:
    """What one action of `actor` changes; the deed is begun with the first change."""

    def __init__(
        self,
        db: Db,
        *,
        verb: str,
        actor: str,
        now: datetime,
        zone: tzinfo,
        route: RouteSettings,
    ) -> None:
        self.db = db
        self.actor = actor
        self.now = now
        self.zone = zone
        self.route = route
        self._verb = verb
        self._deed: int | None = None

    @property
    def done(self) -> Done:
        """What the action did so far."""
        if self._deed is None:
            return Done()
        return Done(id=self._deed, until=self.now + UNDO_FOR)

    def save_item(self, before: QueueItem, done: Handled[QueueItem]) -> QueueItem:
        """Return the item as it stands now; nothing is written where nothing changed."""
        if done.event is None:
            return before
        kept = queue.save(self.db, done.subject, expected_version=before.version)
        self.remember(done.event.target, kept.version, Before(item=before))
        timeline.add(self.db, [self._numbered(done.event)])
        if before.state in UNHANDLED and kept.state not in UNHANDLED:
            tallies.add(self.db, self.now, [("handled", "", kept.state)])
        self.audit(done.event.kind, done.event.target, item_facts(before), item_facts(kept))
        return kept

    def save_incident(self, before: Incident, done: Handled[Incident]) -> Incident:
        """Return the incident as it stands now; who heard of it is told."""
        if done.event is None:
            return before
        kept = incidents.save(self.db, done.subject, expected_version=before.version)
        self.remember(done.event.target, kept.touched, self.incident_before(before))
        timeline.add(self.db, [done.event])
        said = done.event.data.get("verdict")
        more = {"verdict": said} if isinstance(said, str) else {}
        facts = {**incident_facts(kept), **more}
        self.audit(done.event.kind, done.event.target, incident_facts(before), facts)
        if done.announce is not None:
            self.announce(kept, done.announce)
        return kept

    def incident_before(self, incident: Incident) -> Before:
        """Return all that an undo needs of an incident as it is now."""
        return Before(
            incident=incident,
            escalation=escalations.get(self.db, incident.id),
            evidence=incidents.last_evidence(self.db, incident.id),
        )

    def save_draft(self, before: Draft, after: Draft, verb: str) -> Draft:
        """Return the draft as it stands now; its text is in no trail."""
        if after == before:
            return before
        kept = drafts.save(self.db, after, expected_version=before.version)
        self.remember(
            f"D{kept.id}", kept.version, Before(draft=replace(before, text="", image=None))
        )
        self.tell_draft(kept, verb, before)
        return kept

    def tell_draft(self, draft: Draft, verb: str, before: Draft | None) -> None:
        """The timeline of its item and the audit trail say what became of a draft."""
        target = short_id("Q", draft.item)
        data: dict[str, str | int | None] = {
            "draft": draft.id,
            "state": str(draft.state),
            "place": draft.published_on,
        }
        kind = f"draft.{verb}"
        event = Event(target=target, at=self.now, kind=kind, actor=self.actor, data=data)
        timeline.add(self.db, [self._numbered(event)])
        was = None if before is None else draft_facts(before)
        self.audit(kind, target, was, draft_facts(draft))

    def _numbered(self, event: Event) -> Event:
        """Return it with the number of the deed: who counts it finds what undid it."""
        named = {} if self._deed is None else {"deed": self._deed}
        return replace(event, data={**event.data, **named})

    def announce(
        self, incident: Incident, kind: NotificationKind, *, without: frozenset[str] = frozenset()
    ) -> None:
        """Receivers are told, except those `without`."""
        rows = announce(
            incident,
            kind,
            alerts=list(alerts.get(self.db, incident.alerts).values()),
            route=self.route,
            now=self.now,
            actor=self.actor,
        )
        outbox.add(self.db, [complete(self.db, row) for row in rows if row.receiver not in without])

    def remember(self, target: str, version: int, before: Before) -> None:
        """The undo of this action puts `target` back to `before`, if it still has `version`."""
        if self._deed is None:
            self._deed = deeds.begin(self.db, at=self.now, actor=self.actor, verb=self._verb)
        deeds.add_part(self.db, self._deed, Part(target=target, version=version, before=before))

    def audit(
        self, action: str, target: str, before: Snapshot | None, after: Snapshot | None
    ) -> None:
        """The audit trail says it, with the number of the deed where one began."""
        named = after if self._deed is None or after is None else {**after, "deed": self._deed}
        audit.add(
            self.db, at=self.now, actor=self.actor, action=action, target=target,
            before=before, after=named,
        )  # fmt: skip


def item_facts(item: QueueItem) -> dict[str, str | int | None]:
    """Return what the audit trail says of an item: of what people wrote, only its hash."""
    until = None if item.snoozed_until is None else item.snoozed_until.isoformat()
    more = {
        "snoozed_until": until,
        "waiting_for": hashed(item.waiting_for),
        "reason": hashed(item.reason),
    }
    return {"state": item.state, "assignee": item.assignee, "version": item.version} | {
        name: value for name, value in more.items() if value is not None
    }


def incident_facts(incident: Incident) -> dict[str, str | int | None]:
    """Return what the audit trail says of an incident."""
    facts: dict[str, str | int | None] = {
        "state": incident.state,
        "assignee": incident.assignee,
        "alerts": len(incident.alerts),
    }
    if incident.merged_into is not None:
        facts["merged_into"] = short_id("I", incident.merged_into)
    return facts


def draft_facts(draft: Draft) -> Mapping[str, str | int | None]:
    """Return what the audit trail says of a draft."""
    return {
        "draft": draft.id,
        "state": draft.state,
        "author": draft.author,
        "approved_by": draft.approved_by,
        "published_on": hashed(draft.published_on),
        "length": len(draft.text),
        "text": hashed(draft.text),
        "version": draft.version,
    }


def hashed(text: str | None) -> str | None:
    """Return the length and a hash of what somebody wrote, to tell one text from another."""
    return None if text is None else f"{len(text)}:{content_hash(text)}"


def incident_of(db: Db, number: int) -> Incident:
    """Return one incident; InputError when there is none of this number."""
    found = incidents.get(db, number)
    if found is None:
        raise InputError(f"I{number} does not exist: veille queue list shows what does")
    return found


def item_of(db: Db, number: int) -> QueueItem:
    """Return one queue item; InputError when there is none of this number."""
    found = queue.get(db, number)
    if found is None:
        raise InputError(f"Q{number} does not exist: veille queue list shows what does")
    return found


def check_seen(
    db: Db, target: str, seen: int | None, current: int, *, owner: str | None, zone: tzinfo
) -> None:
    """Refuse to act on what a page shows when people changed it since: who, what, when."""
    if seen is None or seen == current:
        return
    last = timeline.last_change(db, target)
    said = "it changed meanwhile"
    if last is not None:
        at = last.at.astimezone(zone).isoformat(timespec="minutes")
        said = f"{last.actor} was faster ({last.kind} at {at})"
    raise ConflictError(f"{target}: {said}, now with {owner or 'nobody'}: look again, then decide")
