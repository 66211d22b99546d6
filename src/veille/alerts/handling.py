"""What people do with incidents and queue items, as pure changes: who came second is told so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Generic, TypeVar

from veille.domain.errors import ConflictError, InputError
from veille.domain.ids import short_id
from veille.domain.incident import Event, Incident, IncidentState, QueueItem, QueueState, Verdict
from veille.domain.notification import NotificationKind

Subject = TypeVar("Subject", Incident, QueueItem)
MAX_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled(Generic[Subject]):
    """The subject after the action, one version up; what the timeline and receivers are told.

    `event` None means that it was so already and nothing changed.
    """

    subject: Subject
    event: Event | None = None
    announce: NotificationKind | None = None


def acknowledge(
    incident: Incident, *, actor: str, now: datetime, zone: tzinfo = UTC
) -> Handled[Incident]:
    """Return the incident acknowledged by `actor`, theirs unless it has an assignee.

    It is not repeated any more. ConflictError, with its time in `zone`, when it is resolved (an
    acknowledgement does not reopen it) or somebody else acknowledged it first.
    """
    _check_not_resolved(incident, zone)
    if incident.state is IncidentState.ACKNOWLEDGED:
        if incident.acknowledged_by == actor:
            return Handled(subject=incident)
        raise ConflictError(
            f"{_name(incident)} was acknowledged by {incident.acknowledged_by} at "
            f"{_when(incident.acknowledged_at, zone)}: assign it to take it over"
        )
    taken = replace(
        incident,
        state=IncidentState.ACKNOWLEDGED,
        assignee=incident.assignee or actor,
        acknowledged_at=now,
        acknowledged_by=actor,
        notify_at=None,
        updated_at=now,
        touched=incident.touched + 1,
        version=incident.version + 1,
    )
    return _handled_incident(taken, "acknowledged", NotificationKind.ACKNOWLEDGED, actor)


def assign(
    incident: Incident, *, to: str, actor: str, now: datetime, zone: tzinfo = UTC
) -> Handled[Incident]:
    """Return the incident with `to` as assignee; it stays open until somebody acknowledges it.

    ConflictError when it is resolved, InputError for a name that is empty or too long.
    """
    _check_not_resolved(incident, zone)
    _check_name(to)
    if incident.assignee == to:
        return Handled(subject=incident)
    given = replace(
        incident,
        assignee=to,
        updated_at=now,
        touched=incident.touched + 1,
        version=incident.version + 1,
    )
    return _handled_incident(given, "assigned", NotificationKind.ASSIGNED, actor)


def resolve(
    incident: Incident, *, actor: str, now: datetime, zone: tzinfo = UTC
) -> Handled[Incident]:
    """Return the incident resolved by `actor`; alerts of it that still fire do not reopen it.

    ConflictError when somebody else, or veille, resolved it first.
    """
    if incident.state is IncidentState.RESOLVED and incident.resolved_by == actor:
        return Handled(subject=incident)
    _check_not_resolved(incident, zone)
    closed = replace(
        incident,
        state=IncidentState.RESOLVED,
        resolved_at=now,
        resolved_by=actor,
        notify_at=None,
        updated_at=now,
        touched=incident.touched + 1,
        version=incident.version + 1,
    )
    return _handled_incident(closed, "resolved", NotificationKind.RESOLVED, actor)


def judge(incident: Incident, *, verdict: Verdict, actor: str, now: datetime) -> Handled[Incident]:
    """Return the incident with what `actor` says of it on its timeline; its state stays.

    `touched` too: no message follows that would show it, and the last word of all stands.
    """
    said = replace(incident, updated_at=now, version=incident.version + 1)
    data = {"verdict": str(verdict), "incident": _name(said), "severity": str(said.severity)}
    event = Event(target=_name(said), at=now, kind="incident.judged", actor=actor, data=data)
    return Handled(subject=said, event=event)


def take(item: QueueItem, *, actor: str, now: datetime) -> Handled[QueueItem]:
    """Return the queue item taken by `actor`.

    ConflictError when it is done with, or somebody else has it.
    """
    if not item.state.is_open:
        raise ConflictError(f"{_name(item)} is {item.state}: change its state to work on it again")
    if item.assignee is not None and item.assignee != actor:
        raise ConflictError(f"{_name(item)} is {item.assignee}'s: assign it to take it over")
    return _handled_item(
        item, replace(item, state=QueueState.TAKEN, assignee=actor), "taken", actor, now
    )


def assign_item(item: QueueItem, *, to: str, actor: str, now: datetime) -> Handled[QueueItem]:
    """Return the queue item given to `to`; a new one counts as taken.

    ConflictError when it is done with, InputError for a name that is empty or too long.
    """
    _check_name(to)
    if not item.state.is_open:
        raise ConflictError(f"{_name(item)} is {item.state}: change its state to work on it again")
    state = QueueState.TAKEN if item.state is QueueState.NEW else item.state
    return _handled_item(item, replace(item, state=state, assignee=to), "assigned", actor, now)


def change(item: QueueItem, *, to: QueueState, actor: str, now: datetime) -> Handled[QueueItem]:
    """Return the queue item in state `to`; closing states too, and back to `new` without assignee.

    Who changes an item that nobody has becomes its assignee.
    """
    assignee = None if to is QueueState.NEW else item.assignee or actor
    return _handled_item(item, replace(item, state=to, assignee=assignee), "changed", actor, now)


def _handled_incident(
    incident: Incident, verb: str, announce: NotificationKind, actor: str
) -> Handled[Incident]:
    data = {"state": str(incident.state), "assignee": incident.assignee}
    event = Event(
        target=_name(incident),
        at=incident.updated_at,
        kind=f"incident.{verb}",
        actor=actor,
        data={**data, "incident": _name(incident), "severity": str(incident.severity)},
    )
    # who never heard of the incident is not told what became of it
    heard = announce if incident.notified_at is not None else None
    return Handled(subject=incident, event=event, announce=heard)


def _handled_item(
    before: QueueItem, after: QueueItem, verb: str, actor: str, now: datetime
) -> Handled[QueueItem]:
    if after == before:
        return Handled(subject=before)
    after = replace(after, updated_at=now, version=before.version + 1)
    event = Event(
        target=_name(after),
        at=now,
        kind=f"queue.{verb}",
        actor=actor,
        data={"from": str(before.state), "state": str(after.state), "assignee": after.assignee},
    )
    return Handled(subject=after, event=event)


def _check_not_resolved(incident: Incident, zone: tzinfo) -> None:
    if incident.state is IncidentState.RESOLVED:
        raise ConflictError(
            f"{_name(incident)} was resolved by {incident.resolved_by} at "
            f"{_when(incident.resolved_at, zone)}: it is not reopened; "
            "a new alert opens a new incident"
        )


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME:
        raise InputError(f"nobody to assign to: write a name of 1 to {MAX_NAME} characters")


def _name(subject: Incident | QueueItem) -> str:
    return short_id("I" if isinstance(subject, Incident) else "Q", subject.id)


def _when(at: datetime | None, zone: tzinfo) -> str:
    return "an unknown time" if at is None else at.astimezone(zone).isoformat(timespec="minutes")
