"""Silence rules: who was heard and is not heard any more, and sources that cannot be read."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from veille.domain.alert import Condition, Reading
from veille.domain.analysis import (
    Analysis,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.history import HOUR, hour_number, hour_start
from veille.domain.ids import fingerprint
from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.rules.annotations import spoken
from veille.rules.gaps import KEPT_GAPS, MIN_GAPS, is_even, longest_usual_s
from veille.rules.memory import Memory
from veille.rules.model import Rule
from veille.rules.params import Silence
from veille.rules.season import Season, expected
from veille.rules.sliding import Values, source_of
from veille.rules.spike import MIN_DAYS
from veille.rules.stateful import Stateful
from veille.rules.view import View

DOWN, MUTE = "en panne", "muet"
_DIGITS = 4
_SECOND, _MINUTE, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
_LONGEST = timedelta(days=7)
"""A season is asked about so much of a silence at most: a week holds each hour once."""
_NEVER = timedelta(0)


class Heard(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a group, by its values: when it was heard first and last.

    `gaps` are the newest seconds between what arrived, oldest first. `others` counts what others
    wrote there since the last own post.
    """

    values: tuple[str, ...]
    first: datetime
    last: datetime | None
    gaps: tuple[float, ...] = ()
    others: int = 0


class SilenceWatcher(Stateful):
    """One silence rule. What was heard was heard, even if it is edited or deleted afterwards."""

    is_steady = True

    def __init__(self, rule: Rule, zone: ZoneInfo, asked: Silence) -> None:
        super().__init__(rule, zone)
        self.memory: Memory[Heard] = Memory(Heard)
        self._asked = asked
        self._zone = zone
        self._seq = 0
        self._silent_ones: set[str] = set()
        self._looked_at: datetime | None = None

    def observe(self, observation: Observation, view: View | None) -> None:
        """Hear a mention, once."""
        if self.past.since is None:
            self.past.listen(observation.received_at)
        if view is None or observation.seq <= self._seq or not self._is_about(observation, view):
            return
        self._seq = observation.seq
        for values in self.groups(view):
            mark = fingerprint(self.rule.id, dict(zip(self.rule.group_by, values, strict=True)))
            if not self._asked.own:
                self.past.add(mark, hour_number(observation.received_at), 1)
            known = self.memory.get(mark)
            hear = self._hear_own if self._asked.own else self._hear
            fresh = hear(known or _unheard(values, observation), observation)
            if fresh.last is not None:
                self.memory.put(mark, fresh)

    def readings(self, now: datetime) -> list[Reading]:
        """Return one reading per group that was ever heard, and per source that is down."""
        self._looked_at = now
        until = min(now, self.around.heard_until or now)
        found: dict[Values, Reading] = {}
        for mark, heard in self._known():
            found[heard.values] = self._reading(mark, heard, until)
        for source, since in self.around.failing.items():
            for values in self._of_source(source, found):
                down = self._down(values, since, now)
                found[values] = down if down.is_active else found.get(values, down)
        return [found[values] for values in sorted(found)]

    @property
    def wakes_at(self) -> datetime | None:
        """When a group may fall silent: what it is silent for by then, or a new hour is learnt."""
        now, until = self._looked_at, self.around.heard_until
        if now is None:
            return None
        wakes = (self._wakes(mark, heard, now) for mark, heard in self._known())
        found = [at for at in wakes if at is not None]
        downs = (since + self._asked.down_after for since in self.around.failing.values())
        found += [at for at in downs if at > now]
        at = min(found, default=None)
        return None if at is None or (until is not None and at > until) else at

    def _known(self) -> list[tuple[str, Heard]]:
        """Return what was heard where it is still listened: nobody misses what nobody reads."""
        read = self.around.sources
        return [
            (mark, heard)
            for mark, heard in self.memory.items()
            if read is None or source_of(self.rule, heard.values) in {None, *read}
        ]

    def _is_about(self, observation: Observation, view: View) -> bool:
        if self._asked.own:
            return self.rule.where.matches(view)
        is_own = observation.own and self.rule.exclude_own
        return not is_own and self.rule.where.matches(view)  # however late: it is a sign of life

    def _hear(self, known: Heard, observation: Observation) -> Heard:
        at, last = observation.received_at, known.last
        if last is None or at <= last:
            return msgspec.structs.replace(known, last=last or at)
        gap = self._silent(known.values, last, at).total_seconds()
        usual = longest_usual_s(known.gaps)
        # a silence that was told is no habit: it counts for no more than what was usual
        gaps = (*known.gaps, gap if usual is None else min(gap, usual))[-KEPT_GAPS:]
        return msgspec.structs.replace(known, last=at, gaps=gaps)

    def _hear_own(self, known: Heard, observation: Observation) -> Heard:
        at = min(observation.created_at, observation.received_at)
        if not observation.own:
            is_since = known.last is not None and at > known.last and not observation.is_again
            return msgspec.structs.replace(known, others=known.others + is_since)
        if known.last is not None and at <= known.last:
            return known
        return msgspec.structs.replace(known, last=at, others=0)

    def _silent(self, values: Values, last: datetime, now: datetime) -> timedelta:
        """Return how long it was silent, without the time in which it could not be heard."""
        return max(_NEVER, now - last - self._unheard(values, last, now))

    def _unheard(self, values: Values, start: datetime, end: datetime) -> timedelta:
        source = source_of(self.rule, values)
        outages = () if source is None else self.around.unread(source, end)
        return self.past.unheard(start, end, outages)

    def _reading(self, mark: str, heard: Heard, now: datetime) -> Reading:
        conditions = self._conditions(mark, heard, now)
        days, limit = conditions[-1].value or 0, conditions[-1].threshold
        reading = self.read(
            heard.values,
            conditions,
            value=int(days) if self._asked.own else 0,
            threshold=limit if self._asked.own else 1,
            words=self._words(heard, MUTE, now),
        )
        (self._silent_ones.add if reading.is_active else self._silent_ones.discard)(mark)
        return reading

    def _conditions(self, mark: str, heard: Heard, now: datetime) -> tuple[Condition, ...]:
        if heard.last is None:
            return ()
        asked, silent = self._asked, self._silent(heard.values, heard.last, now)
        if asked.own:
            limit = (asked.max_age or _NEVER) / _DAY
            age = (now - heard.last) / _DAY
            others = Condition(
                name="unanswered", value=heard.others, threshold=asked.min_unanswered
            )
            # not rounded: it holds from the very instant on that `wakes_at` names
            return (others, Condition(name="age_days", value=age, threshold=limit))
        by_gaps = self._by_gaps(heard, silent, now)
        by_season = self._by_season(mark, heard, silent, now)
        if not all(c.holds for c in by_gaps) and all(c.holds for c in by_season):
            return by_season
        return by_gaps

    def _by_gaps(self, heard: Heard, silent: timedelta, now: datetime) -> tuple[Condition, ...]:
        seconds = round(silent.total_seconds(), _DIGITS)
        usual = longest_usual_s(heard.gaps)
        if usual is None:
            return (Condition(name="gaps", value=len(heard.gaps), threshold=MIN_GAPS),)
        learnt = self._learnt(heard, now)
        return (learnt, Condition(name="silent_s", value=seconds, threshold=round(usual, _DIGITS)))

    def _learnt(self, heard: Heard, now: datetime) -> Condition:
        """What keeps even time is known at once, all else after `learn`."""
        needed = 0.0 if is_even(heard.gaps) else self._asked.learn / _DAY
        days = (now - heard.first) / _DAY
        return Condition(name="learnt_days", value=days, threshold=needed)

    def _by_season(
        self, mark: str, heard: Heard, silent: timedelta, now: datetime
    ) -> tuple[Condition, ...]:
        learn = self._asked.learn / _DAY
        learnt = Condition(name="learnt_days", value=(now - heard.first) / _DAY, threshold=learn)
        if not learnt.holds or not silent:
            return (learnt, Condition(name="silence_surprise", value=None, threshold=0))
        season = self.past.season(mark, _day(now), source_of(self.rule, heard.values))
        found = self._surprise(season, now, silent)
        limit = self._asked.surprise
        days = Condition(name="days", value=min(season.days), threshold=MIN_DAYS)
        return (learnt, days, Condition(name="silence_surprise", value=found, threshold=limit))

    def _surprise(self, season: Season, now: datetime, silent: timedelta) -> float:
        """Return -ln P(X = 0) of the time since the last: the lower tail ends with no mention.

        Of a negative binomial of this mean and ratio d of variance to mean it is
        mean * ln d / (d - 1), of which the mean is the limit for d = 1 (Poisson).
        """
        mean = expected(season, now, min(silent, _LONGEST), self._zone)
        excess = season.dispersion - 1
        share = math.log1p(excess) / excess if excess > 10**-_DIGITS else 1.0
        return round(mean * share, _DIGITS)

    def _down(self, values: Values, since: datetime, now: datetime) -> Reading:
        after = self._asked.down_after
        condition = Condition(
            name="down_s",
            value=round((now - since).total_seconds(), _DIGITS),
            threshold=after.total_seconds(),
        )
        unheard = Heard(values=values, first=since, last=since)
        words = self._words(unheard, DOWN, now)
        return self.read(values, (condition,), value=0, threshold=1, words=words)

    def _of_source(self, source: str, known: dict[Values, Reading]) -> list[Values]:
        names = self.rule.group_by
        if "source" not in names or self._asked.own:
            return []
        if names == ("source",):
            clauses = (c for c in self.rule.where.clauses if c.name == "source")
            return [(source,)] if all(c.test(_of(source)) for c in clauses) else []
        return [values for values in known if values[names.index("source")] == source]

    def _words(self, heard: Heard, cause: str, now: datetime) -> dict[str, str]:
        last, usual = heard.last or heard.first, longest_usual_s(heard.gaps)
        return {
            "cause": cause,
            "since": last.astimezone(self._zone).strftime("%d/%m/%Y %H:%M"),
            "usual": "?" if usual is None else spoken(_rounded(usual)),
            "age": str(max(0, (now - last).days)) if self._asked.own else "?",
            "unanswered": str(heard.others),
        }

    def _wakes(self, mark: str, heard: Heard, now: datetime) -> datetime | None:
        if heard.last is None:
            return None
        if self._asked.own:
            due = heard.last + (self._asked.max_age or _NEVER)
            # a day older: its sentence says so
            return due if due > now else heard.last + _DAY * ((now - heard.last) // _DAY + 1)
        if mark in self._silent_ones:
            return None
        ends = [self._wakes_by_season(mark, heard, now)]
        usual = longest_usual_s(heard.gaps)
        if usual is not None:
            unheard = self._unheard(heard.values, heard.last, now)
            ends.append(heard.last + timedelta(seconds=usual) + unheard)
            if not self._learnt(heard, now).holds:
                ends[-1] = max(ends[-1], heard.first + self._asked.learn)
        return max(now, min(ends))

    def _wakes_by_season(self, mark: str, heard: Heard, now: datetime) -> datetime:
        """Return when the surprise suffices, or when the day is over and another is learnt."""
        if heard.last is None or now - heard.first < self._asked.learn:
            return heard.first + self._asked.learn
        low, high = now, _day(now) + _DAY
        if not self._is_surprising(mark, heard, high):
            return high
        while high - low > _SECOND:
            middle = low + (high - low) / 2
            if self._is_surprising(mark, heard, middle):
                high = middle
            else:
                low = middle
        return low

    def _is_surprising(self, mark: str, heard: Heard, at: datetime) -> bool:
        silent = self._silent(heard.values, heard.last or at, at)
        return all(condition.holds for condition in self._by_season(mark, heard, silent, at))


def _day(now: datetime) -> datetime:
    """Return when the day in UTC began: a season is learnt once a day."""
    return hour_start(hour_number(now) // 24 * 24)


def _unheard(values: Values, observation: Observation) -> Heard:
    return Heard(values=values, first=observation.received_at, last=None)


def _of(source: str) -> View:
    """Return a mention of which only the source is known."""
    epoch = hour_start(0)
    observation = Observation(
        seq=0,
        key="",
        source=source,
        watches=(),
        kind=MentionKind.POST,
        text="",
        created_at=epoch,
        received_at=epoch,
    )
    feeling = Sentiment(label=SentimentLabel.NEUTRAL, score=0.0, probabilities={})
    urgency = Urgency(label=UrgencyLabel.NORMAL, score=0.0)
    return View(observation, Analysis(lang="", sentiment=feeling, crisis=0.0, urgency=urgency))


def _rounded(seconds: float) -> timedelta:
    """Return a duration as people say it: whole hours above ten, whole minutes above one hour."""
    for unit in (HOUR, _MINUTE):
        if seconds >= 10 * unit.total_seconds():
            return math.ceil(seconds / unit.total_seconds()) * unit
    return timedelta(seconds=math.ceil(seconds))
