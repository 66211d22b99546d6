"""Which item first: severity, urgency, clock and audience, each with its points and its fact.

Weights and why: docs/decisions/0009-priority.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from veille.domain.alert import Severity

SEVERITY: Mapping[Severity, int] = {Severity.CRITICAL: 80, Severity.WARNING: 40, Severity.INFO: 0}
"""One step weighs more than clock and audience together: neither puts a lesser matter before."""
URGENCY = 30
"""Of a score of 1; with the clock it may lift an item by one step of severity, never by two."""
AUDIENCE: tuple[tuple[int, int], ...] = (
    (1_000_000, 10),
    (100_000, 8),
    (10_000, 6),
    (1_000, 4),
    (100, 2),
)
"""From how many followers, and what for: two points for each power of ten."""


class Pace(StrEnum):
    """How the nearest clock of an item stands."""

    NONE = "none"
    """None runs: nobody is owed anything now."""
    ON_TIME = "on_time"
    SOON = "soon"
    """The warning time has come."""
    OVERDUE = "overdue"


CLOCK: Mapping[Pace, int] = {Pace.NONE: 0, Pace.ON_TIME: 4, Pace.SOON: 12, Pace.OVERDUE: 20}


class Ground(StrEnum):
    """What a term of the sum is about."""

    SEVERITY = "severity"
    URGENCY = "urgency"
    CLOCK = "clock"
    AUDIENCE = "audience"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Some points and the fact they are for: a severity, a score, a pace, a number of followers.

    `due_at` is of the clock.
    """

    ground: Ground
    points: int
    fact: Severity | Pace | float | int
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Priority:
    """The four terms, always all of them and in this order; `points` is their sum, 0 to 140."""

    terms: tuple[Term, ...]

    @property
    def points(self) -> int:
        """How pressing it is: what has more comes first, ties oldest first."""
        return sum(term.points for term in self.terms)


def pace(due_at: datetime | None, warn_at: datetime | None, now: datetime) -> Pace:
    """Return how a clock stands that is due then and warns then; None: it does not run."""
    if due_at is None:
        return Pace.NONE
    if due_at <= now:
        return Pace.OVERDUE
    return Pace.SOON if warn_at is not None and warn_at <= now else Pace.ON_TIME


def priority(
    *,
    severity: Severity,
    urgency: float,
    audience: int,
    due_at: datetime | None,
    warn_at: datetime | None,
    now: datetime,
) -> Priority:
    """Return how pressing an item is at `now`; `urgency` in [0, 1], `audience` in followers."""
    stands = pace(due_at, warn_at, now)
    heard = next((points for least, points in AUDIENCE if audience >= least), 0)
    # half up, as SQL does it: store/ranking.py orders by the same sum
    urgent = int(urgency * URGENCY + 0.5)
    return Priority(
        terms=(
            Term(ground=Ground.SEVERITY, points=SEVERITY[severity], fact=severity),
            Term(ground=Ground.URGENCY, points=urgent, fact=urgency),
            Term(ground=Ground.CLOCK, points=CLOCK[stands], fact=stands, due_at=due_at),
            Term(ground=Ground.AUDIENCE, points=heard, fact=audience),
        )
    )
