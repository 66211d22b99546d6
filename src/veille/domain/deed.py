"""What a person does to one or many queue items, as data: page, terminal and bulk alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from veille.domain.incident import QueueState

UNDO_FOR = timedelta(seconds=10)
"""How long an action may be undone: interface.md, principle 6."""
TWICE = timedelta(seconds=10)
"""The same words of one person again, so soon, are a second tap on a slow line: they stand once."""
BULK_LIMIT = 500
"""How many items one bulk action may name."""


class Verb(StrEnum):
    """What is done to a queue item; `take` and `assign` to an incident too."""

    TAKE = "take"
    ASSIGN = "assign"
    RELEASE = "release"
    MOVE = "move"
    SNOOZE = "snooze"
    UNSNOOZE = "unsnooze"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One verb with what it needs.

    `to` is of assign; `state`, `reason`, `waiting_for` and `stays_open` of move; `until` of snooze.
    With `stays_open`, answered or reported is noted and the item stays in its state.
    """

    verb: Verb
    to: str = ""
    state: QueueState | None = None
    reason: str = ""
    waiting_for: str = ""
    until: datetime | None = None
    stays_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done: `id` undoes it until `until`, None where nothing changed."""

    id: int | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One item of a selection, in the version the page showed."""

    target: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of one item: its state and owner, before and after."""

    target: str
    state: QueueState
    to_state: QueueState
    assignee: str | None
    to_assignee: str | None


class Unchanged(StrEnum):
    """Why one item of a selection stays as it is."""

    SO_ALREADY = "so_already"
    CHANGED_MEANWHILE = "changed_meanwhile"
    NEEDS_REASON = "needs_reason"
    NOT_ALLOWED = "not_allowed"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One item that stays as it is, why, and in words (English; a page says `why` itself).

    `who` and `at` are of the last person who changed it, where that is why.
    """

    target: str
    why: Unchanged
    words: str
    who: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a bulk action changes and what not; `done` once it was done."""

    changes: tuple[Change, ...] = ()
    refused: tuple[Refused, ...] = ()
    done: Done = Done()
