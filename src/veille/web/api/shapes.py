"""What the API shows of incidents, queue items and mentions: a contract, not the store's rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from veille.domain.alert import Alert, AlertState, Severity
from veille.domain.analysis import Analysis
from veille.domain.correction import Correction
from veille.domain.deed import Done
from veille.domain.ids import short_id
from veille.domain.incident import Incident, IncidentState, QueueItem, QueueState, Verdict
from veille.domain.mention import MentionKind
from veille.domain.obligation import Clock
from veille.domain.priority import Ground, Priority
from veille.domain.record import StoredMention
from veille.store.ranking import Ranked


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Something the API shows."""


class Did(Shape, frozen=True, kw_only=True):
    """What was done: `POST /undo/{undo}` takes it back before `until`; null: nothing changed."""

    undo: int | None
    until: datetime | None


class IncidentShape(Shape, frozen=True, kw_only=True):
    """An incident. `version` grows with what people do; `alerts` are fingerprints."""

    id: str
    state: IncidentState
    severity: Severity
    title: str
    labels: Mapping[str, str]
    opened_at: datetime
    updated_at: datetime
    alerts: list[str]
    assignee: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    merged_into: str | None
    kept_by: str | None
    version: int


class AlertShape(Shape, frozen=True, kw_only=True):
    """An alert of an incident: what its rule counted, and what it asks."""

    fingerprint: str
    rule: str
    severity: Severity
    state: AlertState
    labels: Mapping[str, str]
    started_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    value: int
    threshold: float
    author_count: int
    mention_count: int


class WholeIncident(Shape, frozen=True, kw_only=True):
    """An incident with its alerts and the verdict people gave."""

    incident: IncidentShape
    alerts: list[AlertShape]
    verdict: Verdict | None


class ItemShape(Shape, frozen=True, kw_only=True):
    """A queue item. `mention` is the key of what was written."""

    id: str
    mention: str
    state: QueueState
    severity: Severity
    rule: str | None
    created_at: datetime
    updated_at: datetime
    assignee: str | None
    snoozed_until: datetime | None
    waiting_for: str | None
    reason: str | None
    answered_at: datetime | None
    reported_at: datetime | None
    version: int


class TermShape(Shape, frozen=True, kw_only=True):
    """Points of a priority, and the fact they are for: a word or a number."""

    ground: Ground
    points: int
    fact: str | float
    due_at: datetime | None


class RankedItem(Shape, frozen=True, kw_only=True):
    """A queue item in its order: the sum of `terms` is `points`."""

    item: ItemShape
    due_at: datetime | None
    points: int
    terms: list[TermShape]
    mention: MentionShape | None


class MentionShape(Shape, frozen=True, kw_only=True):
    """A text as it is stored: masked, its author a pseudonym. `text` is hostile: escape it.

    `has_original` while the unmasked text of an urgent mention is kept. `reading` marks text and
    analysis: a correction names it.
    """

    key: str
    source: str
    kind: MentionKind
    text: str
    created_at: datetime
    received_at: datetime
    edited_at: datetime | None
    author: str | None
    followers: int | None
    role: str | None
    lang: str | None
    own: bool
    url: str | None
    watches: list[str]
    masked: list[str]
    is_deleted: bool
    has_original: bool
    reading: str | None
    analysis: Analysis | None
    corrections: Mapping[str, Correction]


class WholeItem(Shape, frozen=True, kw_only=True):
    """A queue item with its text, its clocks, why it stands where it stands, and the verdict."""

    item: ItemShape
    mention: MentionShape | None
    due_at: datetime | None
    points: int
    terms: list[TermShape]
    clocks: list[Clock]
    incidents: list[str]
    verdict: Verdict | None


class Found(Shape, frozen=True, kw_only=True):
    """A mention with its queue item, null where it has none."""

    mention: MentionShape
    item: ItemShape | None


class EventShape(Shape, frozen=True, kw_only=True):
    """One line of the timeline. `said` is the pages' sentence; `data` holds ids and numbers."""

    target: str
    at: datetime
    kind: str
    actor: str
    text: str
    said: str
    data: Mapping[str, str | int | float | list[str] | None]


def did(done: Done) -> Did:
    """Return what an action says of itself."""
    return Did(undo=done.id, until=done.until)


def incident(found: Incident) -> IncidentShape:
    """Return an incident as the API shows it."""
    merged = found.merged_into
    return IncidentShape(
        id=short_id("I", found.id),
        state=found.state,
        severity=found.severity,
        title=found.title,
        labels=found.labels,
        opened_at=found.opened_at,
        updated_at=found.updated_at,
        alerts=list(found.alerts),
        assignee=found.assignee,
        acknowledged_at=found.acknowledged_at,
        acknowledged_by=found.acknowledged_by,
        resolved_at=found.resolved_at,
        resolved_by=found.resolved_by,
        merged_into=None if merged is None else short_id("I", merged),
        kept_by=found.kept_by,
        version=found.touched,
    )


def alert(found: Alert) -> AlertShape:
    """Return an alert as the API shows it."""
    return AlertShape(
        fingerprint=found.fingerprint,
        rule=found.rule,
        severity=found.severity,
        state=found.state,
        labels=found.labels,
        started_at=found.started_at,
        fired_at=found.fired_at,
        resolved_at=found.resolved_at,
        value=found.value,
        threshold=found.threshold,
        author_count=found.author_count,
        mention_count=found.mention_count,
    )


def item(found: QueueItem) -> ItemShape:
    """Return a queue item as the API shows it."""
    return ItemShape(
        id=short_id("Q", found.id),
        mention=found.mention,
        state=found.state,
        severity=found.severity,
        rule=found.rule,
        created_at=found.created_at,
        updated_at=found.updated_at,
        assignee=found.assignee,
        snoozed_until=found.snoozed_until,
        waiting_for=found.waiting_for,
        reason=found.reason,
        answered_at=found.answered_at,
        reported_at=found.reported_at,
        version=found.version,
    )


def ranked(found: Ranked, text: MentionShape | None) -> RankedItem:
    """Return an item of the queue as the API shows it."""
    return RankedItem(
        item=item(found.item),
        due_at=found.due_at,
        points=found.priority.points,
        terms=terms(found.priority),
        mention=text,
    )


def terms(found: Priority) -> list[TermShape]:
    """Return what the points are for."""
    return [
        TermShape(
            ground=each.ground,
            points=each.points,
            fact=str(each.fact) if isinstance(each.fact, str) else float(each.fact),
            due_at=each.due_at,
        )
        for each in found.terms
    ]


def mention(found: StoredMention, reading: str) -> MentionShape:
    """Return a mention as the API shows it."""
    return MentionShape(
        key=found.key,
        source=found.source,
        kind=found.kind,
        text=found.text,
        created_at=found.created_at,
        received_at=found.received_at,
        edited_at=found.edited_at,
        author=found.author,
        followers=found.followers,
        role=found.role,
        lang=found.lang,
        own=found.own,
        url=found.url,
        watches=list(found.watches),
        masked=list(found.masked),
        is_deleted=found.is_deleted,
        has_original=found.has_original,
        reading=reading or None,
        analysis=found.analysis,
        corrections=found.corrections,
    )
