"""An incident as a card: what the store knows of it, put into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from veille.domain.alert import Alert, AlertState
from veille.domain.analysis import UrgencyLabel
from veille.domain.ids import short_id
from veille.domain.incident import Incident, IncidentState, Reach
from veille.domain.record import StoredMention
from veille.store import alerts, baselines, echoes, incidents, mentions
from veille.store.engine import Db
from veille.web.words import Words
from veille.wording.format import visible

MESSAGES = 8
"""The newest of an incident that are quoted, weighed and read for places: everywhere the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An incident with its alerts, the strongest first, and its newest messages, newest last.

    `usual` is the mean count of the strongest alert per window before, None when unknown; `reach`
    are all of its messages, None of none, or where no messages were asked for.
    """

    incident: Incident
    alerts: tuple[Alert, ...]
    mentions: tuple[StoredMention, ...]
    usual: float | None
    reach: Reach | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What five seconds are for: what, where, how bad, since when, who has it."""

    incident: Incident
    id: str
    title: str
    count: str
    places: Sequence[str]
    quote: StoredMention | None
    owner: str

    @property
    def is_free(self) -> bool:
        """Whether nobody has taken it."""
        return self.incident.state is IncidentState.OPEN

    @property
    def is_resolved(self) -> bool:
        """Whether it is over."""
        return self.incident.state is IncidentState.RESOLVED


def find(db: Db, incident: Incident, *, limit: int) -> Found:
    """Return an incident with its alerts and up to `limit` of its newest messages."""
    keys = incidents.evidence(db, incident.id, limit)
    stored = mentions.stored(db, keys)
    found = sorted(alerts.get(db, incident.alerts).values(), key=_strength, reverse=True)
    return Found(
        incident=incident,
        alerts=tuple(found),
        mentions=tuple(stored[key] for key in keys if key in stored),
        usual=baselines.usual(db, found[0], before=incident.opened_at) if found else None,
        reach=echoes.reach(db, incident.id) if limit else None,
    )


def _strength(alert: Alert) -> tuple[bool, int, int, int]:
    """Firing first, then as alerts.announcing ranks them: a rule with more labels says more."""
    is_firing = alert.state is AlertState.FIRING
    return (is_firing, alert.severity.rank, len(alert.labels), alert.value)


def card(found: Found, words: Words) -> Card:
    """Return an incident in words."""
    return Card(
        incident=found.incident,
        id=short_id("I", found.incident.id),
        title=visible(found.incident.title),
        count=_count(found, words),
        places=words.places(found.mentions[-MESSAGES:]),
        quote=_telling(found.mentions[-MESSAGES:]),
        owner=words.owner(found.incident),
    )


def _count(found: Found, words: Words) -> str:
    urgencies = [each.analysis.urgency for each in found.mentions[-MESSAGES:] if each.analysis]
    scores = [urgency.score for urgency in urgencies if urgency.label is UrgencyLabel.URGENT]
    certainty, reach = max(scores, default=None), found.reach
    top = found.alerts[0] if found.alerts else None
    counted = 0 if top is None else max(top.message_count, top.mention_count)
    if top is not None and (reach is None or reach.messages <= counted):
        return words.count(top, usual=found.usual, certainty=certainty)
    if reach is None:
        return ""
    said = words.heard(found.incident, reach, top, usual=found.usual)
    return said if certainty is None else f"{said} · {words.certainty(certainty)}"


def _telling(found: Sequence[StoredMention]) -> StoredMention | None:
    shown = [mention for mention in found if mention.text and not mention.is_deleted]
    return max(shown, key=_urgency, default=None)


def _urgency(mention: StoredMention) -> tuple[float, str]:
    score = mention.analysis.urgency.score if mention.analysis else 0.0
    return (score, mention.created_at.isoformat())
