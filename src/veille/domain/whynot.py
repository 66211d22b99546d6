"""What became of one mention under one rule: it alerted, or the first thing that stood against."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from veille.domain.alert import Baseline, Condition
from veille.domain.evidence import Asked
from veille.domain.silence import Mute


class Outcome(StrEnum):
    """How it ended; the first that applies, in the order in which a mention goes its way."""

    ABSENT = "absent"  # nothing is stored under this name
    DELETED = "deleted"
    UNREAD = "unread"  # not analyzed yet
    PARKED = "parked"  # analysis failed
    UNWATCHED = "unwatched"  # it belongs to no watch
    UNHEARD = "unheard"  # a rule about silence, and its source is not read any more
    UNSEEN = "unseen"  # the rules have not looked yet
    DISABLED = "disabled"
    MUTED = "muted"  # it alerted, and something kept it from being told
    SHADOW = "shadow"  # it alerted, and the rule is on trial
    FIRED = "fired"
    OWN = "own"  # published by the institution
    LATE = "late"
    TERRITORY = "territory"  # another place than the rule asks for
    WHERE = "where"  # another condition on the mention failed
    GROUP = "group"  # it has nothing to be grouped by
    COUNTING = "counting"  # the rule compares with its past, and has not counted all of it
    PENDING = "pending"  # not for long enough
    CONDITION = "condition"  # a condition on the window failed
    WOULD_FIRE = "would_fire"  # as written now it would have, and no alert is kept
    FORGOTTEN = "forgotten"  # the past state of such a rule is not kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who was told of an incident, and when."""

    receiver: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Commune:
    """A commune as read in the text; `insee` None: several were possible."""

    name: str
    insee: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyNot:
    """The answer, in numbers. `mention` is its key, or what was asked for where it is absent.

    `at` is when it alerted, else the look at which the rule came nearest to it. `asked` are the
    conditions on the mention, `conditions` those on the window at `at`. `lasted` is how long they
    held, `hold` how long they had to; `delay` how late the mention came, `limit` how late it may.
    `is_partial`: retention has taken mentions that counted then.
    """

    outcome: Outcome
    mention: str
    rule: str
    kind: str = ""
    rule_version: str = ""
    at: datetime | None = None
    asked: tuple[Asked, ...] = ()
    conditions: tuple[Condition, ...] = ()
    mention_count: int = 0
    window: timedelta | None = None
    baseline: Baseline | None = None
    hold: timedelta | None = None
    lasted: timedelta | None = None
    delay: timedelta | None = None
    limit: timedelta | None = None
    group_by: tuple[str, ...] = ()
    communes: tuple[Commune, ...] = ()
    alert: str | None = None
    incident: int | None = None
    mute: Mute | None = None
    told: tuple[Told, ...] = ()
    is_partial: bool = False

    @property
    def failed(self) -> Asked | Condition | None:
        """The first condition that did not hold, on the mention or else on the window."""
        if self.outcome in {Outcome.WHERE, Outcome.TERRITORY}:
            return next((each for each in self.asked if not each.holds), None)
        return next((each for each in self.conditions if not each.holds), None)
