"""What people do to queue items, as pure changes: one table says which state follows which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from veille.alerts.handling import Handled, check_name, when
from veille.domain.deed import Deed, Verb
from veille.domain.errors import ConflictError, InputError, ReasonError
from veille.domain.ids import short_id
from veille.domain.incident import Event, QueueItem, QueueState

LONGEST_SNOOZE = timedelta(days=90)
"""What is put off for longer is closed: a season, well below the 180 days an item is kept."""
TEXT_LENGTH = 200
"""Of a reason, or of whom or what is waited for: a line, as a note is a page."""

_OPEN = frozenset(state for state in QueueState if state.is_open)
_ANY = frozenset(QueueState)
_BACK = frozenset({QueueState.NEW, QueueState.TAKEN})
MOVES: Mapping[QueueState, frozenset[QueueState]] = {
    QueueState.NEW: _ANY - {QueueState.NEW},
    QueueState.TAKEN: _ANY - {QueueState.TAKEN},
    QueueState.WAITING: _ANY,
    QueueState.REPORTED: _ANY - {QueueState.REPORTED},
    QueueState.ANSWERED: _BACK | {QueueState.REPORTED, QueueState.CLOSED},
    QueueState.CLOSED: _BACK,
    QueueState.OUT_OF_SCOPE: _BACK,
}
"""Which state may follow which. What is closed comes back as new, or taken by who reopens it;
waiting may follow waiting, for somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """Who acts and when (said in `zone`); `asks`: its question or request has no answer yet."""

    actor: str
    now: datetime
    zone: tzinfo = UTC
    asks: bool = False


def do(item: QueueItem, deed: Deed, by: Doing) -> Handled[QueueItem]:
    """Return the item after the deed, one version up; no event where it was so already.

    ConflictError when somebody else has it or its state does not allow it, ReasonError when a
    reason is owed, InputError for a name, moment or text that cannot be.
    """
    return _DEEDS[deed.verb](item, deed, by)


def wake(item: QueueItem, now: datetime) -> Handled[QueueItem]:
    """Return the item back from its snooze, by itself."""
    by = Doing(actor="veille", now=now)
    back = replace(item, snoozed_until=None, snoozed_by=None)
    return _handled(item, back, "woken", by, who=item.snoozed_by)


def heard(item: QueueItem, at: datetime, now: datetime) -> Handled[QueueItem]:
    """Return the item to do again: what its author wrote came in at `at`, after it was put away.

    What was done with is new and nobody's, as when a person reopens it; what waits goes on with
    who has it; a snooze is over. What is to do anyway, or was decided since, stays as it is.
    """
    by = Doing(actor="veille", now=now)
    is_asleep = item.snoozed_until is not None and at > item.updated_at
    is_put_away = item.state is QueueState.WAITING or not item.state.is_open
    is_put_away = is_put_away and at > _since(item)
    if not (is_asleep or is_put_away):
        return Handled(subject=item)
    back = _awake(item) if is_asleep else item
    if is_put_away:
        is_kept = item.state.is_open and item.assignee is not None
        state = QueueState.TAKEN if is_kept else QueueState.NEW
        owner = item.assignee if is_kept else None
        back = replace(back, state=state, assignee=owner, waiting_for=None, reason=None)
    return _handled(item, back, "returned", by, who=item.assignee)


def _take(item: QueueItem, deed: Deed, by: Doing) -> Handled[QueueItem]:
    del deed
    _check_open(item, by)
    if item.assignee is not None and item.assignee != by.actor:
        raise ConflictError(
            f"{_name(item)} is {item.assignee}'s since {when(_since(item), by.zone)}: "
            "assign it to take it over"
        )
    return _moved(item, QueueState.TAKEN, "taken", by)


def _assign(item: QueueItem, deed: Deed, by: Doing) -> Handled[QueueItem]:
    check_name(deed.to)
    _check_open(item, by)
    state = QueueState.TAKEN if item.state is QueueState.NEW else item.state
    given = replace(_awake(item), state=state, assignee=deed.to)
    return _handled(item, given, "assigned", by)


def _release(item: QueueItem, deed: Deed, by: Doing) -> Handled[QueueItem]:
    """Nobody's again, and new: its place in the queue is as before."""
    del deed
    _check_open(item, by)
    free = replace(_awake(item), state=QueueState.NEW, assignee=None, waiting_for=None)
    return _handled(item, free, "released", by, who=item.assignee)


def _reopen(item: QueueItem, deed: Deed, by: Doing) -> Handled[QueueItem]:
    """New and nobody's: who closed it may be away when the citizen writes again."""
    del deed
    if item.state.is_open:
        return Handled(subject=item)
    again = replace(item, state=QueueState.NEW, assignee=None, reason=None)
    return _handled(item, again, "reopened", by)


