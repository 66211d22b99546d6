"""What people do with incidents, as pure changes: who came second is told so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Generic, TypeVar

from veille.domain.errors import ConflictError, InputError
from veille.domain.ids import short_id
from veille.domain.incident import Event, Incident, IncidentState, QueueItem, Verdict
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
            f"{name_of(incident)} was acknowledged by {incident.acknowledged_by} at "
            f"{when(incident.acknowledged_at, zone)}: assign it to take it over"
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
    check_name(to)
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
    data = {"verdict": str(verdict), "incident": name_of(said), "severity": str(said.severity)}
    event = Event(target=name_of(said), at=now, kind="incident.judged", actor=actor, data=data)
    return Handled(subject=said, event=event)


def reopen(
    incident: Incident, *, actor: str, now: datetime, again_at: datetime, zone: tzinfo = UTC
) -> Handled[Incident]:
    """Return the incident open again and nobody's; veille does not resolve it any more.

    What still fires of it is told again at `again_at`. ConflictError when it was merged into
    another: that one has its alerts.
    """
    if incident.state is not IncidentState.RESOLVED:
        return Handled(subject=incident)
    if incident.merged_into is not None:
        into = short_id("I", incident.merged_into)
        raise ConflictError(
            f"{name_of(incident)} was merged into {into} at "
            f"{when(incident.resolved_at, zone)}: work on {into}"
        )
    again = replace(
        incident,
        state=IncidentState.OPEN,
        assignee=None,
        acknowledged_at=None,
        acknowledged_by=None,
        resolved_at=None,
        resolved_by=None,
        notify_at=again_at if incident.notified_at is not None else None,
        kept_by=actor,
        updated_at=now,
        touched=incident.touched + 1,
        version=incident.version + 1,
    )
    return _handled_incident(again, "reopened", NotificationKind.REOPENED, actor)


def _handled_incident(
    incident: Incident, verb: str, announce: NotificationKind, actor: str
) -> Handled[Incident]:
    data = {"state": str(incident.state), "assignee": incident.assignee}
    event = Event(
        target=name_of(incident),
        at=incident.updated_at,
        kind=f"incident.{verb}",
        actor=actor,
        data={**data, "incident": name_of(incident), "severity": str(incident.severity)},
    )
    # who never heard of the incident is not told what became of it
    heard = announce if incident.notified_at is not None else None
    return Handled(subject=incident, event=event, announce=heard)


def _check_not_resolved(incident: Incident, zone: tzinfo) -> None:
    if incident.state is IncidentState.RESOLVED:
        raise ConflictError(
            f"{name_of(incident)} was resolved by {incident.resolved_by} at "
            f"{when(incident.resolved_at, zone)}: it is not reopened by that; reopen it first, or "
            "wait: a new alert opens a new incident"
        )


def check_name(name: str) -> None:
    """InputError for a name of nobody: empty, or too long."""
    if not name.strip() or len(name) > MAX_NAME:
        raise InputError(f"nobody to assign to: write a name of 1 to {MAX_NAME} characters")


def name_of(subject: Incident | QueueItem) -> str:
    """Return `I12` or `Q345`."""
    return short_id("I" if isinstance(subject, Incident) else "Q", subject.id)


def when(at: datetime | None, zone: tzinfo) -> str:
    """Return a moment as a message of the command line says it."""
    return "an unknown time" if at is None else at.astimezone(zone).isoformat(timespec="minutes")
