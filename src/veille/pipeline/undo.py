"""Undo: an action of the last seconds is taken back, if nobody changed since what it changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from veille.alerts.merging import rejoined, restored
from veille.domain.deed import UNDO_FOR
from veille.domain.errors import ConflictError, InputError
from veille.domain.ids import short_id
from veille.domain.incident import Event, Incident, IncidentState
from veille.domain.notification import NotificationKind
from veille.pipeline.work import (
    UNHANDLED,
    Work,
    check_seen,
    draft_facts,
    incident_facts,
    incident_of,
    item_facts,
    item_of,
)
from veille.store import (
    alerts,
    corrections,
    deeds,
    drafts,
    escalations,
    incidents,
    outbox,
    queue,
    tallies,
    timeline,
    verdicts,
)
from veille.store.deeds import Before, Part, Record

SAID = (
    NotificationKind.ACKNOWLEDGED,
    NotificationKind.ASSIGNED,
    NotificationKind.RESOLVED,
    NotificationKind.REOPENED,
    NotificationKind.MERGED,
)
"""What an action tells: not said if it is undone before it was sent."""
BY_ITSELF = "veille"
"""Who resolved what nobody did."""
_RESOLVED = IncidentState.RESOLVED


def undo(work: Work, deed: int) -> tuple[str, ...]:
    """Put back all the deed changed, or nothing of it; return the targets, as people name them.

    InputError when there is no such deed, ConflictError when it is too late, not one's own, undone
    before, or when somebody changed a target since.
    """
    record = deeds.get(work.db, deed)
    _check(record, work)
    if record is None or not record.parts:
        raise InputError(f"there is no action {deed} to undo (any more)")
    for part in record.parts:
        _check_unchanged(work, record, part)
    lent = {
        mark
        for part in record.parts
        if part.before.incident is not None
        for mark in part.before.incident.alerts
    }
    # what opens again comes last: by then the incident it was merged into gave its key back
    for part in sorted(record.parts, key=lambda part: _reopens(work, part)):
        _put_back(work, record, part, lent)
    deeds.undone(work.db, deed, at=work.now)
    return tuple(part.target for part in record.parts)


def _check(record: Record | None, work: Work) -> None:
    if record is None:
        return
    if record.actor != work.actor:
        raise ConflictError(f"action {record.id} is {record.actor}'s: only they undo it")
    if record.undone_at is not None:
        raise ConflictError(f"action {record.id} was undone before")
    if work.now - record.at > UNDO_FOR:
        at = record.at.astimezone(work.zone).isoformat(timespec="seconds")
        raise ConflictError(
            f"action {record.id} was at {at}: it can be undone for "
            f"{UNDO_FOR.seconds} seconds; change the state instead"
        )


def _check_unchanged(work: Work, record: Record, part: Part) -> None:
    letter, number = part.target[0], int(part.target[1:])
    if letter == "D":
        draft = drafts.get(work.db, number)
        if draft is None or draft.version != part.version:
            raise ConflictError("somebody changed the draft since: it is not undone")
        return
    owner: str | None
    if letter == "I":
        incident = incident_of(work.db, number)
        current, owner = incident.touched, incident.assignee
        _check_incident(work, record, part.before, incident)
    else:
        item = item_of(work.db, number)
        current, owner = item.version, item.assignee
    check_seen(work.db, part.target, part.version, current, owner=owner, zone=work.zone)


def _check_incident(work: Work, record: Record, before: Before, current: Incident) -> None:
    """Refuse what its version does not show: another's verdict, and its end by veille."""
    name = short_id("I", current.id)
    if before.was_judged and not verdicts.is_of(
        work.db, current.id, actor=record.actor, at=record.at
    ):
        raise ConflictError(f"{name} was judged by somebody else since: look again, then decide")
    was_at_work = before.incident is not None and before.incident.state is not _RESOLVED
    if was_at_work and current.state is _RESOLVED and current.resolved_by == BY_ITSELF:
        raise ConflictError(f"{name} is over since: veille resolved it; reopen it to work on it")


def _reopens(work: Work, part: Part) -> bool:
    before = part.before.incident
    if before is None or before.state is IncidentState.RESOLVED:
        return False
    return incident_of(work.db, before.id).state is IncidentState.RESOLVED


