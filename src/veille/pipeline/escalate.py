"""Escalate: what nobody took is told to the next relay of its policy (between T4 and T5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from veille.alerts.announcing import PINGS, announce, routing_labels, strongest
from veille.alerts.oncall_policy import Advance, Call, advance, begin, end
from veille.alerts.oncall_settings import EscalationSettings
from veille.alerts.settings import RouteSettings, escalation
from veille.domain.alert import Alert
from veille.domain.ids import short_id
from veille.domain.incident import Event, Incident, IncidentState
from veille.domain.notification import AT_ONCE, NotificationKind, OutboxRow, Relay
from veille.domain.oncall import Ended, Escalation
from veille.pipeline.dispatch import complete
from veille.pipeline.oncall import Roster
from veille.store import alerts, escalations, incidents, outbox, timeline
from veille.store.engine import Db
from veille.store.protocol import Store

_MAY_RETURN = (Ended.MUTED, Ended.REMOVED, Ended.QUIET)


class Escalate:
    """The stage of its own that keeps the timers: they stand in the store, none in memory."""

    name = "escalate"

    def __init__(
        self,
        store: Store,
        *,
        policies: Sequence[EscalationSettings],
        roster: Roster,
        route: RouteSettings,
    ) -> None:
        self._store = store
        self._policies = {policy.id: policy for policy in policies}
        self._roster = roster
        self._route = route
        self.wakes_at: datetime | None = None
        """When the next relay is due, of what was known at the last step."""

    async def step(self, now: datetime) -> bool:
        """Tell what is due at `now`; true when somebody was told."""
        await self._store.read(lambda db: self._roster.duty(db, now))  # parses outside of the write
        return await self._store.write(lambda db: self._step(db, now))

    def _step(self, db: Db, now: datetime) -> bool:
        self._stop(db, now)
        self._begin(db, now)
        told = False
        for found, incident in escalations.running(db):
            is_ahead = found.started_at > now  # the clock was set back
            if is_ahead or (found.due_at is not None and found.due_at <= now):
                told = self._advance(db, found, incident, now) or told
        dues = [found.due_at for found, _ in escalations.running(db)]
        self.wakes_at = min((at for at in dues if at is not None), default=None)
        return told

    def _stop(self, db: Db, now: datetime) -> None:
        """End what somebody took, what is over, and what nobody should hear of at the moment."""
        for found, incident in escalations.running(db):
            why = why_over(incident)
            if why is None and found.policy not in self._policies:
                why = Ended.REMOVED
            if why is not None:
                escalations.save(db, end(found, why, now))

    def _begin(self, db: Db, now: datetime) -> None:
        """Begin with what was told and has no escalation, or one of a lesser matter.

        What rests begins nothing again; nobody took it, and it is told anew if it comes back.
        """
        for incident in incidents.unresolved(db):
            if incident.notified_at is None or why_over(incident) is not None:
                continue
            found = escalations.get(db, incident.id)
            if found is not None and incident.quiet_since is not None:
                if found.ended is Ended.FINISHED:
                    escalations.save(db, end(found, Ended.QUIET, now))
                continue
            policy = self._policy(db, incident) if _begins(found, incident) else None
            if policy is not None:
                is_again = found is not None and found.ended in _MAY_RETURN
                at = now if is_again else incident.notified_at
                told = 0 if found is None else found.told
                begun = begin(incident.id, policy, incident.severity, at=at, now=now, told=told)
                escalations.save(db, begun)

    def _policy(self, db: Db, incident: Incident) -> EscalationSettings | None:
        top = strongest(alerts.get(db, incident.alerts).values())
        labels = routing_labels(incident, top)
        return self._policies.get(escalation(self._route, labels) or "")

    def _advance(self, db: Db, found: Escalation, incident: Incident, now: datetime) -> bool:
        policy = self._policies[found.policy]
        duty = self._roster.duty(db, now)
        done = advance(found, policy, staff=self._roster.staff, duty=duty, now=now)
        escalations.save(db, done.escalation)
        known = list(alerts.get(db, incident.alerts).values())
        heard = _just_heard(db, incident, now)
        rows = [
            row
            for call in done.calls
            for row in self._rows(incident, call, known, now)
            if row.receiver not in heard or not _is_same_news(call.relay)
        ]
        outbox.add(db, [complete(db, row) for row in rows])
        timeline.add(db, _events(incident, done, now))
        return bool(rows)

    def _rows(
        self, incident: Incident, call: Call, known: Sequence[Alert], now: datetime
    ) -> list[OutboxRow]:
        """Return a row for each receiver; where nobody was on call, for those of the route."""
        route = RouteSettings(receivers=call.receivers) if call.receivers else self._route
        rows = announce(incident, NotificationKind.ESCALATED, alerts=known, route=route, now=now)
        key = f"{short_id('I', incident.id)}-{NotificationKind.ESCALATED}-{call.number}"
        return [
            replace(row, key=key, facts=replace(row.facts, relay=call.relay))
            for row in rows
            if row.facts is not None
        ]


def why_over(incident: Incident) -> Ended | None:
    """Return why an incident is not escalated any more; None while nobody took it."""
    if incident.state is IncidentState.RESOLVED:
        return Ended.RESOLVED
    if incident.state is IncidentState.ACKNOWLEDGED:
        return Ended.ACKNOWLEDGED
    return None if incident.muted is None else Ended.MUTED


def _just_heard(db: Db, incident: Incident, now: datetime) -> set[str]:
    """Return who was told of it at this moment: the first relay need not hear the same again."""
    told_at = incident.notified_at
    if told_at is None or now - told_at >= AT_ONCE:
        return set()
    log = outbox.log(db, incident.id)
    return {entry.receiver for entry in log if entry.kind in PINGS and entry.due_at >= told_at}


def _is_same_news(relay: Relay) -> bool:
    """Whether it says nothing else than that: nobody is called by name, everybody was reached."""
    return relay.is_at_once and not relay.slack and not relay.nobody


def _begins(found: Escalation | None, incident: Incident) -> bool:
    """Whether people are called from the first step on: the first time, or again."""
    if found is None or found.ended in _MAY_RETURN:
        return True
    return incident.severity.rank > found.severity.rank  # who sleeps is woken for what is critical


def _events(incident: Incident, done: Advance, now: datetime) -> list[Event]:
    return [
        Event(
            target=short_id("I", incident.id),
            at=now,
            kind="incident.escalated",
            data={
                "step": call.relay.step,
                "steps": call.relay.steps,
                "round": call.relay.round,
                "people": list(call.relay.names),
                "receivers": list(call.receivers),
                "nobody": [str(step) for step in call.relay.nobody],
            },
        )
        for call in done.calls
    ]
