"""Bulk: one deed for many queue items, looked at first, done in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from veille.alerts import items
from veille.alerts.handling import Handled
from veille.alerts.items import Doing
from veille.domain.deed import BULK_LIMIT, Change, Deed, Outcome, Refused, Seen, Unchanged
from veille.domain.errors import ConflictError, InputError, ReasonError
from veille.domain.ids import parse_short_id
from veille.domain.incident import QueueItem
from veille.pipeline.work import Work
from veille.store import queue, timeline
from veille.store.engine import Db


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    before: QueueItem
    done: Handled[QueueItem]


def preview(work: Work, selection: Sequence[Seen], deed: Deed) -> Outcome:
    """Return what would change and what not, and why; nothing is written."""
    planned, refused = _plan(work, selection, deed)
    return Outcome(changes=tuple(map(_change, planned)), refused=tuple(refused))


def bulk(work: Work, selection: Sequence[Seen], deed: Deed) -> Outcome:
    """All items that stand as they were seen are changed; return them, the others, and its undo."""
    planned, refused = _plan(work, selection, deed)
    for one in planned:
        work.save_item(one.before, one.done)
    return Outcome(changes=tuple(map(_change, planned)), refused=tuple(refused), done=work.done)


def _plan(
    work: Work, selection: Sequence[Seen], deed: Deed
) -> tuple[list[_Planned], list[Refused]]:
    if not 0 < len(selection) <= BULK_LIMIT:
        raise InputError(f"choose 1 to {BULK_LIMIT} queue items")
    wanted = {_number(seen): seen for seen in selection}
    found = queue.of_ids(work.db, wanted)
    asking = queue.asking(work.db, [item.mention for item in found.values()])
    planned: list[_Planned] = []
    refused: list[Refused] = []
    for number, seen in wanted.items():
        item = found.get(number)
        if item is None:
            words = "it is not in the queue (any more)"
            refused.append(Refused(target=seen.target, why=Unchanged.GONE, words=words))
        elif item.version != seen.version:
            refused.append(_meanwhile(work.db, seen, item))
        else:
            by = Doing(actor=work.actor, now=work.now, zone=work.zone, asks=item.mention in asking)
            _one(item, deed, by, seen, planned=planned, refused=refused)
    return planned, refused


def _one(
    item: QueueItem,
    deed: Deed,
    by: Doing,
    seen: Seen,
    *,
    planned: list[_Planned],
    refused: list[Refused],
) -> None:
    try:
        done = items.do(item, deed, by)
    except ReasonError as error:
        why, words = Unchanged.NEEDS_REASON, str(error)
    except ConflictError as error:
        why, words = Unchanged.NOT_ALLOWED, str(error)
    else:
        if done.event is not None:
            planned.append(_Planned(before=item, done=done))
            return
        why, words = Unchanged.SO_ALREADY, f"{seen.target} is so already"
    refused.append(Refused(target=seen.target, why=why, words=words, who=item.assignee))


def _meanwhile(db: Db, seen: Seen, item: QueueItem) -> Refused:
    last = timeline.last_change(db, seen.target)
    who = "veille" if last is None else last.actor
    return Refused(
        target=seen.target,
        why=Unchanged.CHANGED_MEANWHILE,
        words=f"{who} changed it meanwhile: it is {item.state} now",
        who=who,
        at=item.updated_at if last is None else last.at,
    )


def _number(seen: Seen) -> int:
    letter, number = parse_short_id(seen.target)
    if letter != "Q":
        raise InputError(f"{seen.target}: a bulk action is for queue items")
    return number


def _change(planned: _Planned) -> Change:
    before, after = planned.before, planned.done.subject
    return Change(
        target=f"Q{before.id}",
        state=before.state,
        to_state=after.state,
        assignee=before.assignee,
        to_assignee=after.assignee,
    )
