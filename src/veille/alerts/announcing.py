"""What receivers are told of an incident: facts, routed to receivers, as outbox rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from veille.alerts.settings import RouteSettings, receivers
from veille.domain.alert import Alert, Severity
from veille.domain.ids import short_id
from veille.domain.incident import Incident
from veille.domain.notification import Facts, NotificationKind, OutboxRow

FACTS_EVIDENCE = 200
"""Newest keys a notification carries; three of them are quoted."""
PINGS = (NotificationKind.OPENED, NotificationKind.UPDATED, NotificationKind.REPEATED)
"""What takes somebody's attention: that is what calendars keep back and a budget counts."""
_OF_NOW = (*PINGS, NotificationKind.REFRESHED)
"""What says how things stand: all else is about the incident as a whole."""
_TOLD_ANYHOW = (NotificationKind.OPENED, NotificationKind.ESCALATED)


def strongest(alerts: Iterable[Alert]) -> Alert | None:
    """Return the alert that speaks for the others; None of none.

    The highest severity, then the most labels (a rule that says more of the matter: `hazard:
    flood`), then the highest value.
    """
    return max(
        alerts,
        key=lambda a: (a.severity.rank, len(a.labels), a.value, a.fingerprint),
        default=None,
    )


def title(alert: Alert) -> str:
    """Return an incident's title: the summary of its strongest alert, else its rule's id."""
    return alert.annotations.get("summary") or alert.rule


def announce(
    incident: Incident,
    kind: NotificationKind,
    *,
    alerts: Sequence[Alert],
    route: RouteSettings,
    now: datetime,
    actor: str | None = None,
    speaker: Alert | None = None,
    quoted: Sequence[str] = (),
    to: Collection[str] | None = None,
) -> tuple[OutboxRow, ...]:
    """Return one row per receiver, due now; with `to` only for these of its receivers.

    A receiver that a calendar kept from hearing of the opening hears of nothing else, unless it is
    somebody's turn. What says how things stand is as grave as what fires now, all else as the
    incident was at its gravest.

    `incident` stands as after the change: its version makes the idempotency key. `alerts` are its
    alerts; `certainty` is left to the caller. The numbers are those of `speaker`, by default the
    strongest alert; the receivers are those of the strongest. `quoted` keys are the first quoted.
    """
    top = strongest(alerts)
    severity = top.severity if kind in _OF_NOW and top is not None else incident.severity
    told = _Told(alerts=alerts, speaker=speaker or top, quoted=quoted, severity=severity)
    facts = _facts(incident, told, now=now, actor=actor)
    key = f"{short_id('I', incident.id)}-{kind}-{incident.version}"
    names = receivers(route, routing_labels(incident, top, severity))
    return tuple(
        OutboxRow(key=key, receiver=name, incident=incident.id, kind=kind, facts=facts, due_at=now)
        for name in (names if to is None else filter(to.__contains__, names))
        if kind in _TOLD_ANYHOW or incident.owed.get(name) != NotificationKind.OPENED
    )


def routing_labels(
    incident: Incident, top: Alert | None, severity: Severity | None = None
) -> dict[str, str]:
    """Return what decides who is told: labels of the strongest alert and of the incident.

    `severity` is by default the incident's.
    """
    own = {} if top is None else {**top.labels, **incident.labels, "rule": top.rule}
    return {**incident.labels, "rule": "", **own, "severity": str(severity or incident.severity)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """Who speaks for the incident, and what is quoted."""

    alerts: Sequence[Alert]
    speaker: Alert | None
    quoted: Sequence[str]
    severity: Severity


def _facts(incident: Incident, told: _Told, *, now: datetime, actor: str | None) -> Facts:
    top = told.speaker
    labels: Mapping[str, str] = {} if top is None else top.labels
    return Facts(
        incident=incident.id,
        title=_headline(incident, told),
        severity=told.severity,
        state=incident.state,
        at=now,
        opened_at=incident.opened_at,
        rule="" if top is None else top.rule,
        value=incident.notified_value if top is None else top.value,
        threshold=1 if top is None else top.threshold,
        author_count=0 if top is None else top.author_count,
        mention_count=0 if top is None else top.mention_count,
        window=None if top is None else top.window,
        labels={**labels, **incident.labels},
        annotations={} if top is None else top.annotations,
        evidence=_evidence(told),
        news=tuple(told.quoted),
        baseline=None if top is None else top.baseline,
        conditions=() if top is None else top.conditions,
        assignee=incident.assignee,
        actor=actor,
        touched=incident.touched,
        muted_until=None if incident.muted is None else incident.muted.until,
        merged_into=incident.merged_into,
        is_counting=top is None or top.is_counting,
    )


def _headline(incident: Incident, told: _Told) -> str:
    """Return the speaker's title where nothing graver fires: « feu » is no « crue ».

    Of what is left of a crisis, the title of the strongest that is left.
    """
    speaker, top = told.speaker, strongest(told.alerts)
    if speaker is not None and speaker.severity is told.severity and told.quoted:
        return title(speaker)
    is_left = top is not None and top.severity is told.severity is not incident.severity
    return title(top) if is_left and top is not None else incident.title


def _evidence(told: _Told) -> tuple[str, ...]:
    """Return the newest keys, the speaker's last, then those to quote: the last ones are quoted."""
    ordered = [alert for alert in told.alerts if alert is not told.speaker]
    ordered += [] if told.speaker is None else [told.speaker]
    mentioned = (key for a in reversed(ordered) for key in reversed(a.evidence))
    newest_first = dict.fromkeys((*reversed(told.quoted), *mentioned))
    return tuple(reversed(list(newest_first)[:FACTS_EVIDENCE]))
