"""Silences as people make them: what they hide, when they begin and end, in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from veille.alerts.muting import labels_of, match_of
from veille.domain.alert import Alert, AlertState
from veille.domain.errors import ConflictError, InputError
from veille.domain.ids import parse_short_id, short_id
from veille.domain.incident import Event, Incident, IncidentState
from veille.domain.silence import Match, Silence, check_match, check_terms, matches
from veille.store import alerts, audit, incidents, silences, timeline
from veille.store.engine import Db
from veille.store.silences import Hidden

LOOKED_BACK = timedelta(hours=24)


def matched(db: Db, wanted: str | Match) -> Match:
    """Return what silences an incident (`I12`), or the match as given; InputError if it cannot be.

    ConflictError when the incident is over: there is nothing to mute.
    """
    if not isinstance(wanted, str):
        check_match(wanted)
        return dict(wanted)
    letter, number = parse_short_id(wanted)
    incident = incidents.get(db, number) if letter == "I" else None
    if incident is None:
        raise InputError(
            f"{wanted}: only an incident that exists is silenced: write I12, or labels"
        )
    if incident.state is IncidentState.RESOLVED:
        raise ConflictError(f"{wanted} is resolved: silence its labels to mute what comes next")
    return match_of(incident)


def preview(db: Db, match: Match, *, now: datetime) -> list[Hidden]:
    """Return what of the last 24 hours and of now the match hides, the newest first."""
    found: list[Hidden] = []
    for told in silences.recent(db, since=now - LOOKED_BACK):
        known = list(alerts.get(db, told.incident.alerts).values())
        hits = [alert for alert in known if matches(match, labels_of(alert, told.incident))]
        if hits:
            found.append(
                Hidden(
                    incident=told.incident,
                    alerts=len(hits),
                    of=len(known),
                    notifications=told.notifications,
                    is_now=_is_now(told.incident, hits),
                )
            )
    return found


def _is_now(incident: Incident, hits: list[Alert]) -> bool:
    is_at_work = incident.state is not IncidentState.RESOLVED
    return is_at_work and any(alert.state is AlertState.FIRING for alert in hits)


def add(
    db: Db, match: Match, *, lasting: timedelta, reason: str, actor: str, now: datetime
) -> Silence:
    """Return the silence from now on; the timeline of each incident it hides now names its author.

    InputError without a reason, or for a time out of range.
    """
    said = check_terms(reason, lasting)
    silence = silences.add(
        db,
        Silence(
            id=0,
            match=match,
            author=actor,
            reason=said,
            starts_at=now,
            ends_at=now + lasting,
            created_at=now,
        ),
    )
    name = short_id("S", silence.id)
    after = {**_written(match), "until": silence.ends_at.isoformat()}
    _record(db, "silence.added", name, actor=actor, now=now, reason=said, after=after)
    targets = [hidden.incident for hidden in preview(db, match, now=now) if hidden.is_now]
    data = {"silence": name, "until": silence.ends_at.isoformat()}
    timeline.add(
        db,
        [
            Event(
                target=short_id("I", incident.id),
                at=now,
                kind="silence.added",
                actor=actor,
                text=said,
                data=data,
            )
            for incident in targets
        ],
    )
    return silence


def expire(db: Db, id: int, *, actor: str, now: datetime, zone: tzinfo = UTC) -> Silence:
    """Return the silence, over now: what still fires is told at the next look.

    InputError for one that does not exist, ConflictError, in `zone`, for one that is over.
    """
    silence = silences.get(db, id)
    name = short_id("S", id)
    if silence is None:
        raise InputError(f"{name} does not exist: veille silence list shows what does")
    if silence.ends_at <= now:
        ended_at = silence.ends_at.astimezone(zone).isoformat(timespec="minutes")
        raise ConflictError(f"{name} is over since {ended_at}")
    silences.end(db, id, at=now, by=actor)
    _record(db, "silence.expired", name, actor=actor, now=now, reason="", after={})
    return silences.get(db, id) or silence


def _written(match: Match) -> dict[str, str]:
    return {f"match.{name}": " ".join(values) for name, values in match.items()}


def _record(
    db: Db,
    kind: str,
    name: str,
    *,
    actor: str,
    now: datetime,
    reason: str,
    after: Mapping[str, str],
) -> None:
    timeline.add(db, [Event(target=name, at=now, kind=kind, actor=actor, text=reason)])
    audit.add(db, at=now, actor=actor, action=kind, target=name, after=after)
