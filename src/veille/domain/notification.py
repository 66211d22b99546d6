"""What is told to people outside: notifications and the outbox they wait in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from veille.domain.alert import Baseline, Condition, Severity
from veille.domain.card import Card
from veille.domain.coordination import Coordination
from veille.domain.incident import IncidentState, Reach, Verdict

AT_ONCE = timedelta(seconds=10)
"""A first relay is told within seconds. Ten ticks of the stage."""


class NotificationKind(StrEnum):
    """Why somebody is told."""

    OPENED = "opened"
    UPDATED = "updated"
    REFRESHED = "refreshed"  # only numbers grew: the first message is edited, nobody is pinged
    REPEATED = "repeated"  # nobody took it: said again after repeat_interval
    ESCALATED = "escalated"  # nobody took it: the next relay of its policy is told
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    MUTED = "muted"  # somebody silenced it: the first message and its thread say until when
    RESOLVED = "resolved"
    REOPENED = "reopened"  # somebody undid or reopened it: messages say so, and offer to take it
    MERGED = "merged"  # somebody put it into another: its messages say which
    REDACTED = "redacted"  # a mention was deleted: messages that quote it are edited, no ping
    DIGEST = "digest"  # what a shift's budget held back: a document, about several incidents
    WEEKLY = "weekly"  # the weekly summary: a document, about no incident
    TRIAL = "trial"  # a device that somebody tries: a document that says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Which step of an escalation policy this is, and who is meant.

    `step` of `steps` counts from 1, `round` too. `waited` is since the incident was told.
    `names` are of people on call (none: the receivers themselves), `slack` their member ids.
    `nobody` lists the steps before, and this one, at which nobody was on call.
    """

    step: int
    steps: int
    round: int
    waited: timedelta
    names: tuple[str, ...] = ()
    slack: tuple[str, ...] = ()
    nobody: tuple[int, ...] = ()

    @property
    def is_at_once(self) -> bool:
        """Whether the incident was told just now: that is no waiting."""
        return self.waited < AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Diverted:
    """Why a notification comes by another way: `receiver` takes nothing since `since`.

    `channel` and `via` are the kinds of that receiver and of the one that is told instead.
    """

    receiver: str
    channel: str
    via: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A snapshot of an incident when the notification was planned: numbers and keys, no text.

    `value`, `threshold`, `author_count`, `mention_count`, `window` and `rule` are of its strongest
    alert. `evidence` holds mention keys, newest last: their texts are looked up when sending, so
    that a deleted mention is never quoted; `news` are those of them that are quoted first.
    `usual` is the mean count per window before, None when unknown; `baseline` is what a spike rule
    compared with, `conditions` what the rule asked, each as measured when the alert began.
    `certainty` in [0, 1] is the highest calibrated score among the evidence, None when no score
    took part. `actor` is who acknowledged, assigned or resolved. `relay` is set of an escalation.
    `touched`, `muted_until` and `merged_into` are the incident's. `verdict` is what people last
    said of it. `diverted` stands in what a fallback is told. `coordination` is set where many
    accounts may act together. `reach` are all messages of the incident, None of none or too many;
    `is_counting`: the alert's numbers are of now.
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
    news: tuple[str, ...] = ()
    usual: float | None = None
    baseline: Baseline | None = None
    conditions: tuple[Condition, ...] = ()
    certainty: float | None = None
    assignee: str | None = None
    actor: str | None = None
    relay: Relay | None = None
    touched: int = 0
    muted_until: datetime | None = None
    merged_into: int | None = None
    verdict: Verdict | None = None
    diverted: Diverted | None = None
    coordination: Coordination | None = None
    reach: Reach | None = None
    is_counting: bool = True


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

    `communes` are names of communes that the texts settle, most named first.
    `card` is of the most urgent mention that is quoted and has one. `take_link` opens the page
    on which this receiver takes the incident, empty where it has none. `may_repeat`: an earlier
    try may have arrived.
    """

    key: str
    kind: NotificationKind
    facts: Facts
    institution: str
    link: str
    quotes: tuple[Quote, ...] = ()
    places: tuple[str, ...] = ()
    communes: tuple[str, ...] = ()
    card: Card | None = None
    take_link: str = ""
    may_repeat: bool = False


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

    `facts` None: a document, composed when it is sent; `incident` is 0 then. `may_repeat`: a try
    before this one was cut off, or not answered, and may have arrived.
    """

    key: str
    receiver: str
    incident: int
    kind: NotificationKind
    facts: Facts | None
    due_at: datetime
    id: int = 0
    attempts: int = 0
    may_repeat: bool = False


TRIAL_KEY = "push.trial."
"""What the outbox key of a trial begins with; the device's id and the second follow, by a dot."""

Ref = Mapping[str, str]
"""How a channel names the first message of an incident (Slack: channel, ts; mail: message_id)."""
