"""Who is on call, and how far an incident that nobody took has been escalated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from veille.domain.alert import Severity
from veille.domain.calendar import Hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can be on call. `id` is a user's name; `slack` a member id (`U0123456789`).

    What is not critical waits for the end of the `quiet` hours.
    """

    id: str
    name: str
    receivers: tuple[str, ...] = ()
    slack: str | None = None
    quiet: Hours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """From when to when (excluded) these people are on call, by id; nobody: a gap."""

    starts_at: datetime
    ends_at: datetime
    people: tuple[str, ...]


def shift_key(shift: Shift) -> str:
    """Return what names a shift of one person: until when, and who."""
    return f"{int(shift.ends_at.timestamp())}.{shift.people[0]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Somebody takes over a schedule for a while. Of two at one time the later id counts."""

    id: int
    schedule: str
    person: str
    starts_at: datetime
    ends_at: datetime
    actor: str
    created_at: datetime
    ended_at: datetime | None = None


class CalendarRole(StrEnum):
    """What an imported calendar says: who is on call, or who takes over."""

    PRIMARY = "primary"
    OVERRIDE = "override"


class Ended(StrEnum):
    """Why an escalation tells nobody any more."""

    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    MUTED = "muted"
    FINISHED = "finished"
    QUIET = "quiet"  # finished, and its alerts ended since: what comes back is told anew
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """People of a step who are told when their quiet hours end, unless somebody took it by then."""

    people: tuple[str, ...]
    step: int
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """How far one incident went through its policy: the timer that the store keeps.

    `done` counts the steps gone through, over all rounds; `told` the times people were told: it
    makes the keys. `due_at` is when the next one is due, None when there is none.
    """

    incident: int
    policy: str
    severity: Severity
    started_at: datetime
    done: int = 0
    told: int = 0
    waiting: tuple[Waiting, ...] = ()
    due_at: datetime | None = None
    ended: Ended | None = None
    ended_at: datetime | None = None
