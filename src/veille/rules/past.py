"""What one rule has counted, hour by hour: told to the store, and learnt from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from veille.domain.calendar import Region
from veille.domain.circumstances import CALM
from veille.domain.history import HISTORY, HOUR, History, hour_number, hour_start
from veille.rules.model import Rule
from veille.rules.season import HOURS, Season, learn, learnable

Spans = tuple[tuple[datetime, datetime], ...]
"""Times from and until, in order."""
HEARD = 0.75
"""Less than this share of an hour or a window heard says nothing of how many came; judgement."""


class Past:
    """The history of one rule. Only a seasonal one keeps its counts in memory, eight weeks' worth.

    A mention is counted in the hour it arrived, once, when it is observed; one that is edited or
    deleted while it still counts for the rule is taken back.
    """

    def __init__(self, rule: Rule, zone: ZoneInfo) -> None:
        self._rule = rule
        self._zone = zone
        self.region = Region.METROPOLE
        """Whose public holidays count as Sundays."""
        self.since: datetime | None = None
        self.is_new = False
        """Whether `since` was set and not yet taken."""
        self.told: Counter[tuple[str, int]] = Counter()
        """What was counted and not yet taken, by fingerprint and hour number."""
        self._counts: dict[str, dict[int, int]] = {}
        self.around = CALM
        """What the store knows of sources at this look: when one cannot be read it is not calm."""
        self._silences: tuple[tuple[datetime, datetime], ...] = ()
        self._silent: frozenset[int] = frozenset()
        self._seasons: dict[str, tuple[range, Spans, Season]] = {}

    def listen(self, at: datetime) -> None:
        """The rule has heard something: the first time is when its history begins."""
        if self.since is None:
            self.since, self.is_new = at, True

    def restore(self, history: History) -> None:
        """Go on from what the store holds; what was told in the meantime is in it already."""
        self.since, self.is_new = history.since, False
        self.told.clear()
        self._seasons.clear()
        self._counts = {}
        if self._rule.is_seasonal:
            self._counts = {mark: dict(hours) for mark, hours in history.counts.items()}
        self._silences = history.silences
        self._silent = frozenset(
            hour
            for start, end in history.silences
            for hour in range(hour_number(max(start, end - HISTORY)), hour_number(end) + 1)
            if not self.has_heard(hour_start(hour), hour_start(hour) + HOUR)
        )

    def has_heard(self, start: datetime, end: datetime) -> bool:
        """Whether veille ran for enough of the time between to know how many came."""
        return self.unheard(start, end) <= (1 - HEARD) * (end - start)

    def has_silence_since(self, start: datetime) -> bool:
        """Whether veille stood still at some time after that."""
        return any(over > start for _, over in self._silences)

    def unheard(
        self, start: datetime, end: datetime, outages: Iterable[tuple[datetime, datetime]] = ()
    ) -> timedelta:
        """Return for how long veille stood still between the two, or one of `outages` lasted."""
        total, told = timedelta(0), start
        for begun, over in sorted((*self._silences, *outages)):
            begun, over = max(told, begun), min(end, over)
            if begun < over:
                total, told = total + (over - begun), over
        return total

    def add(self, mark: str, hour: int, by: int) -> None:
        """So many more mentions of this group arrived in this hour."""
        self.told[mark, hour] += by
        if not self._rule.is_seasonal:
            return
        hours = self._counts.setdefault(mark, {})
        hours[hour] = hours.get(hour, 0) + by
        if not hours[hour]:
            del hours[hour]
        if not hours:
            del self._counts[mark]
        elif len(hours) > 2 * HOURS:  # half of it is too old to be asked for
            newest = max(hours)
            self._counts[mark] = {h: n for h, n in hours.items() if h > newest - 2 * HOURS}
        known = self._seasons.get(mark)
        if known is not None and hour in known[0]:
            del self._seasons[mark]

    def same_hour(self, mark: str, now: datetime) -> tuple[int, ...]:
        """Return what came in this hour of the weeks before, as far as it was heard, latest first.

        Weeks are told in the zone: 8 o'clock stays 8 o'clock when clocks change.
        """
        if self.since is None:
            return ()
        local, counts = now.astimezone(self._zone), self._counts.get(mark, {})
        heard = learnable(self.since, now, self._rule.span)
        weeks = (hour_number(local - timedelta(weeks=n)) for n in range(1, HISTORY.days // 7 + 1))
        return tuple(counts.get(h, 0) for h in weeks if h in heard and h not in self._silent)

    def season(self, mark: str, now: datetime, source: str | None = None) -> Season:
        """Return what is usual for a group before the window that ends at `now`.

        It is learnt once an hour, and again when an hour it was learnt from changes. Of a group of
        one `source` the hours in which that could not be read teach nothing.
        """
        hours = range(0) if self.since is None else learnable(self.since, now, self._rule.span)
        known = self._seasons.get(mark)
        outages = () if source is None else self.around.unread(source, hour_start(hours.stop))
        if known is not None and known[:2] == (hours, outages):
            return known[2]
        deaf = _deaf(outages)
        heard = [hour for hour in hours if hour not in self._silent and hour not in deaf]
        season = learn(self._counts.get(mark, {}), heard, self._zone, self.region)
        self._seasons[mark] = (hours, outages, season)
        return season


def _deaf(outages: Spans) -> frozenset[int]:
    """Return the hours of which more than a quarter lies in one of these."""
    return frozenset(
        hour
        for start, end in outages
        for hour in range(hour_number(max(start, end - HISTORY)), hour_number(end) + 1)
        if min(end, hour_start(hour) + HOUR) - max(start, hour_start(hour)) > (1 - HEARD) * HOUR
    )
