"""What the engine holds for each rule: something that observes, and says what it sees."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from veille.domain.alert import Reading
from veille.domain.record import Observation
from veille.rules.composite import CompositeWatcher
from veille.rules.matchers import Needs
from veille.rules.model import Rule
from veille.rules.new_term import NewTermWatcher
from veille.rules.params import Composite, NewTerm, Silence, Steps, Unanswered
from veille.rules.past import Past
from veille.rules.sequence import SequenceWatcher
from veille.rules.silence import SilenceWatcher
from veille.rules.unanswered import UnansweredWatcher
from veille.rules.view import View
from veille.rules.window import Window


class Watcher(Protocol):
    """One rule at work. It is a function of what it observed, in order, and of `now`."""

    @property
    def rule(self) -> Rule:
        """The rule."""

    @property
    def past(self) -> Past:
        """What it has counted, hour by hour."""

    @property
    def wakes_at(self) -> datetime | None:
        """When time alone may change what was told at the last look, at the earliest."""

    @property
    def keys(self) -> Container[str]:
        """The mentions it holds: whatever else is observed of one of them concerns it."""

    @property
    def needs(self) -> Needs:
        """What a mention that it does not hold must have to concern it."""

    def tellings(self, now: datetime) -> list[Reading]:
        """Return of `readings` those that begin or hold an alert, see `rules/reading.py`."""

    def observe(self, observation: Observation, view: View | None) -> None:
        """Take in a mention, an edit (same key: it replaces) or a deletion (no view).

        Repeating the last observation of a key changes nothing.
        """

    def slide(self, now: datetime) -> None:
        """Count what has come by `now`, and let go of what is too old."""

    def readings(self, now: datetime) -> list[Reading]:
        """Return what it says of each group, active or not, in the order of their values."""


def watch(rule: Rule, *, zone: ZoneInfo, reach: timedelta) -> Watcher:
    """Return the watcher of a rule.

    `zone` is where hours are told, `reach` how far back what was observed is complete.
    """
    match rule.params:
        case Silence() as asked:
            return SilenceWatcher(rule, zone, asked)
        case Unanswered() as asked:
            return UnansweredWatcher(rule, zone, asked)
        case NewTerm() as asked:
            return NewTermWatcher(rule, zone, asked)
        case Steps() as asked:
            return SequenceWatcher(rule, zone, asked)
        case Composite() as asked:
            return CompositeWatcher(rule, zone, asked)
        case _:
            return Window(rule, zone, reach=reach)
