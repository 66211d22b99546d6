"""Grouping: alerts that belong together are one incident, announced when it helps and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from veille.alerts.announcing import announce, strongest, title
from veille.alerts.events import alert_event, incident_event
from veille.alerts.news import news, tell
from veille.alerts.settings import RouteSettings
from veille.domain.alert import Alert, AlertState, Severity, Transition
from veille.domain.ids import fingerprint
from veille.domain.incident import Event, Incident, IncidentState
from veille.domain.notification import NotificationKind, OutboxRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one dispatch step writes, together.

    `incidents` are new (version 1) or changed (one version up). `evidence` holds mention keys by
    incident id; a key may be given again at a later step.
    """

    incidents: tuple[Incident, ...] = ()
    events: tuple[Event, ...] = ()
    rows: tuple[OutboxRow, ...] = ()
    evidence: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def plan(
    *,
    transitions: Sequence[Transition],
    alerts: Mapping[str, Alert],
    incidents: Sequence[Incident],
    next_id: int,
    route: RouteSettings,
    group_wait: Mapping[Severity, timedelta],
    now: datetime,
    matters: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """Return what follows from `transitions` and from the time `now`.

    `alerts` holds the live ones and those of the transitions, by fingerprint; `incidents` all that
    are not resolved; `matters` the danger or topic of urgent mentions by key.
    The same arguments give the same plan.
    """
    desk = _Desk(alerts, incidents, next_id, route, group_wait, matters=matters)
    for transition in transitions:
        desk.take(transition)
    for number in sorted(desk.incidents):
        desk.settle(number, now)
    return Plan(
        incidents=tuple(desk.changed(now)),
        events=tuple(desk.events),
        rows=tuple(desk.rows),
        evidence=desk.evidence,
    )


def group_labels(alert: Alert, group_by: Sequence[str]) -> dict[str, str]:
    """Return the labels that name the alert's incident; `topic` falls back to the rule's id."""
    labels = {"topic": alert.rule, **alert.labels}
    return {name: labels[name] for name in group_by if name in labels}


class _Desk:
    """The incidents of one step while they change."""

    def __init__(
        self,
        alerts: Mapping[str, Alert],
        incidents: Sequence[Incident],
        next_id: int,
        route: RouteSettings,
        group_wait: Mapping[Severity, timedelta],
        *,
        matters: Mapping[str, str],
    ) -> None:
        self._alerts = alerts
        self._before = {incident.id: incident for incident in incidents}
        self._next_id = next_id
        self._route = route
        self._wait = group_wait
        self._matters = matters
        self.incidents = dict(self._before)
        self.events: list[Event] = []
        self.rows: list[OutboxRow] = []
        self.evidence: dict[int, tuple[str, ...]] = {}

    def take(self, transition: Transition) -> None:
        """Put one transition on its incident, opening it if need be."""
        alert = transition.alert
        labels = group_labels(alert, self._route.group_by)
        key = fingerprint("incident", labels)
        incident = self._holder(alert.fingerprint) or self._of_key(key)
        if alert.state is not AlertState.FIRING:
            self.events.append(alert_event(transition, incident))
            return
        is_new = incident is None
        if incident is None:
            incident = self._open(alert, key, labels, transition.at)
        self.events.append(alert_event(transition, incident))
        if is_new:
            self.events.append(incident_event("opened", incident, alert, transition.at))
        elif alert.fingerprint not in incident.alerts or _raises(alert, incident):
            self._join(incident, alert, transition.at)

    def settle(self, number: int, now: datetime) -> None:
        """Resolve the incident or say what is due of it."""
        incident = self.incidents[number]
        known = [self._alerts[mark] for mark in incident.alerts if mark in self._alerts]
        self.evidence |= _evidence_of(number, known)
        firing = [alert for alert in known if alert.state is AlertState.FIRING]
        top = strongest(firing)
        if top is None:
            self._resolve(incident, known, now)
            return
        incident = self._expect(incident, firing, top, now)
        self.incidents[number] = incident
        if incident.notify_at is not None and incident.notify_at <= now:
            self._notify(incident, firing, top, now)

    def changed(self, now: datetime) -> list[Incident]:
        """Return the incidents that differ from before, by id."""
        return [
            replace(incident, updated_at=now)
            for number, incident in sorted(self.incidents.items())
            if incident != self._before.get(number)
        ]

    def _holder(self, mark: str) -> Incident | None:
        return next((i for i in self.incidents.values() if mark in i.alerts), None)

    def _of_key(self, key: str) -> Incident | None:
        return next((i for i in self.incidents.values() if i.key == key), None)

    def _open(self, alert: Alert, key: str, labels: Mapping[str, str], at: datetime) -> Incident:
        incident = Incident(
            id=self._next_id,
            key=key,
            labels=labels,
            state=IncidentState.OPEN,
            severity=alert.severity,
            title=title(alert),
            opened_at=at,
            updated_at=at,
            alerts=(alert.fingerprint,),
            notify_at=at + self._patience(alert),
        )
        self._next_id += 1
        self.incidents[incident.id] = incident
        return incident

    def _patience(self, alert: Alert) -> timedelta:
        return self._wait[alert.severity] if alert.group_wait is None else alert.group_wait

    def _join(self, incident: Incident, alert: Alert, at: datetime) -> None:
        """Add the alert; a graver one is said at once, another after the group's interval."""
        is_graver = _raises(alert, incident)
        severity = alert.severity if is_graver else incident.severity
        if incident.notified_at is None:
            due = incident.opened_at + self._patience(alert)
        elif is_graver:
            due = at
        else:
            due = max(at, incident.notified_at + self._route.interval)
        joined = replace(
            self._next_version(incident),
            alerts=tuple(dict.fromkeys((*incident.alerts, alert.fingerprint))),
            severity=severity,
            title=title(alert) if is_graver else incident.title,
            has_news=True,
            notify_at=_earlier(incident.notify_at, due),
        )
        self.incidents[incident.id] = joined
        self.events.append(incident_event("updated", joined, alert, at))

    def _expect(
        self, incident: Incident, firing: Sequence[Alert], top: Alert, now: datetime
    ) -> Incident:
        """Return the incident with a notification to come if there is more than was told."""
        if incident.notified_at is None:
            return incident
        has_more = bool(news(incident, firing, self._matters))
        if not has_more and top.value <= incident.notified_value:
            return incident
        due = _earlier(incident.notify_at, max(now, incident.notified_at + self._route.interval))
        has_news = incident.has_news or has_more
        if (due, has_news) == (incident.notify_at, incident.has_news):
            return incident
        return replace(self._next_version(incident), notify_at=due, has_news=has_news)

    def _notify(
        self, incident: Incident, firing: Sequence[Alert], top: Alert, now: datetime
    ) -> None:
        is_open = incident.state is IncidentState.OPEN
        said = replace(
            self._next_version(incident),
            title=title(top),
            notified_at=now,
            notified_value=max(incident.notified_value, top.value),
            has_news=False,
            notify_at=now + self._route.repeat if is_open else None,
        )
        kind = _kind(incident, self._route.repeat, now)
        if kind is not NotificationKind.REFRESHED:
            said = tell(said, firing, self._matters)
        self.incidents[incident.id] = said
        found = news(incident, firing, self._matters)
        self.rows += announce(
            said,
            kind,
            alerts=firing,
            route=self._route,
            now=now,
            speaker=found.speaker(firing),
            quoted=found.keys,
        )

    def _resolve(self, incident: Incident, known: Sequence[Alert], now: datetime) -> None:
        """Close the incident; who never heard of it does not hear of its end.

        One that was due before it ended is told all the same, opening and end: a dispatch that
        comes late must not swallow a critical alert.
        """
        ended_at = max((a.resolved_at for a in known if a.resolved_at is not None), default=now)
        if incident.notified_at is None and incident.notify_at is not None:
            top = strongest(known)
            if top is not None and incident.notify_at < ended_at:
                self._notify(incident, known, top, now)
                incident = self.incidents[incident.id]
        closed = replace(
            self._next_version(incident),
            state=IncidentState.RESOLVED,
            resolved_at=now,
            resolved_by="veille",
            notify_at=None,
        )
        self.incidents[incident.id] = closed
        latest = max((alert.resolved_at for alert in known if alert.resolved_at), default=None)
        last = [alert for alert in known if alert.resolved_at == latest]
        self.events.append(incident_event("resolved", closed, strongest(last), now))
        if closed.notified_at is not None:
            self.rows += announce(
                closed, NotificationKind.RESOLVED, alerts=known, route=self._route, now=now
            )

    def _next_version(self, incident: Incident) -> Incident:
        """Return the incident one version up from what is stored, however often it changes here."""
        before = self._before.get(incident.id)
        return incident if before is None else replace(incident, version=before.version + 1)


def _raises(alert: Alert, incident: Incident) -> bool:
    return alert.severity.rank > incident.severity.rank


def _earlier(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(one, other)


def _kind(incident: Incident, repeat: timedelta, now: datetime) -> NotificationKind:
    if incident.notified_at is None:
        return NotificationKind.OPENED
    is_old = now - incident.notified_at >= repeat
    if incident.state is IncidentState.OPEN and is_old:
        return NotificationKind.REPEATED
    return NotificationKind.UPDATED if incident.has_news else NotificationKind.REFRESHED


def _evidence_of(number: int, alerts: Sequence[Alert]) -> dict[int, tuple[str, ...]]:
    keys = tuple(dict.fromkeys(key for alert in alerts for key in alert.evidence))
    return {number: keys} if keys else {}
