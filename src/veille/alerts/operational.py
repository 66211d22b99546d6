"""Alerts about veille itself: of no rule and no mention, they reach people the same way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from veille.domain.alert import Alert, AlertState, Severity, Transition
from veille.domain.ids import fingerprint

RULES_REFUSED = "veille.rules"
"""The folder of rules was refused. The dot tells it from rules: none can have this id."""
AUDIT_BROKEN = "veille.audit"
"""The audit trail does not hold together: a row was changed, removed or put in."""
UNANSWERED = "veille.clock"
"""A question or request is nearly due and nobody answered: one alert each."""


def is_operational(alert: Alert) -> bool:
    """Whether the alert is about veille itself: no rule ends it."""
    return alert.rule.startswith("veille.")


def is_told_once(alerts: Iterable[Alert]) -> bool:
    """Whether all of them are questions nearly due: warned of in hours, said again to nobody."""
    return all(alert.rule == UNANSWERED for alert in alerts)


def raised(
    alert: Alert | None, name: str, *, count: int, annotations: Mapping[str, str], now: datetime
) -> tuple[Alert, Transition | None]:
    """Return the alert of this name as it fires; a transition only when it did not before.

    `count` is how much is wrong, `annotations` what people read.
    """
    if alert is not None and alert.state is AlertState.FIRING:
        return replace(alert, value=count, annotations=annotations), None
    begun = Alert(
        fingerprint=fingerprint(name, {}),
        rule=name,
        rule_version="",
        severity=Severity.WARNING,
        group={},
        labels={},
        state=AlertState.FIRING,
        started_at=now,
        fired_at=now,
        value=count,
        annotations=annotations,
    )
    return begun, Transition(at=now, alert=begun)


def awaited(
    mention: str, *, annotations: Mapping[str, str], now: datetime
) -> tuple[Alert, Transition]:
    """Return the alert that this mention is to be answered soon, as it fires: a warning.

    What joins an incident of severity info is told to nobody: the second question would not be.
    """
    group = {"mention": mention}
    begun = Alert(
        fingerprint=fingerprint(UNANSWERED, group),
        rule=UNANSWERED,
        rule_version="",
        severity=Severity.WARNING,
        group=group,
        labels={},
        state=AlertState.FIRING,
        started_at=now,
        fired_at=now,
        value=1,
        mention_count=1,
        evidence=(mention,),
        annotations=annotations,
    )
    return begun, Transition(at=now, alert=begun)


def cleared(alert: Alert, now: datetime) -> tuple[Alert, Transition]:
    """Return the alert as it ends."""
    ended = replace(alert, state=AlertState.RESOLVED, cleared_at=now, resolved_at=now)
    return ended, Transition(at=now, alert=ended)
