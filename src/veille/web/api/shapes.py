"""What the API shows of incidents, queue items and mentions: a contract, not the store's rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

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


S = TypeVar("S", bound=Shape)


def shaped(kind: type[S], found: object, **said: object) -> S:
    """Return `found` as the API shows it: each field is the attribute of its name, or is `said`."""
    fields = kind.__struct_fields__
    return kind(**{name: said[name] if name in said else getattr(found, name) for name in fields})


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
    alerts: tuple[str, ...]
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
    watches: tuple[str, ...]
    masked: tuple[str, ...]
    is_deleted: bool
    has_original: bool
    reading: str | None
    analysis: Analysis | None
    corrections: Mapping[str, Correction]


class WholeItem(Shape, frozen=True, kw_only=True):
    """A queue item with its text, its clocks, why it stands where it stands, and the verdict.

    It may be moved to the states of `moves`; `spans` are what its rule saw, in code points.
    """

    item: ItemShape
    mention: MentionShape | None
    due_at: datetime | None
    points: int
    terms: list[TermShape]
    clocks: list[Clock]
    incidents: list[str]
    verdict: Verdict | None
    moves: list[QueueState]
    spans: list[tuple[int, int]]


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
    merged = None if found.merged_into is None else short_id("I", found.merged_into)
    return shaped(
        IncidentShape,
        found,
        id=short_id("I", found.id),
        merged_into=merged,
        version=found.touched,
    )


def alert(found: Alert) -> AlertShape:
    """Return an alert as the API shows it."""
    return shaped(AlertShape, found)


def item(found: QueueItem) -> ItemShape:
    """Return a queue item as the API shows it."""
    return shaped(ItemShape, found, id=short_id("Q", found.id))


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
    return [shaped(TermShape, each) for each in found.terms]


def mention(found: StoredMention, reading: str) -> MentionShape:
    """Return a mention as the API shows it."""
    return shaped(MentionShape, found, reading=reading or None)
