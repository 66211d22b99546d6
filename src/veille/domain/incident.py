"""What people work on: incidents, queue items and their timeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from veille.domain.alert import Severity
from veille.domain.silence import Mute


class IncidentState(StrEnum):
    """Where an incident is."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Verdict(StrEnum):
    """What a person says of an incident's alerts: rules are scored by it."""

    TRUE_ALERT = "true_alert"
    FALSE_ALARM = "false_alarm"
    WRONG_LABEL = "wrong_label"


class QueueState(StrEnum):
    """Where a flagged mention is."""

    NEW = "new"
    TAKEN = "taken"
    WAITING = "waiting"
    ANSWERED = "answered"
    CLOSED = "closed"
    REPORTED = "reported"
    OUT_OF_SCOPE = "out_of_scope"

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do something: what was reported is followed up, too."""
        return self not in {QueueState.ANSWERED, QueueState.CLOSED, QueueState.OUT_OF_SCOPE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """An incident's messages in all: the first was written at `first_at`.

    `authors` are the known ones (0: not kept), followed by `followers`, who may overlap.
    """

    messages: int
    authors: int
    followers: int
    first_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Alerts grouped into one thing to deal with.

    `key` is the fingerprint of its group labels: at most one incident of a key is not resolved.
    `alerts` holds fingerprints. `notify_at` is when its next notification is due (None: nothing to
    say); `notified_at` and `notified_value` are of the last one planned; `has_news` says that
    the next one tells more than a number that grew. `told` is the highest value told of each alert,
    `told_matters` the dangers and topics of urgent mentions told so far. `version` grows with every
    change, for
    compare-and-swap; `touched` only when a person changed it: that is what a page compares.
    `repeats` is how often it was said again. `quiet_since` is when its last alert ended, while it
    lingers. `muted` says why nobody is told of it, `hushed` why not of single alerts of it.
    `also` holds the keys of incidents merged into it: their alerts come here while it is open.
    `merged_into` is the number of the incident that has all of this one. `kept_by` is who reopened
    it or split it off: veille does not resolve it, a person does.
    `owed` holds the receivers that a calendar keeps from hearing, and what of: `opened` where they
    know nothing of it. One resolved that still has `notify_at` waits for the digest of its shift.
    """

    id: int
    key: str
    labels: Mapping[str, str]
    state: IncidentState
    severity: Severity
    title: str
    opened_at: datetime
    updated_at: datetime
    alerts: tuple[str, ...] = ()
    assignee: str | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    notify_at: datetime | None = None
    notified_at: datetime | None = None
    notified_value: int = 0
    has_news: bool = True
    told: Mapping[str, int] = field(default_factory=dict)
    told_matters: tuple[str, ...] = ()
    repeats: int = 0
    quiet_since: datetime | None = None
    muted: Mute | None = None
    hushed: Mapping[str, Mute] = field(default_factory=dict)
    owed: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    merged_into: int | None = None
    kept_by: str | None = None
    touched: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """A flagged mention: a rule with `flag: true` matched it, or a person put it there.

    `state_at` is since when it is in this state. `snoozed_until` hides it from the open list until
    then; `waiting_for` says whom or what it waits for; `reason` why it was closed without an
    answer. `answered_at` and `reported_at` stay once somebody did so, whatever follows: an action
    does not close. `waiting_for` and `reason` are never in the audit trail.
    """

    id: int
    mention: str
    state: QueueState
    severity: Severity
    rule: str | None
    created_at: datetime
    updated_at: datetime
    assignee: str | None = None
    state_at: datetime | None = None
    snoozed_until: datetime | None = None
    snoozed_by: str | None = None
    waiting_for: str | None = None
    reason: str | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None
    reported_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the timeline (main courante) of `I12` or `Q345`.

    `kind` is one of: alert.pending alert.firing alert.resolved incident.opened incident.updated
    incident.muted incident.unmuted incident.acknowledged incident.assigned incident.judged
    incident.resolved incident.withdrawn silence.added silence.expired queue.flagged queue.taken
    queue.assigned queue.changed queue.corrected queue.uncorrected queue.deleted queue.erased
    queue.expired note notification.sent notification.failed notification.diverted
    notification.dropped incident.escalated incident.reopened incident.merged incident.joined
    incident.split incident.splitoff incident.undone queue.released queue.reopened queue.snoozed
    queue.unsnoozed queue.woken queue.returned queue.answered queue.reported queue.judged
    queue.undone draft.written draft.edited draft.proposed draft.approved draft.published
    draft.dropped draft.undone. `actor` is a user's name, or `veille`. `data` holds numbers and
    ids, never the text of a mention.
    """

    target: str
    at: datetime
    kind: str
    actor: str = "veille"
    text: str = ""
    data: Mapping[str, str | int | float | list[str] | None] = field(default_factory=dict)
