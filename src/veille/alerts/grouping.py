"""Grouping: alerts that belong together are one incident, announced when it helps and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from veille.alerts.desk import Desk
from veille.alerts.digest import Digest
from veille.alerts.muting import Muting
from veille.alerts.settings import RouteSettings
from veille.domain.alert import Alert, Severity, Transition
from veille.domain.incident import Event, Incident
from veille.domain.notification import OutboxRow
from veille.domain.silence import Silence

_MUTING = Muting()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one dispatch step writes, together.

    `incidents` are new (version 1) or changed (one version up). `evidence` holds mention keys by
    incident id; a key may be given again at a later step. `digests` say of which incidents the
    digests among the rows are.
    """

    incidents: tuple[Incident, ...] = ()
    events: tuple[Event, ...] = ()
    rows: tuple[OutboxRow, ...] = ()
    evidence: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    digests: tuple[Digest, ...] = ()


def plan(
    *,
    transitions: Sequence[Transition],
    alerts: Mapping[str, Alert],
    incidents: Sequence[Incident],
    next_id: int,
    route: RouteSettings,
    group_wait: Mapping[Severity, timedelta],
    now: datetime,
    matters: Mapping[str, str] = MappingProxyType({}),
    silences: Sequence[Silence] = (),
    muting: Muting = _MUTING,
    spent: int = 0,
) -> Plan:
    """Return what follows from `transitions` and from the time `now`.

    `alerts` holds the live ones and those of the transitions, by fingerprint; `incidents` all that
    are not resolved or wait for a digest; `matters` the danger or topic of urgent mentions by key;
    `silences` all that are not over; `spent` is how many notifications the shift brought so far.
    The same arguments give the same plan.
    """
    desk = Desk(
        alerts, incidents, next_id, route, group_wait,
        matters=matters, silences=silences, muting=muting, spent=spent, now=now,
    )  # fmt: skip
    for transition in transitions:
        desk.take(transition)
    for number in sorted(desk.incidents):
        desk.settle(number, now)
    desk.gather(now)
    return Plan(
        incidents=tuple(desk.changed(now)),
        events=tuple(desk.events),
        rows=tuple(desk.rows),
        evidence=desk.evidence,
        digests=tuple(desk.digests),
    )
