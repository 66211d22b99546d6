"""Merging incidents and splitting one, and putting one back as it was: pure changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from veille.alerts.announcing import strongest, title
from veille.alerts.handling import name_of
from veille.domain.alert import Alert, AlertState, Severity
from veille.domain.errors import ConflictError, InputError
from veille.domain.ids import fingerprint, short_id
from veille.domain.incident import Event, Incident, IncidentState

Data = dict[str, str | int | float | list[str] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Both incidents after a merge, with a line for the timeline of each."""

    into: Incident
    merged: Incident
    events: tuple[Event, Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """An incident without what was split off, and the new one that has it."""

    rest: Incident
    off: Incident
    events: tuple[Event, Event]


def merge(merged: Incident, into: Incident, *, actor: str, now: datetime) -> Merged:
    """Return `into` with the alerts and keys of `merged`, and that one closed.

    What was told of either stays told. ConflictError when one is resolved, InputError for itself.
    """
    if merged.id == into.id:
        raise InputError(f"{name_of(into)} is merged into another incident, not into itself")
    for one in (merged, into):
        if one.state is IncidentState.RESOLVED:
            raise ConflictError(f"{name_of(one)} is resolved: reopen it before you merge it")
    is_graver = merged.severity.rank > into.severity.rank
    both = replace(
        into,
        alerts=_joined(into.alerts, merged.alerts),
        also=_joined(into.also, (merged.key, *merged.also)),
        severity=merged.severity if is_graver else into.severity,
        title=merged.title if is_graver else into.title,
        told={**merged.told, **into.told},
        told_matters=tuple(sorted({*into.told_matters, *merged.told_matters})),
        quiet_since=_later(into.quiet_since, merged.quiet_since),
        kept_by=into.kept_by or merged.kept_by,
        updated_at=now,
        touched=into.touched + 1,
        version=into.version + 1,
    )
    closed = replace(
        merged,
        state=IncidentState.RESOLVED,
        resolved_at=now,
        resolved_by=actor,
        merged_into=into.id,
        notify_at=None,
        also=(),
        updated_at=now,
        touched=merged.touched + 1,
        version=merged.version + 1,
    )
    events = (
        _event(both, "joined", actor, {"from": name_of(closed)}),
        _event(closed, "merged", actor, {"into": name_of(both)}),
    )
    return Merged(into=both, merged=closed, events=events)


def split(
    incident: Incident,
    *,
    off: Sequence[str],
    alerts: Mapping[str, Alert],
    number: int,
    actor: str,
    now: datetime,
) -> Split:
    """Return the incident without the alerts `off` (fingerprints), and a new one that has them.

    Where none of them fires (or only mentions are moved) nobody is told: the new one is `actor`'s,
    who is there, and veille does not resolve it, since nothing fires that could end.
    ConflictError when it is resolved, InputError when it has no such alert, or would keep none.
    """
    if incident.state is IncidentState.RESOLVED:
        raise ConflictError(f"{name_of(incident)} is resolved: reopen it before you split it")
    chosen = tuple(dict.fromkeys(off))
    left = tuple(mark for mark in incident.alerts if mark not in chosen)
    if unknown := [mark for mark in chosen if mark not in incident.alerts]:
        raise InputError(f"{name_of(incident)} has no alert {unknown[0]}")
    if chosen and not left:
        raise InputError(f"{name_of(incident)} keeps at least one of its alerts")
    taken = [alerts[mark] for mark in chosen if mark in alerts]
    top = strongest(taken)
    is_firing = any(alert.state is AlertState.FIRING for alert in taken)
    new = Incident(
        id=number,
        key=fingerprint("split", {"of": name_of(incident), "number": str(number)}),
        labels=incident.labels,
        state=IncidentState.OPEN if is_firing else IncidentState.ACKNOWLEDGED,
        severity=incident.severity if top is None else top.severity,
        title=incident.title if top is None else title(top),
        opened_at=now,
        updated_at=now,
        alerts=chosen,
        notify_at=now if is_firing else None,
        kept_by=None if is_firing else actor,
        assignee=None if is_firing else actor,
        acknowledged_at=None if is_firing else now,
        acknowledged_by=None if is_firing else actor,
        touched=1,
    )
    rest = replace(
        incident,
        alerts=left,
        told={mark: value for mark, value in incident.told.items() if mark not in chosen},
        updated_at=now,
        touched=incident.touched + 1,
        version=incident.version + 1,
    )
    if chosen:
        rest = _measured(rest, [alerts[mark] for mark in left if mark in alerts])
    events = (
        _event(rest, "split", actor, {"off": short_id("I", number), "alerts": len(chosen)}),
        _event(new, "splitoff", actor, {"from": name_of(incident), "alerts": len(chosen)}),
    )
    return Split(rest=rest, off=new, events=events)


def restored(
    current: Incident, before: Incident, *, alerts: Mapping[str, Alert], others: Collection[str]
) -> Incident:
    """Return the incident with all that people decide as it was `before`, one version up.

    What veille did meanwhile stays: what it told, alerts that joined. `others` are alerts that the
    action took from other incidents: they go back there. `alerts` holds those of both by
    fingerprint; one that is graver than `before` leaves the incident as grave.
    """
    own = set(before.alerts)
    joined = [mark for mark in current.alerts if mark not in own and mark not in others]
    marks = (*before.alerts, *joined)
    is_changed = set(marks) != set(current.alerts)
    firing = [a for m in marks if (a := alerts.get(m)) and a.state is AlertState.FIRING]
    severity = max((before.severity, *(a.severity for a in firing)), key=lambda s: s.rank)
    is_at_work = before.state is not IncidentState.RESOLVED
    return replace(
        current,
        alerts=marks,
        also=before.also,
        severity=severity if is_changed else current.severity,
        title=before.title if is_changed and severity is before.severity else current.title,
        told=_told(current, before, marks) if is_changed else current.told,
        told_matters=before.told_matters if is_changed else current.told_matters,
        state=before.state,
        assignee=before.assignee,
        acknowledged_at=before.acknowledged_at,
        acknowledged_by=before.acknowledged_by,
        resolved_at=before.resolved_at,
        resolved_by=before.resolved_by,
        merged_into=before.merged_into,
        kept_by=before.kept_by,
        notify_at=_earlier(current.notify_at, before.notify_at) if is_at_work else before.notify_at,
        touched=current.touched + 1,
        version=current.version + 1,
    )


def rejoined(off: Incident, into: int, *, actor: str, now: datetime) -> Incident:
    """Return an incident that was split off, closed: its alerts are back where they were."""
    return replace(
        off,
        state=IncidentState.RESOLVED,
        resolved_at=now,
        resolved_by=actor,
        merged_into=into,
        notify_at=None,
        updated_at=now,
        touched=off.touched + 1,
        version=off.version + 1,
    )


def _told(current: Incident, before: Incident, marks: Iterable[str]) -> dict[str, int]:
    both = {**before.told, **current.told}
    return {mark: both[mark] for mark in marks if mark in both}


def _measured(incident: Incident, left: Sequence[Alert]) -> Incident:
    """Return it as grave as the alerts that are left; with none known it stays as it was."""
    top = strongest(left)
    if top is None or top.severity is incident.severity:
        return incident
    severity = max((a.severity for a in left), key=_rank)
    return replace(incident, severity=severity, title=title(top))


def _rank(severity: Severity) -> int:
    return severity.rank


def _joined(one: Sequence[str], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _event(incident: Incident, verb: str, actor: str, data: Data) -> Event:
    said: Data = {"incident": name_of(incident), "severity": str(incident.severity)}
    return Event(
        target=name_of(incident),
        at=incident.updated_at,
        kind=f"incident.{verb}",
        actor=actor,
        data=said | data,
    )
