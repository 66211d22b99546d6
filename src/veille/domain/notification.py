"""What is told to people outside: notifications and the outbox they wait in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from veille.domain.alert import Baseline, Severity
from veille.domain.card import Card
from veille.domain.incident import IncidentState


class NotificationKind(StrEnum):
    """Why somebody is told."""

    OPENED = "opened"
    UPDATED = "updated"
    REFRESHED = "refreshed"  # only numbers grew: the first message is edited, nobody is pinged
    REPEATED = "repeated"  # nobody took it: said again after repeat_interval
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"
    REDACTED = "redacted"  # a mention was deleted: messages that quote it are edited, no ping
    WEEKLY = "weekly"  # the weekly summary: a document, about no incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A snapshot of an incident when the notification was planned: numbers and keys, no text.

    `value`, `threshold`, `author_count`, `mention_count`, `window` and `rule` are of its strongest
    alert. `evidence` holds mention keys, newest last: their texts are looked up when sending, so
    that a deleted mention is never quoted. `usual` is the mean count per window before, None when
    unknown; `baseline` is what a spike rule compared with.
    `certainty` in [0, 1] is the highest calibrated score among the evidence, None when no score
    took part. `actor` is who acknowledged, assigned or resolved.
    """

    incident: int
    title: str
    severity: Severity
    state: IncidentState
    at: datetime
    opened_at: datetime
    rule: str
    value: int
    threshold: int | float
    author_count: int
    mention_count: int = 0
    window: timedelta | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    usual: float | None = None
    baseline: Baseline | None = None
    certainty: float | None = None
    assignee: str | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A mention as it may be shown outside: masked, without its author."""

    text: str
    source: str
    at: datetime
    lang: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Everything a notifier needs to say it. `key` is the idempotency key of this outbox row.

    `card` is of the most urgent mention that is quoted and has one.
    """

    key: str
    kind: NotificationKind
    facts: Facts
    institution: str
    link: str
    quotes: tuple[Quote, ...] = ()
    places: tuple[str, ...] = ()
    card: Card | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text to send as it is, such as the weekly summary. `key` is its idempotency key."""

    key: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One notification for one receiver, waiting or being sent.

    `facts` None: a document, composed when it is sent; `incident` is 0 then.
    """

    key: str
    receiver: str
    incident: int
    kind: NotificationKind
    facts: Facts | None
    due_at: datetime
    id: int = 0
    attempts: int = 0


Ref = Mapping[str, str]
"""How a channel names the first message of an incident (Slack: channel, ts; mail: message_id)."""
