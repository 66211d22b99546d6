"""What the clock and the ledger say: ages in business time, reasons, decisions, clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.domain.ledger import Entry, Why
from veille.domain.obligation import Clock
from veille.domain.priority import Pace, pace
from veille.domain.promise import Promise, Promises
from veille.wording import format as wording
from veille.wording.catalogue import Catalogue

_SHAPES = {Pace.NONE: "–", Pace.ON_TIME: "○", Pace.SOON: "◐", Pace.OVERDUE: "●"}
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One entry of the ledger in words; `shape` and `pace` go with `due`."""

    entry: Entry
    age: str
    due: str
    pace: str
    shape: str
    why: str
    decided: str


def worked(say: Catalogue, lasting: timedelta) -> str:
    """Return business time in hours and minutes, never days: a day of work is not 24 h."""
    minutes = max(0, lasting // _MINUTE)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return say("clock.minutes", minutes=rest)
    return say("clock.hours", hours=wording.number(say, hours), minutes=rest)


def entry(say: Catalogue, found: Entry, promises: Promises, *, now: datetime, zone: str) -> Said:
    """Return one entry of the ledger in words."""
    stands = found.pace(now)
    return Said(
        entry=found,
        age=worked(say, found.age(promises, now)),
        due=_due(say, found, stands, now, zone),
        pace=stands.value,
        shape=_SHAPES[stands],
        why="" if found.outcome else _why(say, found, promises, now, zone),
        decided=_decided(say, found, now, zone) if found.outcome else "",
    )


def clocks(
    say: Catalogue, found: tuple[Clock, ...], promise: Promise, *, now: datetime, zone: str
) -> list[str]:
    """Return each promised clock as a line: what for, how much is used of what, until when."""
    return [
        _clock(say, clock, clock.bound, promise, now, zone)
        for clock in found
        if clock.bound is not None
    ]


def moment(say: Catalogue, at: datetime, now: datetime, zone: str) -> str:
    """Return the hour of today, else day and hour."""
    if wording.date(say, at, zone) == wording.date(say, now, zone):
        return wording.clock(say, at, zone)
    return wording.moment(say, at, zone)


def _clock(
    say: Catalogue,
    clock: Clock,
    bound: timedelta,
    promise: Promise,
    now: datetime,
    zone: str,
) -> str:
    due_at = clock.due_at(promise.opening)
    if clock.met_at is not None:
        state = say("clock.state.met", time=moment(say, clock.met_at, now, zone))
    elif due_at is None:
        state = say("clock.state.rests")
    else:
        stands = pace(due_at, clock.warn_at(promise), now)
        state = say(f"clock.due.{stands.value}", time=moment(say, due_at, now, zone))
    return say(
        "clock.line",
        duty=say(f"clock.duty.{clock.duty.value}"),
        used=worked(say, clock.used(now, promise.opening)),
        bound=worked(say, bound),
        state=state,
    )


def _due(say: Catalogue, found: Entry, stands: Pace, now: datetime, zone: str) -> str:
    if found.due_at is None:
        rests = any(clock.bound is not None and clock.met_at is None for clock in found.clocks)
        return say("clock.due.rests" if rests else "clock.due.none")
    return say(f"clock.due.{stands.value}", time=moment(say, found.due_at, now, zone))


def _why(say: Catalogue, found: Entry, promises: Promises, now: datetime, zone: str) -> str:
    why = found.why(promises, now)
    since = "" if found.since is None else moment(say, found.since, now, zone)
    named = why is Why.WAITING and found.waiting_for
    said = say(
        f"clock.why.{why.value}_for" if named else f"clock.why.{why.value}",
        name=wording.visible(found.assignee or ""),
        whom=wording.visible(found.waiting_for or ""),
        since=since,
        until="" if found.snoozed_until is None else moment(say, found.snoozed_until, now, zone),
    )
    return say("clock.again", why=said) if found.is_again else said


def _decided(say: Catalogue, found: Entry, now: datetime, zone: str) -> str:
    at = "" if found.decided_at is None else moment(say, found.decided_at, now, zone)
    by = "by" if found.actor else "alone"
    said = say(
        f"clock.outcome.{by}",
        what=say(f"clock.outcome.{found.outcome}"),
        name=wording.visible(found.actor or ""),
        time=at,
    )
    if not found.reason or found.outcome == "answered":
        return said
    return say("clock.outcome.reason", said=said, reason=wording.visible(found.reason))