def _snooze(item: QueueItem, deed: Deed, by: Doing) -> Handled[QueueItem]:
    _check_open(item, by)
    if deed.until is None or not timedelta(0) < deed.until - by.now <= LONGEST_SNOOZE:
        raise InputError(
            f"{_name(item)}: snooze it until a moment to come, at most {LONGEST_SNOOZE.days} days"
        )
    if item.snoozed_until == deed.until:
        return Handled(subject=item)
    later = replace(item, snoozed_until=deed.until, snoozed_by=by.actor)
    return _handled(item, later, "snoozed", by, until=deed.until.isoformat())


def _unsnooze(item: QueueItem, deed: Deed, by: Doing) -> Handled[QueueItem]:
    del deed
    return _handled(item, _awake(item), "unsnoozed", by)


def _move(item: QueueItem, deed: Deed, by: Doing) -> Handled[QueueItem]:
    to, reason, whom = deed.state, _line(item, deed.reason), _line(item, deed.waiting_for)
    if to is None:
        raise InputError(f"{_name(item)}: say which state it moves to")
    if deed.stays_open:
        return _noted(item, to, by)
    if item.state is to and (to is not QueueState.WAITING or (item.waiting_for or "") == whom):
        return Handled(subject=item)
    if to not in MOVES[item.state]:
        raise ConflictError(
            f"{_name(item)} is {item.state} since {when(_since(item), by.zone)}: reopen it before "
            f"it is {to}"
        )
    if to is QueueState.CLOSED and by.asks and not reason:
        raise ReasonError(f"{_name(item)} is a question or request without an answer: say why")
    return _moved(item, to, "changed", by, reason=reason, waiting_for=whom)


def _moved(
    item: QueueItem, to: QueueState, verb: str, by: Doing, *, reason: str = "",
    waiting_for: str = "",
) -> Handled[QueueItem]:  # fmt: skip
    assignee = None if to is QueueState.NEW else item.assignee or by.actor
    after = replace(
        _marked(_awake(item), to, by),
        state=to,
        assignee=assignee,
        waiting_for=(waiting_for or None) if to is QueueState.WAITING else None,
        reason=None if to in _OPEN else reason or None,
    )
    return _handled(item, after, verb, by, text=reason or waiting_for)


def _noted(item: QueueItem, did: QueueState, by: Doing) -> Handled[QueueItem]:
    """Answered or reported, and still to be followed: several actions do not close."""
    _check_open(item, by)
    if did not in {QueueState.ANSWERED, QueueState.REPORTED}:
        raise InputError(f"{_name(item)}: only what is answered or reported may stay open")
    state = QueueState.TAKEN if item.state is QueueState.NEW else item.state
    after = replace(_marked(_awake(item), did, by), state=state, assignee=item.assignee or by.actor)
    return _handled(item, after, did.value, by)


def _marked(item: QueueItem, did: QueueState, by: Doing) -> QueueItem:
    if did is QueueState.ANSWERED:
        return replace(item, answered_at=by.now, answered_by=by.actor)
    return replace(item, reported_at=by.now) if did is QueueState.REPORTED else item


def _awake(item: QueueItem) -> QueueItem:
    return replace(item, snoozed_until=None, snoozed_by=None)


_DEEDS: Mapping[Verb, Callable[[QueueItem, Deed, Doing], Handled[QueueItem]]] = {
    Verb.TAKE: _take,
    Verb.ASSIGN: _assign,
    Verb.RELEASE: _release,
    Verb.MOVE: _move,
    Verb.SNOOZE: _snooze,
    Verb.UNSNOOZE: _unsnooze,
    Verb.REOPEN: _reopen,
}


def _handled(
    before: QueueItem,
    after: QueueItem,
    verb: str,
    by: Doing,
    *,
    text: str = "",
    who: str | None = None,
    until: str | None = None,
) -> Handled[QueueItem]:
    if after == before:
        return Handled(subject=before)
    state_at = by.now if after.state is not before.state else before.state_at
    after = replace(after, updated_at=by.now, state_at=state_at, version=before.version + 1)
    data: dict[str, str | None] = {
        "from": str(before.state),
        "state": str(after.state),
        "assignee": after.assignee,
    }
    if who is not None:
        data["who"] = who
    if until is not None:
        data["until"] = until
    event = Event(
        target=_name(after),
        at=by.now,
        kind=f"queue.{verb}",
        actor=by.actor,
        text=text,
        data=data,
    )
    return Handled(subject=after, event=event)


def _check_open(item: QueueItem, by: Doing) -> None:
    if not item.state.is_open:
        raise ConflictError(
            f"{_name(item)} is {item.state} since {when(_since(item), by.zone)}: "
            "reopen it to work on it again"
        )


def _line(item: QueueItem, text: str) -> str:
    said = " ".join(text.split())
    if len(said) > TEXT_LENGTH:
        raise InputError(f"{_name(item)}: a reason has at most {TEXT_LENGTH} characters")
    return said


def _since(item: QueueItem) -> datetime:
    return item.state_at or item.updated_at


def _name(item: QueueItem) -> str:
    return short_id("Q", item.id)
