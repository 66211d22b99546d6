"""The engine: sliding windows in memory, counted as mentions come and go, never scanned again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from veille.domain.alert import Reading
from veille.domain.history import HISTORY, History, Tally
from veille.domain.record import Observation
from veille.rules.model import RuleSet
from veille.rules.view import View
from veille.rules.window import Window

PARIS = ZoneInfo("Europe/Paris")


class Engine:
    """What the rules say of the mentions observed so far.

    Windows slide over arrival: a mention counts while `now - window < received_at <= now`. When the
    clock steps back, what was counted stays until its window has passed by the new time. `zone` is
    where the hours of seasonal baselines are told; `reach` is how far back what was observed is
    complete.
    """

    def __init__(
        self, ruleset: RuleSet, *, zone: ZoneInfo = PARIS, reach: timedelta = HISTORY
    ) -> None:
        self._windows = [Window(rule, zone, reach=reach) for rule in ruleset.rules]

    @property
    def max_window(self) -> timedelta:
        """The longest window of any rule; zero without rules."""
        return max((window.rule.window for window in self._windows), default=timedelta(0))

    @property
    def horizon(self) -> timedelta:
        """How far back observations must be read again after a restart.

        An engine that is restored from every observation received since `now - horizon`, in the
        order of `seq`, and from the stored histories gives the readings of one that never stopped.
        """
        return max((window.rule.kept for window in self._windows), default=timedelta(0))

    @property
    def is_restless(self) -> bool:
        """Whether time alone may make a spike of what was counted at the last look."""
        return any(window.is_restless for window in self._windows)

    def restore(
        self, recent: Iterable[Observation], histories: Mapping[str, History], now: datetime
    ) -> None:
        """Stand as after `recent` was observed and told, with these histories by rule version."""
        for observation in recent:
            self.observe(observation)
        self.slide(now)
        for window in self._windows:
            window.past.restore(histories.get(window.rule.version, History()))

    def observe(self, observation: Observation) -> None:
        """Take in a mention, an edit (same key: it replaces) or a deletion (no analysis).

        Repeating the last observation of a key changes nothing.
        """
        view = None if observation.analysis is None else View(observation, observation.analysis)
        for window in self._windows:
            window.observe(observation, view)

    def slide(self, now: datetime) -> None:
        """Count what has come by `now`, and let go of what is too old."""
        for window in self._windows:
            window.slide(now)

    def readings(self, now: datetime) -> list[Reading]:
        """Return one reading per rule and group with a mention in its window.

        The order is that of the rules, then of the groups' values. A group without mentions has no
        reading.
        """
        return [reading for window in self._windows for reading in window.readings(now)]

    def take_tally(self) -> Tally:
        """Return what is new in the histories since the last call."""
        counts: dict[tuple[str, str, int], int] = {}
        since: dict[str, datetime] = {}
        for window in self._windows:
            version, past = window.rule.version, window.past
            counts |= {(version, mark, h): n for (mark, h), n in past.told.items() if n}
            past.told.clear()
            if past.is_new and past.since is not None:
                since[version], past.is_new = past.since, False
        return Tally(counts=counts, since=since)
