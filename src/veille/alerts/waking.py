"""When dispatch must look again, if neither an alert nor a person changes anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from veille.alerts.muting import Muting
from veille.alerts.settings import RouteSettings
from veille.domain.incident import Incident, IncidentState
from veille.domain.silence import MuteKind, Silence


def wakes_at(
    incidents: Iterable[Incident],
    silences: Sequence[Silence],
    *,
    route: RouteSettings,
    muting: Muting,
    now: datetime,
) -> datetime | None:
    """Return the next instant after `now` at which time alone may have something told or muted.

    `incidents` stand as after the last plan, `silences` are those not over. What is due and not
    told is muted, and waits for the end of what mutes it. None: nothing is at work.
    """
    found = [at for incident in incidents for at in _turns(incident, route)]
    if not found:
        return None
    found += [at for silence in silences for at in (silence.starts_at, silence.ends_at)]
    found += [calendar.turns_at(now, muting.zone) for calendar in muting.calendars.values()]
    return min((at for at in found if at is not None and at > now), default=None)


def _turns(incident: Incident, route: RouteSettings) -> Iterator[datetime | None]:
    """Yield what is to come of an incident at work, or of one that waits for a digest."""
    is_held = incident.muted is not None and incident.muted.kind is MuteKind.BUDGET
    if incident.state is IncidentState.RESOLVED and not is_held:
        return
    yield incident.notify_at
    yield None if incident.muted is None else incident.muted.until
    yield None if incident.quiet_since is None else incident.quiet_since + route.lingering
