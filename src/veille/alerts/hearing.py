"""Who may hear what of an incident now, and what the others are owed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from veille.alerts.announcing import PINGS, routing_labels, strongest
from veille.alerts.muting import Scene, quiet_receivers, why_muted
from veille.alerts.settings import RouteSettings
from veille.domain.alert import Alert
from veille.domain.incident import Incident
from veille.domain.notification import NotificationKind
from veille.domain.silence import Mute, MuteKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Ear:
    """What of an incident may be heard, and by whom.

    `heard` are the alerts that nobody silenced, `top` the strongest that nothing mutes, `hushed`
    what mutes each of the others. `names` are the receivers, each with the calendar that keeps it
    from hearing. `why` says why nobody hears anything.
    """

    heard: Sequence[Alert]
    hushed: Mapping[str, Mute]
    top: Alert | None
    names: Mapping[str, Mute | None]
    why: Mute | None

    @property
    def open(self) -> tuple[str, ...]:
        """The receivers that may hear now."""
        return tuple(name for name, mute in self.names.items() if mute is None)


def listen(incident: Incident, alerts: Sequence[Alert], route: RouteSettings, scene: Scene) -> Ear:
    """Return what may be heard of these alerts of the incident."""
    mutes = {alert.fingerprint: why_muted(incident, alert, scene) for alert in alerts}
    hushed = {mark: mute for mark, mute in mutes.items() if mute is not None}
    silent = {mark for mark, mute in hushed.items() if mute.kind is MuteKind.SILENCE}
    top = strongest(alert for alert in alerts if alert.fingerprint not in hushed)
    loudest = strongest(alerts)
    speaking = top or loudest
    labels = routing_labels(incident, speaking, None if speaking is None else speaking.severity)
    names = quiet_receivers(route, labels, muting=scene.muting, now=scene.now)
    why = None
    if top is None and loudest is not None:
        why = hushed[loudest.fingerprint]
    elif names and all(names.values()):
        why = next(iter(names.values()))
    return Ear(
        heard=[alert for alert in alerts if alert.fingerprint not in silent],
        hushed=hushed,
        top=top,
        names=names,
        why=why,
    )


def over_budget(route: RouteSettings, spent: int, scene: Scene) -> Mute | None:
    """Return why another notification would be one too many in this shift; None if it is not."""
    budget = route.budget
    if budget is None or spent < budget.notifications:
        return None
    ends_at = budget.shift(scene.now, scene.muting.zone)[1]
    by = f"{budget.notifications}/{budget.per}"
    return Mute(kind=MuteKind.BUDGET, by=by, until=ends_at)


def owed(incident: Incident, kind: NotificationKind, ear: Ear) -> dict[str, str]:
    """Return what each receiver that is kept from hearing this will be told, earlier debts first.

    Numbers that grew are owed to nobody.
    """
    if kind not in PINGS:
        return dict(incident.owed)
    closed = {name: str(kind) for name, mute in ear.names.items() if mute is not None}
    return {**closed, **incident.owed}
