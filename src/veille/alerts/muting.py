"""Muting: what keeps an alert, an incident or a receiver from being told at the moment, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from veille.alerts.quiet import INHIBIT, CalendarSettings, InhibitSettings
from veille.alerts.settings import RouteSettings, reached
from veille.domain.alert import Alert, Severity
from veille.domain.ids import short_id
from veille.domain.incident import Incident
from veille.domain.silence import Match, Mute, MuteKind, Silence, matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Muting:
    """What the configuration says: inhibitions, calendars by id, and the clocks they go by."""

    inhibits: Sequence[InhibitSettings] = INHIBIT
    calendars: Mapping[str, CalendarSettings] = field(default_factory=dict)
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that may mute at `now`.

    `silences` may hold ended ones; `sources` are the alerts that fire in incidents at work;
    `holder` gives the incident of an alert's fingerprint.
    """

    silences: Sequence[Silence]
    sources: Sequence[Alert]
    holder: Callable[[str], Incident | None]
    muting: Muting
    now: datetime


def labels_of(alert: Alert, incident: Incident | None = None) -> dict[str, str]:
    """Return what a silence or an inhibition may match: labels, rule, severity and incident."""
    own = {"topic": alert.rule, **alert.labels, "rule": alert.rule, "severity": str(alert.severity)}
    return own if incident is None else {**own, "incident": short_id("I", incident.id)}


def match_of(incident: Incident) -> Match:
    """Return what silences this incident and those after it about the same: nothing graver.

    A critical one alone: the next one may be another call for help.
    """
    alone = {"incident": (short_id("I", incident.id),)}
    if incident.severity is Severity.CRITICAL:
        return alone
    match = {name: (value,) for name, value in incident.labels.items()} or alone
    quiet = (str(s) for s in Severity if s.rank <= incident.severity.rank)
    return {**match, "severity": tuple(quiet)}


def silenced(
    labels: Mapping[str, str], silences: Sequence[Silence], at: datetime
) -> Silence | None:
    """Return the silence that mutes these labels the longest; None where none does."""
    found = (s for s in silences if s.is_active(at) and matches(s.match, labels))
    return max(found, key=lambda silence: (silence.ends_at, silence.id), default=None)


def why_muted(incident: Incident | None, alert: Alert, scene: Scene) -> Mute | None:
    """Return why this alert is not told: a silence, else what inhibits it; None where nothing does.

    An alert that is silenced, or that a person resolved, inhibits no other: nobody looks at it.
    """
    labels = labels_of(alert, incident)
    silence = silenced(labels, scene.silences, scene.now)
    if silence is not None:
        by = short_id("S", silence.id)
        return Mute(kind=MuteKind.SILENCE, by=by, until=silence.ends_at)
    for source in scene.sources:
        if source.fingerprint == alert.fingerprint or source.shadow:
            continue
        if not any(one.hides(labels, labels_of(source)) for one in scene.muting.inhibits):
            continue
        held = scene.holder(source.fingerprint)  # None: a person resolved it, nobody looks at it
        if held and silenced(labels_of(source, held), scene.silences, scene.now) is None:
            return Mute(kind=MuteKind.INHIBITION, by=short_id("I", held.id))
    return None


def quiet_receivers(
    route: RouteSettings, labels: Mapping[str, str], *, muting: Muting, now: datetime
) -> dict[str, Mute | None]:
    """Return who is told of these labels in the order of the tree, and what calendar mutes them.

    A calendar mutes the severities it names; one that does not exist mutes nobody.
    """
    found: dict[str, Mute | None] = {}
    for name, ids in reached(route, labels).items():
        known = (muting.calendars[id] for id in ids if id in muting.calendars)
        mutes = (_calendar(c, labels.get("severity", ""), now, muting.zone) for c in known)
        found[name] = next((mute for mute in mutes if mute is not None), None)
    return found


def _calendar(
    calendar: CalendarSettings, severity: str, now: datetime, zone: tzinfo
) -> Mute | None:
    if severity not in calendar.severities:
        return None
    ends_at = calendar.until(now, zone)
    if ends_at is None:
        return None
    return Mute(kind=MuteKind.CALENDAR, by=calendar.id, until=ends_at)
