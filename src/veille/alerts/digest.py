"""The digest of a shift: what its budget held back, told in one notification."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from veille.alerts.announcing import routing_labels, strongest
from veille.alerts.muting import Muting, quiet_receivers
from veille.alerts.settings import RouteSettings
from veille.domain.alert import Alert
from veille.domain.ids import short_id
from veille.domain.incident import Incident
from veille.domain.notification import NotificationKind, OutboxRow
from veille.domain.silence import MuteKind

PREFIX = "digest-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """One document for one receiver, about these incidents; `key` is that of its outbox row."""

    key: str
    receiver: str
    incidents: tuple[int, ...]

    def row(self, now: datetime) -> OutboxRow:
        """Return its place in the outbox: it is composed when it is sent."""
        return OutboxRow(
            key=self.key,
            receiver=self.receiver,
            incident=0,
            kind=NotificationKind.DIGEST,
            facts=None,
            due_at=now,
        )


def gathered(
    incidents: Iterable[Incident], now: datetime, *, is_graver: bool
) -> tuple[Incident, ...]:
    """Return what the budget held back and is to be told now, by id."""
    held = [
        i for i in incidents if i.muted is not None and i.muted.kind is MuteKind.BUDGET
        and (is_graver or i.muted.until is None or i.muted.until <= now)
    ]  # fmt: skip
    return tuple(sorted(held, key=lambda incident: incident.id))


def digests(
    held: Sequence[Incident],
    alerts: Mapping[str, Alert],
    route: RouteSettings,
    *,
    muting: Muting,
    now: datetime,
) -> tuple[Digest, ...]:
    """Return one digest for each receiver that is told of any; who has quiet hours gets none."""
    told: dict[str, list[int]] = {}
    for incident in held:
        top = strongest(alerts[mark] for mark in incident.alerts if mark in alerts)
        labels = routing_labels(incident, top)
        for name, mute in quiet_receivers(route, labels, muting=muting, now=now).items():
            if mute is None:
                told.setdefault(name, []).append(incident.id)
    ids = {number for numbers in told.values() for number in numbers}
    first = next((incident for incident in held if incident.id in ids), None)
    # telling it takes its version up: no other digest has this key
    key = "" if first is None else f"{PREFIX}{short_id('I', first.id)}-{first.version}"
    return tuple(
        Digest(key=key, receiver=name, incidents=tuple(numbers)) for name, numbers in told.items()
    )
