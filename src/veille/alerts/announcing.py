"""What receivers are told of an incident: facts, routed to receivers, as outbox rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from veille.alerts.settings import RouteSettings, receivers
from veille.domain.alert import Alert
from veille.domain.ids import short_id
from veille.domain.incident import Incident
from veille.domain.notification import Facts, NotificationKind, OutboxRow

FACTS_EVIDENCE = 200
"""Newest keys a notification carries; three of them are quoted."""


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
) -> tuple[OutboxRow, ...]:
    """Return one row per receiver, due now.

    `incident` stands as after the change: its version makes the idempotency key. `alerts` are its
    alerts; `certainty` is left to the caller.
    """
    facts = _facts(incident, alerts, now=now, actor=actor)
    key = f"{short_id('I', incident.id)}-{kind}-{incident.version}"
    labels = {**facts.labels, "rule": facts.rule, "severity": str(facts.severity)}
    return tuple(
        OutboxRow(key=key, receiver=name, incident=incident.id, kind=kind, facts=facts, due_at=now)
        for name in receivers(route, labels)
    )


def _facts(
    incident: Incident, alerts: Sequence[Alert], *, now: datetime, actor: str | None
) -> Facts:
    top = strongest(alerts)
    labels: Mapping[str, str] = {} if top is None else top.labels
    return Facts(
        incident=incident.id,
        title=incident.title,
        severity=incident.severity,
        state=incident.state,
        at=now,
        opened_at=incident.opened_at,
        rule="" if top is None else top.rule,
        value=incident.notified_value if top is None else top.value,
        threshold=1 if top is None else top.threshold,
        author_count=0 if top is None else top.author_count,
        window=None if top is None else top.window,
        labels={**labels, **incident.labels},
        annotations={} if top is None else top.annotations,
        evidence=_evidence(alerts, top),
        baseline=None if top is None else top.baseline,
        assignee=incident.assignee,
        actor=actor,
    )


def _evidence(alerts: Sequence[Alert], top: Alert | None) -> tuple[str, ...]:
    """Return the newest keys, the strongest alert's last: those are the ones quoted."""
    ordered = [alert for alert in alerts if alert is not top] + ([] if top is None else [top])
    newest_first = dict.fromkeys(key for a in reversed(ordered) for key in reversed(a.evidence))
    return tuple(reversed(list(newest_first)[:FACTS_EVIDENCE]))
