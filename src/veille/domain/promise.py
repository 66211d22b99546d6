"""What is promised to who writes: how soon, in whose hours, by source and intent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from veille.domain.alert import Severity
from veille.domain.analysis import IntentLabel
from veille.domain.hours import Opening

ASKING = frozenset({IntentLabel.QUESTION, IntentLabel.REQUEST})
"""Who writes so waits for an answer, flagged or not."""


class Duty(StrEnum):
    """What a clock counts towards."""

    FIRST = "first_response"
    NEXT = "next_response"
    RESOLUTION = "resolution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Business time until each duty is due; one that is absent is not promised.

    The warning comes when `warn_ratio` in (0, 1] of a bound is used, or `warn_before` of business
    time before it is due where that is set. `nonstop` duties are counted day and night.
    """

    opening: Opening
    bounds: Mapping[Duty, timedelta]
    nonstop: frozenset[Duty] = frozenset()
    warn_ratio: float = 0.75
    warn_before: timedelta | None = None

    def warns_after(self, bound: timedelta) -> timedelta:
        """Return after how much business time a bound of that length warns."""
        if self.warn_before is not None:
            return max(timedelta(0), bound - self.warn_before)
        return bound * self.warn_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Grave:
    """How soon what is that grave is resolved at the latest; `nonstop`: day and night."""

    within: timedelta
    nonstop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Other hours or bounds for some sources (ids or kinds; none: all) and intents (none: all).

    A bound None is not promised there; nor is one of `grave`, by severity.
    """

    sources: frozenset[str] = frozenset()
    intents: frozenset[IntentLabel] = frozenset()
    opening: Opening | None = None
    bounds: Mapping[Duty, timedelta | None] = field(default_factory=dict)
    grave: Mapping[Severity, Grave | None] = field(default_factory=dict)

    def is_for(self, source: str, kind: str, intent: str) -> bool:
        """Whether it changes what is promised there."""
        return (not self.sources or bool(self.sources & {source, kind})) and (
            not self.intents or intent in self.intents
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """The promise for everybody and its changes, the last that applies counts.

    `grave` says how soon queue items of a severity are resolved at the latest.

    `kinds` is the kind of each source by id; on those of `mute` (ids or kinds) nobody can answer.
    A reply `robot_within` of what it answers was written by no person.
    """

    promise: Promise
    changes: tuple[Change, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    mute: frozenset[str] = frozenset()
    grave: Mapping[Severity, Grave | None] = field(default_factory=dict)
    robot_within: timedelta = timedelta(seconds=10)

    def of(self, source: str, intent: str, severity: Severity | None = None) -> Promise:
        """Return what is promised to who writes so there, in a queue item of that severity."""
        opening, bounds = self.promise.opening, dict[Duty, timedelta | None](self.promise.bounds)
        graves = dict[Severity, Grave | None](self.grave)
        for change in self.changes:
            if change.is_for(source, self.kinds.get(source, ""), intent):
                opening = change.opening or opening
                bounds |= change.bounds
                graves |= change.grave
        grave = None if severity is None else graves.get(severity)
        if grave is not None:
            bounds[Duty.RESOLUTION] = min(bounds.get(Duty.RESOLUTION) or grave.within, grave.within)
        return Promise(
            opening=opening,
            bounds={duty: bound for duty, bound in bounds.items() if bound is not None},
            nonstop=frozenset({Duty.RESOLUTION} if grave is not None and grave.nonstop else ()),
            warn_ratio=self.promise.warn_ratio,
            warn_before=self.promise.warn_before,
        )

    def can_answer(self, source: str) -> bool:
        """Whether a person can answer where this was written."""
        return not self.mute & {source, self.kinds.get(source, "")}