def _put_back(work: Work, record: Record, part: Part, lent: Collection[str]) -> None:
    number, before = int(part.target[1:]), part.before
    if part.target[0] == "Q":
        _item(work, number, record, before)
    elif part.target[0] == "D":
        _draft(work, number, record, before)
    elif before.incident is None:
        _rejoin(work, number, record)
    else:
        _incident(work, record, before, before.incident, lent)


def _item(work: Work, number: int, record: Record, before: Before) -> None:
    current, name = item_of(work.db, number), short_id("Q", number)
    if before.was_judged:
        verdicts.put_back_item(work.db, number, before.verdict)
    if before.corrected is not None:
        corrections.forget(work.db, current.mention, after=before.corrected)
    was = current if before.item is None else before.item
    kept = queue.save(work.db, was, expected_version=current.version)
    if was.state in UNHANDLED and current.state not in UNHANDLED:
        tallies.take_back(work.db, record.at, [("handled", "", current.state)])
    moved = {"from": str(current.state), "state": str(kept.state), "assignee": kept.assignee}
    _tell(work, name, "queue.undone", record, moved)
    work.audit("queue.undone", name, item_facts(current), item_facts(kept))


def _draft(work: Work, number: int, record: Record, before: Before) -> None:
    current = drafts.get(work.db, number)
    if current is None or before.draft is None:
        return
    was = replace(before.draft, text=current.text, image=current.image)
    kept = drafts.save(work.db, was, expected_version=current.version)
    name = short_id("Q", current.item)
    _tell(work, name, "draft.undone", record)
    work.audit("draft.undone", name, draft_facts(current), draft_facts(kept))


def _incident(
    work: Work, record: Record, before: Before, was: Incident, lent: Collection[str]
) -> None:
    db, current, name = work.db, incident_of(work.db, was.id), short_id("I", was.id)
    known = alerts.get(db, {*current.alerts, *was.alerts})
    back = restored(current, was, alerts=known, others=set(lent) - set(was.alerts))
    if before.was_judged:
        verdicts.put_back(db, was.id, before.verdict)
    if set(back.alerts) != set(current.alerts):
        own = (key for mark in back.alerts if mark in known for key in known[mark].evidence)
        incidents.drop_evidence_after(db, was.id, before.evidence, own)
    kept = incidents.save(db, back, expected_version=current.version)
    if current.state is not IncidentState.OPEN:
        _go_on(work, record, before, was)
    _tell(work, name, "incident.undone", record)
    work.audit("incident.undone", name, incident_facts(current), incident_facts(kept))
    if current.notified_at is not None:
        unsaid = outbox.withdraw(db, was.id, SAID, at=record.at)
        work.announce(kept, _news(current, kept), without=unsaid)


def _go_on(work: Work, record: Record, before: Before, was: Incident) -> None:
    """Let the escalation go on where it stood, with what it would have said meanwhile."""
    if was.state is IncidentState.OPEN and before.escalation is not None:
        escalations.save(work.db, before.escalation)
        outbox.revive(work.db, was.id, since=record.at)


def _news(current: Incident, kept: Incident) -> NotificationKind:
    if current.state is kept.state:
        is_given = current.assignee != kept.assignee
        return NotificationKind.ASSIGNED if is_given else NotificationKind.REFRESHED
    is_over = kept.state is IncidentState.RESOLVED
    return NotificationKind.RESOLVED if is_over else NotificationKind.REOPENED


def _rejoin(work: Work, number: int, record: Record) -> None:
    """Close what a split made; its evidence goes back with its place."""
    current, name = incident_of(work.db, number), short_id("I", number)
    into = next(part for part in record.parts if part.before.incident is not None)
    closed = rejoined(current, int(into.target[1:]), actor=work.actor, now=work.now)
    kept = incidents.save(work.db, closed, expected_version=current.version)
    incidents.rejoin(work.db, int(into.target[1:]), off=number)
    _tell(work, name, "incident.undone", record)
    work.audit("incident.undone", name, incident_facts(current), incident_facts(kept))
    if current.notified_at is not None:
        work.announce(kept, NotificationKind.MERGED)


def _tell(
    work: Work,
    target: str,
    kind: str,
    record: Record,
    moved: Mapping[str, str | None] | None = None,
) -> None:
    data = {**(moved or {}), "verb": record.verb, "deed": record.id}
    event = Event(target=target, at=work.now, kind=kind, actor=work.actor, data=data)
    timeline.add(work.db, [event])
