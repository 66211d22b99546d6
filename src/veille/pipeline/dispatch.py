"""Dispatch: turn transitions into incidents, and incidents into notifications to send (T4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from veille.alerts.announcing import PINGS
from veille.alerts.grouping import Plan, plan
from veille.alerts.muting import Muting
from veille.alerts.settings import RouteSettings
from veille.alerts.waking import wakes_at
from veille.domain.alert import Alert, AlertState, Severity, Transition
from veille.domain.analysis import UrgencyLabel
from veille.domain.card import Hazard
from veille.domain.coordination import Coordination
from veille.domain.incident import Incident
from veille.domain.notification import Facts, NotificationKind, OutboxRow
from veille.domain.record import StoredMention
from veille.rules.coordination import MIN_ACCOUNTS, coordination
from veille.store import (
    alerts,
    baselines,
    echoes,
    incidents,
    mentions,
    observations,
    outbox,
    silences,
    timeline,
    verdicts,
    watermarks,
)
from veille.store.engine import Db
from veille.store.protocol import Store

BATCH = 500
WATERMARK = "dispatch"
COUNTED = (*PINGS, NotificationKind.DIGEST)
"""What a shift's budget counts."""
QUOTABLE = 200
"""How many of the newest mentions of an incident are looked at for a notification."""
WEIGHED = 2000
"""How many are weighed for signs of coordination: two storms such as scenario S4's."""
DANGERS = frozenset({*Hazard, "threat_to_staff", "water"})
"""Topics that name a danger where no card does: talk of roads or schools rings at nobody."""
LATEST = 2**62


class Dispatch:
    """The fourth stage: it remembers which evidence it wrote and read."""

    name = "dispatch"

    def __init__(
        self,
        store: Store,
        *,
        route: RouteSettings,
        group_wait: Mapping[Severity, timedelta],
        muting: Muting | None = None,
    ) -> None:
        self._store = store
        self._muting = muting or Muting()
        self._route = route
        self._group_wait = group_wait
        self._linked: Mapping[int, tuple[str, ...]] = {}
        self._matters: Mapping[str, str | None] = {}
        self.wakes_at: datetime | None = None
        """When time alone may have something told, of what was known at the last step."""

    async def step(self, now: datetime) -> bool:
        """Dispatch what waits at `now`; true when something was written."""
        return await self._store.write(lambda db: self._step(db, now))

    def _step(self, db: Db, now: datetime) -> bool:
        mark = watermarks.get(db, WATERMARK)
        transitions = alerts.transitions_after(db, mark, limit=BATCH)
        unresolved = incidents.unresolved(db)
        gathered = silences.gathered(db)
        live = {alert.fingerprint: alert for alert in alerts.live(db) if not alert.shadow}
        heard = [transition for transition in transitions if not transition.alert.shadow]
        said = {transition.alert.fingerprint for transition in heard}
        silent = {mark: alert for mark, alert in live.items() if mark not in said}
        reopened = _reopened(db, silent, unresolved, now)
        marks = [mark for incident in unresolved for mark in incident.alerts]
        # those that ended in a later batch of transitions too: they still hold their incident
        known_alerts = alerts.get(db, [mark for mark in marks if mark not in live])
        self._matters = _matters(db, live.values(), self._matters)
        lasting = silences.lasting(db, now)
        planned = plan(
            transitions=[*heard, *reopened],
            alerts=known_alerts | {t.alert.fingerprint: t.alert for t in heard} | live,
            incidents=[*unresolved, *gathered],
            next_id=incidents.next_id(db),
            route=self._route,
            group_wait=self._group_wait,
            now=now,
            matters={key: matter for key, matter in self._matters.items() if matter},
            silences=lasting,
            muting=self._muting,
            spent=self._spent(db, now),
        )
        before = {incident.id: incident for incident in (*unresolved, *gathered)}
        known = {number: incident.version for number, incident in before.items()}
        _commit(db, planned, known, self._linked)
        self._linked = planned.evidence
        if transitions:
            watermarks.set(db, WATERMARK, transitions[-1].seq)
        after = before | {incident.id: incident for incident in planned.incidents}
        self.wakes_at = wakes_at(
            after.values(), lasting, route=self._route, muting=self._muting, now=now
        )
        return bool(transitions or planned.rows or planned.incidents)

    def _spent(self, db: Db, now: datetime) -> int:
        budget = self._route.budget
        if budget is None:
            return 0
        return silences.spent(db, COUNTED, since=budget.shift(now, self._muting.zone)[0])


