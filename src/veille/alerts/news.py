"""What an incident holds that is worth telling again: an alert that doubled, another danger."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from veille.alerts.announcing import strongest
from veille.domain.alert import Alert
from veille.domain.incident import Incident

STEP = 2
"""An alert is told again at this many times its value told: of n calls, people hear log2(n) times.

A choice: a step in calls would ring at each one of a burst, or too late in a small town.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Alerts not told yet or doubled since, and mentions of a matter not told yet."""

    joined: tuple[Alert, ...] = ()
    grown: tuple[Alert, ...] = ()
    keys: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.joined or self.grown or self.keys)

    def speaker(self, firing: Sequence[Alert]) -> Alert | None:
        """Return the strongest alert that has the news; None where none has.

        Of a new matter only one that nothing outranks speaks: what to do first is on the gravest.
        """
        keys, rank = set(self.keys), max((a.severity.rank for a in firing), default=0)
        telling = (a for a in firing if a.severity.rank == rank and keys & set(a.evidence))
        return strongest([*self.grown, *telling])

    def latest(self, incident: Incident) -> tuple[str, ...]:
        """Return the newest mention of each alert that joined or came back."""
        back = (alert for alert in self.grown if not incident.told.get(alert.fingerprint))
        fresh = dict.fromkeys(a.evidence[-1] for a in (*self.joined, *back) if a.evidence)
        return tuple(key for key in fresh if key not in self.keys)


def news(
    incident: Incident,
    firing: Sequence[Alert],
    matters: Mapping[str, str],
    inhibited: Collection[str] = (),
) -> News:
    """Return what grew or came since the incident was told; nothing of one nobody knows of.

    `matters` gives the danger or topic of urgent mentions by key. Of each new matter its first
    mention is given, oldest first. Alerts whose fingerprints are `inhibited` bring only matters:
    the crisis that hides them must not hide another danger.
    """
    if incident.notified_at is None and not incident.told:
        return News()
    least = max(1, incident.notified_value)  # told before the values of all alerts were kept
    heard = [a for a in firing if a.fingerprint not in inhibited]
    grown = tuple(a for a in heard if a.value >= STEP * incident.told.get(a.fingerprint, least))
    joined = tuple(a for a in heard if incident.told and a.fingerprint not in incident.told)
    first: dict[str, str] = {}
    for key in _keys(firing) if incident.told else ():
        if key in matters and matters[key] not in incident.told_matters:
            first.setdefault(matters[key], key)
    return News(joined=joined, grown=grown, keys=tuple(first.values()))


def told_elsewhere(
    incident: Incident,
    firing: Iterable[Alert],
    matters: Mapping[str, str],
    others: Iterable[Incident],
) -> tuple[str, ...]:
    """Return the matters that need not be told of the incident any more, () when none is new.

    Those of its own that another incident of its watch, as grave or graver, has told; they stay
    told when that one is over.
    """
    watch = incident.labels.get("watch")
    known = {
        matter
        for other in others
        if other.id != incident.id and other.labels.get("watch") == watch
        if other.notified_at is not None and other.severity.rank >= incident.severity.rank
        for matter in other.told_matters
    }
    own = {matters[key] for key in _keys(firing) if key in matters} if incident.told else set()
    fresh = (own & known).difference(incident.told_matters)
    return tuple(sorted(fresh.union(incident.told_matters))) if fresh else ()


def tell(incident: Incident, firing: Sequence[Alert], matters: Mapping[str, str]) -> Incident:
    """Return the incident with all that fires as told; what was told of an alert never shrinks."""
    told = dict(incident.told)
    for alert in firing:
        told[alert.fingerprint] = max(alert.value, told.get(alert.fingerprint, 0))
    found = {matters[key] for key in _keys(firing) if key in matters}
    return replace(
        incident, told=told, told_matters=tuple(sorted(found.union(incident.told_matters)))
    )


def _keys(firing: Iterable[Alert]) -> Iterable[str]:
    return dict.fromkeys(key for alert in firing for key in alert.evidence)
