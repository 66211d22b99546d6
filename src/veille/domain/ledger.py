"""The ledger of what is unanswered: who waits, since when, and why; and what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from veille.domain.hours import elapsed, is_open
from veille.domain.incident import QueueState
from veille.domain.obligation import Clock
from veille.domain.priority import Pace, pace
from veille.domain.promise import Duty, Promises


class Why(StrEnum):
    """Why nobody answered yet; the first that holds is said."""

    UNANSWERABLE = "unanswerable"
    """Nobody can answer where it was written."""
    DRAFT = "draft"
    """A draft waits for another person's approval."""
    APPROVED = "approved"
    """An approved draft waits to be published."""
    WAITING = "waiting"
    """Somebody else must do something first."""
    SNOOZED = "snoozed"
    TAKEN = "taken"
    """Somebody has it."""
    OUT_OF_HOURS = "out_of_hours"
    """Nobody was there since it was written."""
    NOT_QUEUED = "not_queued"
    """No rule and no person put it into the queue."""
    NOBODY = "nobody"
    """Nobody took it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One question or request, as the store has it.

    `item` is its number in the queue, with state, owner and the rest of it; `draft` the state of
    its draft that is furthest. `outcome`, `actor`, `decided_at` and `reason` say what was decided,
    None while it is open; `actor` None where our account answered, or veille by itself. `repeats`
    counts the texts that say or continue it.
    """

    mention: str
    source: str
    intent: str
    asked_at: datetime
    clocks: tuple[Clock, ...]
    due_at: datetime | None
    warn_at: datetime | None
    item: int | None = None
    item_state: QueueState | None = None
    assignee: str | None = None
    since: datetime | None = None
    waiting_for: str | None = None
    snoozed_until: datetime | None = None
    draft: str | None = None
    repeats: int = 0
    outcome: str | None = None
    actor: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None

    @property
    def is_again(self) -> bool:
        """Whether it was answered before, and the citizen wrote again."""
        return any(clock.duty is Duty.NEXT and clock.met_at is None for clock in self.clocks)

    def pace(self, now: datetime) -> Pace:
        """Return how its nearest clock stands."""
        return pace(self.due_at, self.warn_at, now)

    def age(self, promises: Promises, now: datetime) -> timedelta:
        """Return the business time since it was asked, until it was decided."""
        hours = promises.of(self.source, self.intent).opening
        return elapsed(self.asked_at, min(self.decided_at or now, now), hours)

    def why(self, promises: Promises, now: datetime) -> Why:
        """Return why nobody answered yet."""
        hours = promises.of(self.source, self.intent).opening
        asleep = self.snoozed_until is not None and self.snoozed_until > now
        unseen = not is_open(now, hours) and not elapsed(self.asked_at, now, hours)
        found = (
            (Why.UNANSWERABLE, not promises.can_answer(self.source)),
            (Why.DRAFT, self.draft == "proposed"),
            (Why.APPROVED, self.draft == "approved"),
            (Why.WAITING, self.item_state is QueueState.WAITING),
            (Why.SNOOZED, asleep),
            (Why.TAKEN, self.assignee is not None),
            (Why.OUT_OF_HOURS, unseen),
            (Why.NOT_QUEUED, self.item is None),
        )
        return next((why for why, holds in found if holds), Why.NOBODY)