def _matters(
    db: Db, live: Iterable[Alert], known: Mapping[str, str | None]
) -> dict[str, str | None]:
    """Return what each mention of firing alerts is about; None of one that is not urgent."""
    firing = (alert for alert in live if alert.state is AlertState.FIRING)
    keys = dict.fromkeys(key for alert in firing for key in alert.evidence)
    fresh = mentions.stored(db, [key for key in keys if key not in known])
    return {key: known[key] if key in known else _matter(fresh.get(key)) for key in keys}


def _matter(mention: StoredMention | None) -> str | None:
    """Return the danger on an urgent mention's card, else a main topic that is one, else None."""
    found = None if mention is None else mention.analysis
    if found is None or found.urgency.label is not UrgencyLabel.URGENT:
        return None
    if found.card is not None and found.card.hazard is not None:
        return str(found.card.hazard.value)
    return next((topic.id for topic in found.topics[:1] if topic.id in DANGERS), None)


def _reopened(
    db: Db, silent: Mapping[str, Alert], unresolved: Sequence[Incident], now: datetime
) -> list[Transition]:
    """Say again, as firing, what still fires for mentions that came after a person resolved it.

    Without this, a second cry for help would join an alert that nobody looks at any more.
    """
    held = {mark for incident in unresolved for mark in incident.alerts}
    return [
        Transition(at=now, alert=alert)
        for mark, alert in sorted(silent.items())
        if alert.state is AlertState.FIRING
        and mark not in held
        and incidents.has_new_evidence(db, alert.evidence)
    ]


def _commit(
    db: Db, planned: Plan, known: Mapping[int, int], linked: Mapping[int, tuple[str, ...]]
) -> None:
    for incident in planned.incidents:
        incidents.save(db, incident, expected_version=known.get(incident.id))
    for number, keys in planned.evidence.items():
        if linked.get(number) != keys:
            incidents.add_evidence(db, number, keys)
    timeline.add(db, planned.events)
    for digest in planned.digests:
        silences.add_digest(db, digest.key, digest.receiver, digest.incidents)
    outbox.add(db, [complete(db, row) for row in planned.rows])


def complete(db: Db, row: OutboxRow) -> OutboxRow:
    """Return the row with how sure we are of what is new in it, or of all, and what is usual.

    That is the highest urgency, where a message is urgent.
    """
    return row if row.facts is None else replace(row, facts=_completed(db, row.facts))


def _completed(db: Db, facts: Facts) -> Facts:
    found = mentions.stored(db, facts.news or facts.evidence[-QUOTABLE:])
    scores = [
        m.analysis.urgency.score
        for m in found.values()
        if m.analysis and m.analysis.urgency.label is UrgencyLabel.URGENT
    ]
    usual = _usual(db, facts) if facts.baseline is None else facts.baseline.expected
    said = verdicts.of(db, facts.incident)
    return replace(
        facts,
        certainty=max(scores, default=None),
        usual=usual,
        verdict=said,
        coordination=_coordination(db, facts.incident),
        reach=echoes.reach(db, facts.incident),
    )


def _coordination(db: Db, incident: int) -> Coordination | None:
    keys = incidents.evidence(db, incident, WEIGHED)
    if len(keys) < MIN_ACCOUNTS:
        return None
    return coordination(observations.newest(db, keys, up_to=LATEST))


def _usual(db: Db, facts: Facts) -> float | None:
    incident = incidents.get(db, facts.incident)
    if incident is None:
        return None
    for alert in alerts.get(db, incident.alerts).values():
        if alert.rule == facts.rule:
            return baselines.usual(db, alert, before=facts.opened_at)
    return None
