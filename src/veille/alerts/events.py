"""Timeline events of alerts and incidents, and how they read in a transition log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from veille.domain.alert import Alert, Transition
from veille.domain.ids import short_id
from veille.domain.incident import Event, Incident

Data = Mapping[str, str | int | float | list[str] | None]


def alert_event(transition: Transition, incident: Incident | None) -> Event:
    """Return `alert.pending`, `alert.firing` or `alert.resolved` on the incident's timeline.

    An alert that belongs to no incident has its own fingerprint as target.
    """
    alert = transition.alert
    return Event(
        target=alert.fingerprint if incident is None else short_id("I", incident.id),
        at=transition.at,
        kind=f"alert.{alert.state}",
        text=transition.reason or "",
        data=_data(alert, alert.severity, incident),
    )


def incident_event(verb: str, incident: Incident, alert: Alert | None, at: datetime) -> Event:
    """Return `incident.<verb>` by veille, with the numbers of the incident's strongest alert."""
    data = _data(alert, incident.severity, incident)
    return Event(target=short_id("I", incident.id), at=at, kind=f"incident.{verb}", data=data)


def mute_event(incident: Incident, at: datetime) -> Event:
    """Return `incident.muted` with what mutes it and until when, or `incident.unmuted`."""
    mute = incident.muted
    data: dict[str, str | int | float | list[str] | None] = {
        "incident": short_id("I", incident.id),
        "severity": str(incident.severity),
    }
    if mute is not None:
        until = None if mute.until is None else mute.until.astimezone(UTC).isoformat()
        data |= {"mute": str(mute.kind), "by": mute.by, "until": until}
    verb = "unmuted" if mute is None else "muted"
    return Event(target=short_id("I", incident.id), at=at, kind=f"incident.{verb}", data=data)


def log_entry(event: Event) -> dict[str, object]:
    """Return an alert or incident event as `replay --json` prints it; keys are always the same.

    `group` is an object, `alert` a fingerprint, `incident` a short id or null, `evidence` mention
    keys, oldest first; `reason` is null unless a rule was removed or changed.
    """
    data = event.data
    group = data.get("group")
    pairs = [text.split("=", 1) for text in group] if isinstance(group, list) else []
    is_alert = event.kind.startswith("alert.")
    return {
        "at": event.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "type": event.kind,
        "rule": data.get("rule"),
        "severity": data.get("severity"),
        "group": dict(pairs),
        "alert": data.get("alert"),
        "incident": data.get("incident"),
        "evidence": data.get("evidence", []),
        "value": data.get("value"),
        "threshold": data.get("threshold"),
        "reason": (event.text or None) if is_alert else None,
    }


def _data(alert: Alert | None, severity: str, incident: Incident | None) -> Data:
    of_incident = None if incident is None else short_id("I", incident.id)
    if alert is None:
        return {"severity": str(severity), "incident": of_incident}
    return {
        "rule": alert.rule,
        "severity": str(severity),
        "group": [f"{name}={value}" for name, value in sorted(alert.group.items())],
        "alert": alert.fingerprint,
        "incident": of_incident,
        "evidence": list(alert.evidence),
        "value": alert.value,
        "threshold": alert.threshold,
    }
