"""The incidents of one dispatch step while they change: opened, joined, told, muted, resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from veille.alerts.announcing import PINGS, announce, strongest, title
from veille.alerts.digest import Digest, digests, gathered
from veille.alerts.events import alert_event, incident_event, mute_event
from veille.alerts.hearing import Ear, listen, over_budget, owed
from veille.alerts.muting import Muting, Scene, why_muted
from veille.alerts.news import news, tell, told_elsewhere
from veille.alerts.operational import is_told_once
from veille.alerts.settings import RouteSettings
from veille.domain.alert import Alert, AlertState, Severity, Transition
from veille.domain.ids import fingerprint
from veille.domain.incident import Event, Incident, IncidentState
from veille.domain.notification import NotificationKind, OutboxRow
from veille.domain.silence import Mute, MuteKind, Silence


class Desk:
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
        silences: Sequence[Silence],
        muting: Muting,
        spent: int,
        now: datetime,
    ) -> None:
        self._alerts = alerts
        self._before = {incident.id: incident for incident in incidents}
        self._spent = spent
        self._is_graver = False
        self._scene = Scene(
            silences=silences,
            sources=[a for _, a in sorted(alerts.items()) if a.state is AlertState.FIRING],
            holder=self._holder,
            muting=muting,
            now=now,
        )
        self._next_id = next_id
        self._route = route
        self._wait = group_wait
        self._matters = matters
        self.incidents = dict(self._before)
        self.events: list[Event] = []
        self.rows: list[OutboxRow] = []
        self.evidence: dict[int, tuple[str, ...]] = {}
        self.digests: list[Digest] = []

    def take(self, transition: Transition) -> None:
        """Put one transition on its incident, opening it if need be."""
        alert = transition.alert
        labels = group_labels(alert, self._route.group_by)
        key = fingerprint("incident", labels)
        incident = None if alert.shadow else self._holder(alert.fingerprint) or self._of_key(key)
        if alert.shadow or alert.state is not AlertState.FIRING:
            self.events.append(alert_event(transition, incident))
            return
        is_new = incident is None
        if incident is None:
            incident = self._open(alert, key, labels, transition.at)
        self.events.append(alert_event(transition, incident))
        if is_new:
            self.events.append(incident_event("opened", incident, alert, transition.at))
        elif (
            alert.fingerprint not in incident.alerts
            or incident.quiet_since is not None
            or _raises(alert, incident)
        ):
            self._join(incident, alert, transition.at)

    def settle(self, number: int, now: datetime) -> None:
        """Resolve the incident, or say what is due of it to those who may hear."""
        incident = self.incidents[number]
        if incident.state is IncidentState.RESOLVED:
            return  # it only waits for the digest
        known = [self._alerts[mark] for mark in incident.alerts if mark in self._alerts]
        self.evidence |= _evidence_of(number, known)
        firing = [alert for alert in known if alert.state is AlertState.FIRING]
        if not firing:
            self._rest(incident, known, now)
            return
        if _is_known_unheard(incident):
            incident = tell(self._next_version(incident), firing, self._matters)
        ear = listen(incident, firing, self._route, self._scene)
        if dict(incident.hushed) != ear.hushed:
            incident = replace(self._next_version(incident), hushed=ear.hushed)
        if known_now := told_elsewhere(incident, firing, self._matters, self._at_work()):
            incident = replace(self._next_version(incident), told_matters=known_now)
        if ear.top is not None:
            incident = self._expect(incident, ear, ear.top, now)
        mute = self._why_held(incident, ear, now)
        was = incident.muted
        incident = self._muted(incident, mute, now)
        if mute is None and incident.notified_at and was and was.kind is MuteKind.SILENCE:
            incident = replace(incident, notify_at=now)  # its messages say that it is silent
        self.incidents[number] = incident
        if ear.top is None or mute is not None:
            return
        if incident.notify_at is not None and incident.notify_at <= now:
            self._notify(incident, ear, ear.top, now)
        self._settle_debts(number, ear, now)

    def gather(self, now: datetime) -> None:
        """Tell what the budget held back, once its shift is over or something graver came."""
        held = gathered(self.incidents.values(), now, is_graver=self._is_graver)
        found = digests(held, self._alerts, self._route, muting=self._scene.muting, now=now)
        for incident in held:
            if not any(incident.id in digest.incidents for digest in found):
                continue
            firing = [a for a in self._firing(incident) if a.fingerprint not in incident.hushed]
            is_open = not is_told_once(firing) and incident.state is IncidentState.OPEN
            again_at = now + self._route.repeat_after(incident.repeats) if is_open else None
            told = tell(self._next_version(incident), firing, self._matters)
            told = replace(told, has_news=False, notify_at=again_at)
            self.incidents[incident.id] = self._muted(told, None, now)
        self.digests += found
        self.rows += [digest.row(now) for digest in found]

    def changed(self, now: datetime) -> list[Incident]:
        """Return the incidents that differ from before, by id."""
        return [
            replace(incident, updated_at=now)
            for number, incident in sorted(self.incidents.items())
            if incident != self._before.get(number)
        ]

    def _holder(self, mark: str) -> Incident | None:
        return next((i for i in self._at_work() if mark in i.alerts), None)

    def _of_key(self, key: str) -> Incident | None:
        return next((i for i in self._at_work() if i.key == key or key in i.also), None)

    def _at_work(self) -> list[Incident]:
        return [i for i in self.incidents.values() if i.state is not IncidentState.RESOLVED]

    def _firing(self, incident: Incident) -> list[Alert]:
        known = (self._alerts[mark] for mark in incident.alerts if mark in self._alerts)
        return [alert for alert in known if alert.state is AlertState.FIRING]

    def _why_held(self, incident: Incident, ear: Ear, now: datetime) -> Mute | None:
        """Return why nobody may be told at `now`: its alerts, all receivers, or the budget."""
        if ear.why is not None:
            return ear.why
        held = incident.muted
        if incident.severity is Severity.CRITICAL or incident.notify_at is None:
            return None
        if held is not None and held.kind is MuteKind.BUDGET:
            return held  # until the digest, even if another shift has begun
        if incident.notify_at > now or self._kind(incident, now) not in PINGS:
            return None
        return over_budget(self._route, self._spent, self._scene)

    def _muted(self, incident: Incident, mute: Mute | None, now: datetime) -> Incident:
        """Return the incident with this mute; a change of it stands on the timeline."""
        if incident.muted == mute:
            return incident
        changed = replace(self._next_version(incident), muted=mute)
        self.events.append(mute_event(changed, now))
        return changed

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
            quiet_since=None,
            # one that comes back is told like one that joins
            told={m: 0 if m == alert.fingerprint else v for m, v in incident.told.items()},
        )
        if why_muted(incident, alert, self._scene) is None:
            due = _earlier(incident.notify_at, due)
            joined = replace(joined, has_news=True, notify_at=due)
        self.incidents[incident.id] = joined
        self.events.append(incident_event("updated", joined, alert, at))

    def _expect(self, incident: Incident, ear: Ear, top: Alert, now: datetime) -> Incident:
        """Return the incident with a notification to come if there is more than was told."""
        told_at = incident.notified_at
        has_more = bool(news(incident, ear.heard, self._matters, ear.hushed))
        if not has_more and (told_at is None or top.value <= incident.notified_value):
            return incident
        due = now if told_at is None else max(now, told_at + self._route.interval)
        due = _earlier(incident.notify_at, due)
        has_news = incident.has_news or has_more
        if (due, has_news) == (incident.notify_at, incident.has_news):
            return incident
        return replace(self._next_version(incident), notify_at=due, has_news=has_news)

    def _notify(self, incident: Incident, ear: Ear, top: Alert, now: datetime) -> None:
        is_open = not is_told_once(ear.heard) and incident.state is IncidentState.OPEN
        is_asking = _is_asking(incident)
        kind = self._kind(incident, now)
        repeats = incident.repeats + (kind is NotificationKind.REPEATED)
        said = replace(
            self._next_version(incident),
            title=incident.title if _is_milder(top, incident) else title(top),
            notified_at=now,
            notified_value=max(incident.notified_value, top.value),
            has_news=False,
            notify_at=now + self._route.repeat_after(repeats) if is_open and is_asking else None,
            repeats=repeats,
            owed=owed(incident, kind, ear),
        )
        if kind is not NotificationKind.REFRESHED or not is_asking:
            said = tell(said, ear.heard, self._matters)
        self.incidents[incident.id] = said
        if kind in PINGS:
            self._spent += 1
            is_graver = kind is NotificationKind.OPENED or _rose(said, self._before.get(said.id))
            self._is_graver |= is_graver and said.severity is Severity.CRITICAL
        found = news(incident, ear.heard, self._matters, ear.hushed)
        self.rows += announce(
            said,
            kind,
            alerts=ear.heard,
            route=self._route,
            now=now,
            speaker=found.speaker(ear.heard) or top,
            quoted=(*found.keys, *found.latest(incident)),
            to=[name for name in ear.open if name not in incident.owed],
        )

    def _settle_debts(self, number: int, ear: Ear, now: datetime) -> None:
        """Tell those whose quiet hours are over what they did not hear."""
        incident = self.incidents[number]
        due = {name: kind for name, kind in incident.owed.items() if name in ear.open}
        if not due or incident.notified_at is None:
            return
        left = {name: kind for name, kind in incident.owed.items() if name not in due}
        incident = replace(self._next_version(incident), owed=left)
        self.incidents[number] = incident
        for kind in sorted(set(due.values())):
            self.rows += announce(
                incident,
                NotificationKind(kind),
                alerts=ear.heard,
                route=self._route,
                now=now,
                speaker=ear.top,
                to=[name for name, owed in due.items() if owed == kind],
            )

    def _rest(self, incident: Incident, known: Sequence[Alert], now: datetime) -> None:
        """Resolve what no alert holds up any more, once it was quiet for long enough.

        One that was due before it ended is told all the same, opening and end: a dispatch that
        comes late must not swallow a critical alert. Who never heard of it hears nothing of its
        end, and it does not linger.
        """
        ended_at = max((a.resolved_at for a in known if a.resolved_at is not None), default=now)
        if incident.notified_at is None and incident.notify_at is not None:
            incident = self._tell_late(incident, known, ended_at, now)
        incident = self.incidents[incident.id]
        quiet_since = incident.quiet_since or ended_at
        is_over = incident.notified_at is None or now - quiet_since >= self._route.lingering
        if is_over and incident.kept_by is None:
            self._resolve(incident, known, now)
            return
        if incident.quiet_since is None:
            incident = replace(
                self._next_version(incident), quiet_since=quiet_since, notify_at=None, hushed={}
            )
        self.incidents[incident.id] = self._muted(incident, _lasting(incident.muted, now), now)

    def _tell_late(
        self, incident: Incident, known: Sequence[Alert], ended_at: datetime, now: datetime
    ) -> Incident:
        scene = replace(self._scene, now=ended_at)
        ear = listen(incident, known, self._route, scene)
        if ear.top is not None and incident.notify_at is not None and incident.notify_at < ended_at:
            mute = self._why_held(incident, ear, now)
            self.incidents[incident.id] = self._muted(incident, mute, now)
            if mute is None:
                self._notify(self.incidents[incident.id], ear, ear.top, now)
        return self.incidents[incident.id]

    def _resolve(self, incident: Incident, known: Sequence[Alert], now: datetime) -> None:
        """Close the incident, and say so to who heard of it; the digest still names the others."""
        held = incident.muted is not None and incident.muted.kind is MuteKind.BUDGET
        closed = replace(
            self._next_version(incident),
            state=IncidentState.RESOLVED,
            resolved_at=now,
            resolved_by="veille",
            notify_at=incident.notify_at if held else None,
        )
        self.incidents[incident.id] = closed
        latest = max((alert.resolved_at for alert in known if alert.resolved_at), default=None)
        last = [alert for alert in known if alert.resolved_at == latest]
        self.events.append(incident_event("resolved", closed, strongest(last), now))
        if closed.notified_at is not None:
            self.rows += announce(
                closed, NotificationKind.RESOLVED, alerts=known, route=self._route, now=now
            )

    def _kind(self, incident: Incident, now: datetime) -> NotificationKind:
        if incident.notified_at is None:
            return NotificationKind.OPENED
        if not _is_asking(incident):
            return NotificationKind.REFRESHED
        is_old = now - incident.notified_at >= self._route.repeat_after(incident.repeats)
        is_again = is_old and not is_told_once(self._firing(incident))
        if incident.state is IncidentState.OPEN and is_again:
            return NotificationKind.REPEATED
        return NotificationKind.UPDATED if incident.has_news else NotificationKind.REFRESHED

    def _next_version(self, incident: Incident) -> Incident:
        """Return the incident one version up from what is stored, however often it changes here."""
        before = self._before.get(incident.id)
        return incident if before is None else replace(incident, version=before.version + 1)


def _is_milder(alert: Alert, incident: Incident) -> bool:
    """Whether what fires now is less grave than what the incident is called after."""
    return alert.severity.rank < incident.severity.rank


def _raises(alert: Alert, incident: Incident) -> bool:
    return alert.severity.rank > incident.severity.rank


def _is_asking(incident: Incident) -> bool:
    """Whether something is asked of people: an info is read when there is time, and told once."""
    return incident.severity is not Severity.INFO


def _earlier(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(one, other)


def _is_known_unheard(incident: Incident) -> bool:
    """Whether somebody took it before it was told: it is told when there is more than they saw."""
    is_taken = incident.state is IncidentState.ACKNOWLEDGED and incident.notify_at is None
    return is_taken and incident.notified_at is None and not incident.told


def _lasting(mute: Mute | None, now: datetime) -> Mute | None:
    """Return what still mutes an incident that rests: a digest names it, a silence goes on."""
    if mute is None or mute.kind is MuteKind.BUDGET:
        return mute
    return mute if mute.until is not None and now < mute.until else None


def _rose(after: Incident, before: Incident | None) -> bool:
    return before is not None and after.severity.rank > before.severity.rank


def _evidence_of(number: int, alerts: Sequence[Alert]) -> dict[int, tuple[str, ...]]:
    keys = tuple(dict.fromkeys(key for alert in alerts for key in alert.evidence))
    return {number: keys} if keys else {}


def group_labels(alert: Alert, group_by: Sequence[str]) -> dict[str, str]:
    """Return the labels that name the alert's incident; `topic` falls back to the rule's id."""
    labels = {"topic": alert.rule, **alert.labels}
    return {name: labels[name] for name in group_by if name in labels}
