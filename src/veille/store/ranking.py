"""The queue in the order of `domain/priority.py`: the same sum, made in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from veille.domain.errors import InputError
from veille.domain.incident import QueueItem
from veille.domain.priority import (
    AUDIENCE,
    CLOCK,
    SEVERITY,
    URGENCY,
    Pace,
    Priority,
    pace,
    priority,
)
from veille.domain.queue_filter import NOBODY, QueueFilter
from veille.store.codec import json_list, micros, moment, to_json
from veille.store.engine import Db, Row, Value
from veille.store.queue import of_row

_SEVERITIES = " ".join(f"WHEN '{name}' THEN {points}" for name, points in SEVERITY.items())
_HEARD = " ".join(f"WHEN audience >= {least} THEN {points}" for least, points in AUDIENCE)
_POINTS = f"""CASE severity {_SEVERITIES} END
    + CAST(coalesce(urgency, 0) * {URGENCY} + 0.5 AS INTEGER)
    + CASE WHEN due_at IS NULL THEN {CLOCK[Pace.NONE]}
        WHEN due_at <= ?1 THEN {CLOCK[Pace.OVERDUE]}
        WHEN warn_at <= ?1 THEN {CLOCK[Pace.SOON]} ELSE {CLOCK[Pace.ON_TIME]} END
    + CASE {_HEARD} ELSE 0 END"""
_ORDERS = {
    (False, False): ("(-points, created_at, id) > (?4, ?5, ?6)", "points DESC, created_at, id"),
    (False, True): ("(-points, created_at, id) < (?4, ?5, ?6)", "points, created_at DESC, id DESC"),
    (True, False): ("(updated_at, id) < (?4, ?5)", "updated_at DESC, id DESC"),
    (True, True): ("(updated_at, id) > (?4, ?5)", "updated_at, id"),
}
"""What lies beyond a place, and in which order: of what is done with or not, backwards or not."""
# what brings an item up by itself, among those that changed since
_RAISED = """ AND updated_at > ?{0} AND EXISTS (SELECT 1 FROM timeline t
    WHERE t.target = 'Q' || queue.id AND t.at > ?{0}
    AND t.kind IN ('queue.flagged', 'queue.returned', 'queue.woken'))"""
DIGITS = 18
"""Of a number in an address: what a column holds has 19 at most."""
_MICROS_DIGITS = 16
"""Of a moment in an address, in microseconds: until 2286, which every time zone can write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page ends: `at` is when its first page was made, and the order is of then.

    So it stays as it is while one reads on. `points` is None among what is done with.
    """

    at: datetime
    points: int | None
    since: datetime
    id: int

    @property
    def key(self) -> tuple[float, float, int]:
        """What the list is ordered by: pressing ones first, of what is done the newest."""
        since = self.since.timestamp()
        if self.points is None:
            return (0, -since, -self.id)
        return (-self.points, since, self.id)

    def __str__(self) -> str:
        points = "" if self.points is None else self.points
        return f"{micros(self.at)}.{points}.{micros(self.since)}.{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """An item with its nearest clock and its priority; `place` is what a page after it begins at.

    `warn_at` and `due_at` are None where no clock runs.
    """

    item: QueueItem
    due_at: datetime | None
    warn_at: datetime | None
    priority: Priority
    place: Place

    @property
    def pace(self) -> Pace:
        """How its clock stood when the order was made."""
        return pace(self.due_at, self.warn_at, self.place.at)


def parse_place(text: str) -> Place:
    """Return the place that an address carries; InputError for anything else."""
    parts = text.split(".")
    numbers = [part for part in (parts[:1] + parts[2:]) if part.isascii() and part.isdigit()]
    is_number = len(parts) == 4 and len(numbers) == 3  # noqa: PLR2004 as Place.__str__ writes it
    is_long = any(len(part) > DIGITS for part in parts)
    is_long |= any(len(part) > _MICROS_DIGITS for part in parts[0:3:2])
    if not is_number or is_long or not (parts[1] + "0").isdigit():
        raise InputError("after: no place in the queue: begin at its first page")
    try:
        return Place(
            at=moment(int(parts[0])),
            points=int(parts[1]) if parts[1] else None,
            since=moment(int(parts[2])),
            id=int(parts[3]),
        )
    except (OverflowError, ValueError) as error:
        raise InputError("after: no place in the queue: begin at its first page") from error


def ranked(
    db: Db,
    where: QueueFilter,
    *,
    now: datetime,
    limit: int,
    after: Place | None = None,
    before: Place | None = None,
    made_by: datetime | None = None,
    raised_since: datetime | None = None,
) -> list[Ranked]:
    """Return up to `limit` items after a place: the most pressing first, ties oldest first.

    What is done with comes newest change first. With `after`, clocks count as of its first page.
    With `before`, those before that place, the nearest first; with `made_by`, those that were in
    the queue by then; with `raised_since`, those that a graver rule, their author or the end of a
    snooze brought up after that.
    """
    place = after if before is None else before
    at = now if place is None else place.at
    conditions, params = _conditions(where, at)
    if made_by is not None:
        params.append(micros(made_by))
        conditions += f" AND created_at <= ?{len(params)}"
    if raised_since is not None:
        params.append(micros(raised_since))
        conditions += _RAISED.format(len(params))
    beyond, order = _ORDERS[where.is_done, before is not None]
    points = "NULL" if where.is_done else _POINTS
    if place is not None:
        first = () if where.is_done else (-(place.points or 0),)
        edge = (*first, micros(place.since), place.id)
        params[3 : 3 + len(edge)] = edge
    inner = f"SELECT queue.*, {points} AS points FROM queue WHERE {conditions}"  # noqa: S608
    limits = f"WHERE {beyond}" if place is not None else ""
    rows = db.rows(
        f"SELECT * FROM ({inner}) {limits} ORDER BY {order} LIMIT ?7",  # noqa: S608 constants
        [*params[:6], limit, *params[7:]],
    )
    return [_ranked(row, at) for row in rows]


def of_items(db: Db, ids: Collection[int], *, now: datetime) -> dict[int, Ranked]:
    """Return these items as they rank at `now`, by number; one that is no more is absent."""
    rows = db.rows(
        f"""SELECT queue.*, {_POINTS} AS points FROM queue
        WHERE id IN (SELECT value FROM json_each(?2))""",  # noqa: S608 constants
        (micros(now), to_json(list(ids))),
    )
    return {row["id"]: _ranked(row, now) for row in rows}


def among(db: Db, where: QueueFilter, ids: Collection[int], *, now: datetime) -> set[int]:
    """Return which of these items are wanted."""
    conditions, params = _conditions(where, now)
    params.append(to_json(list(ids)))
    rows = db.rows(
        f"""SELECT id FROM queue WHERE {conditions}
        AND id IN (SELECT value FROM json_each(?{len(params)}))""",  # noqa: S608 constants
        params,
    )
    return {row["id"] for row in rows}


def count(
    db: Db,
    where: QueueFilter,
    *,
    now: datetime,
    limit: int = 10_000,
    made_after: datetime | None = None,
) -> int:
    """Return how many items are wanted, `limit` where there are as many or more.

    With `made_after`, of those that came to the queue since.
    """
    conditions, params = _conditions(where, now)
    if made_after is not None:
        params.append(micros(made_after))
        conditions += f" AND created_at > ?{len(params)}"
    return int(
        db.value(
            f"SELECT count(*) FROM (SELECT 1 FROM queue WHERE {conditions} LIMIT ?7)",  # noqa: S608
            [*params[:6], limit, *params[7:]],
        )
    )


def _conditions(where: QueueFilter, at: datetime) -> tuple[str, list[Value]]:
    """Return the condition and its parameters: ?1 the time, ?4 to ?7 left to who asks."""
    # what is done with is read by its change, what is to do by its state: each has its index
    column = "+state" if where.is_done else "state"
    found = [f"{column} IN (SELECT value FROM json_each(?2))"]  # noqa: S608 constants
    params: list[Value] = [micros(at), json_list(where.states), where.assignee, *[None] * 4]
    if where.is_snoozed is not None:
        is_hidden = "snoozed_until IS NOT NULL AND snoozed_until > ?1"
        found.append(is_hidden if where.is_snoozed else f"NOT ({is_hidden})")
    if where.is_overdue is not None:
        is_late = "due_at IS NOT NULL AND due_at <= ?1"
        found.append(is_late if where.is_overdue else f"NOT ({is_late})")
    if where.assignee is not None:
        found.append("assignee IS NULL" if where.assignee == NOBODY else "assignee = ?3")
    lists: Sequence[tuple[str, Collection[str]]] = (
        ("severity", where.severity),
        ("source", where.source),
        ("intent", where.intent),
        ("sentiment", where.sentiment),
    )
    for name, values in lists:
        if values:
            params.append(json_list(sorted(values)))
            found.append(f"{name} IN (SELECT value FROM json_each(?{len(params)}))")  # noqa: S608
    for name, values in (("topics", where.topic), ("places", where.places)):
        if values:
            params.append(json_list(sorted(values)))
            found.append(
                f"EXISTS (SELECT 1 FROM json_each({name}) WHERE value IN "  # noqa: S608 constants
                f"(SELECT value FROM json_each(?{len(params)})))"
            )
    return " AND ".join(found), params


def _ranked(row: Row, at: datetime) -> Ranked:
    item = of_row(row)
    due_at, warn_at = moment(row["due_at"]), moment(row["warn_at"])
    found = priority(
        severity=item.severity,
        urgency=row["urgency"] or 0.0,
        audience=row["audience"] or 0,
        due_at=due_at,
        warn_at=warn_at,
        now=at,
    )
    since = item.updated_at if row["points"] is None else item.created_at
    place = Place(at=at, points=row["points"], since=since, id=item.id)
    return Ranked(item=item, due_at=due_at, warn_at=warn_at, priority=found, place=place)
