"""What is owed to somebody who wrote: three clocks, folded from what happened since."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from veille.domain.hours import ALWAYS, Opening, due, elapsed
from veille.domain.promise import Duty, Promise


class Happening(StrEnum):
    """What moves clocks."""

    WROTE = "wrote"
    """The citizen wrote again; thanks are none of it."""
    REPLIED = "replied"
    """We answered: seen on the platform, or a person said so."""
    RESTED = "rested"
    """It waits for somebody else, or for nobody since it is answered."""
    STOPPED = "stopped"
    """A person decided that there is nothing (more) to do."""
    RESUMED = "resumed"


class Standing(StrEnum):
    """Where an obligation is."""

    OPEN = "open"
    """Somebody waits for us."""
    MET = "met"
    """Answered, and nothing was written since."""
    ENDED = "ended"
    """Decided without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happened: `by` is who did it, `how` the state it was moved to."""

    at: datetime
    what: Happening
    by: str | None = None
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Business time towards one duty: `spent` until it last stopped, and `runs_from` since then.

    `bound` None: nothing is promised, it is only measured. `met_at`: the duty is done. `nonstop`:
    day and night are its hours, whatever those of opening.
    """

    duty: Duty
    since: datetime
    bound: timedelta | None
    spent: timedelta = timedelta(0)
    runs_from: datetime | None = None
    met_at: datetime | None = None
    nonstop: bool = False

    def due_at(self, hours: Opening) -> datetime | None:
        """Return when the bound is used up if it runs on; None where none runs."""
        return self._reaches(self.bound, hours)

    def warn_at(self, promise: Promise) -> datetime | None:
        """Return when to warn, before it is due."""
        warns = None if self.bound is None else promise.warns_after(self.bound)
        return self._reaches(warns, promise.opening)

    def used(self, now: datetime, hours: Opening) -> timedelta:
        """Return the business time used by then."""
        if self.runs_from is None:
            return self.spent
        return self.spent + elapsed(self.runs_from, now, ALWAYS if self.nonstop else hours)

    def _reaches(self, bound: timedelta | None, hours: Opening) -> datetime | None:
        if bound is None or self.runs_from is None:
            return None
        left, counted = bound - self.spent, ALWAYS if self.nonstop else hours
        return due(self.runs_from, left, counted) if left > timedelta(0) else self.runs_from


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How an obligation stands after all that happened.

    `outcome` is `answered`, or the state of the queue that it ended in; None while it is open.
    `actor` decided so at `decided_at`: a user, or None where our account replied by itself.
    """

    standing: Standing
    clocks: tuple[Clock, ...]
    outcome: str | None = None
    actor: str | None = None
    decided_at: datetime | None = None

    def nearest(self, promise: Promise) -> tuple[datetime, datetime] | None:
        """Return when the clock that is due first warns, and when it is due; None: none runs."""
        found = [
            (due_at, warn_at)
            for clock in self.clocks
            if (due_at := clock.due_at(promise.opening)) is not None
            and (warn_at := clock.warn_at(promise)) is not None
        ]
        return min(
            ((warn_at, due_at) for due_at, warn_at in found), key=lambda x: x[1], default=None
        )


def settle(
    asked_at: datetime,
    promise: Promise,
    steps: Iterable[Step],
    *,
    is_asked: bool,
    has_item: bool,
) -> Account:
    """Return how it stands after these steps, in order of time.

    Without `is_asked`, a flagged text that asks for nothing, only resolution is counted. Without
    `has_item` nobody can close it: our reply is the end of it.

    Waiting, closing and answering let business time stand still; work taken up again goes on with
    what was used. Only an answer does a duty. What the citizen writes after an answer starts the
    next response, what they write before adds nothing.
    """
    clocks: dict[Duty, Clock] = {}
    duties = (Duty.FIRST, Duty.RESOLUTION) if is_asked else (Duty.RESOLUTION,)
    for duty in duties:
        clocks[duty] = _started(duty, promise, asked_at)
    stopped: Step | None = None
    answer: Step | None = None
    hours = promise.opening
    for step in sorted(steps, key=lambda step: step.at):
        match step.what:
            case Happening.WROTE:
                stopped, answer = None, None
                _write(clocks, step.at, promise)
            case Happening.REPLIED:
                answer = answer or step
                _meet(clocks, step.at, hours)
                if not has_item:
                    _pause(clocks, step.at, hours)
            case Happening.RESTED:
                _pause(clocks, step.at, hours)
            case Happening.STOPPED:
                stopped = step
                _pause(clocks, step.at, hours)
            case Happening.RESUMED:
                stopped = None
                _resume(clocks, step.at)
    return _account(clocks, stopped, answer, is_asked=is_asked)


def _account(
    clocks: dict[Duty, Clock], stopped: Step | None, answer: Step | None, *, is_asked: bool
) -> Account:
    found = tuple(clocks.values())
    owed = any(c.met_at is None for c in found if c.duty is not Duty.RESOLUTION)
    runs = any(c.runs_from is not None for c in found)
    if answer is not None and not (owed if is_asked else runs):
        return Account(
            standing=Standing.MET,
            clocks=found,
            outcome="answered",
            actor=answer.by,
            decided_at=answer.at,
        )
    if stopped is not None:
        return Account(
            standing=Standing.ENDED,
            clocks=found,
            outcome=stopped.how,
            actor=stopped.by,
            decided_at=stopped.at,
        )
    return Account(standing=Standing.OPEN, clocks=found)


def _started(duty: Duty, promise: Promise, at: datetime) -> Clock:
    return Clock(
        duty=duty,
        since=at,
        bound=promise.bounds.get(duty),
        runs_from=at,
        nonstop=duty in promise.nonstop,
    )


def _write(clocks: dict[Duty, Clock], at: datetime, promise: Promise) -> None:
    """The citizen waits again, unless they still wait for the first answer."""
    _resume(clocks, at)
    first, following = clocks.get(Duty.FIRST), clocks.get(Duty.NEXT)
    is_answered = first is not None and first.met_at is not None
    if is_answered and (following is None or following.met_at is not None):
        clocks[Duty.NEXT] = _started(Duty.NEXT, promise, at)


def _resume(clocks: dict[Duty, Clock], at: datetime) -> None:
    for duty, clock in clocks.items():
        if clock.runs_from is None and clock.met_at is None:
            clocks[duty] = replace(clock, runs_from=at)


def _pause(clocks: dict[Duty, Clock], at: datetime, hours: Opening) -> None:
    for duty, clock in clocks.items():
        if clock.runs_from is not None:
            clocks[duty] = replace(clock, spent=clock.used(at, hours), runs_from=None)


def _meet(clocks: dict[Duty, Clock], at: datetime, hours: Opening) -> None:
    for duty, clock in clocks.items():
        if duty is not Duty.RESOLUTION and clock.met_at is None:
            clocks[duty] = replace(clock, spent=clock.used(at, hours), runs_from=None, met_at=at)
