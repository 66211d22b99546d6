"""Who is on call, in the words of `veille oncall`: now, by the day, and what a change does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from veille.alerts.oncall_settings import EscalationSettings, StepSettings
from veille.domain.durations import parse_duration
from veille.domain.oncall import Override, Shift, shift_key
from veille.store.oncall import Copy
from veille.web.house import Change, Roll
from veille.web.words import Words
from veille.wording import format as wording
from veille.wording.format import visible
from veille.wording.reasons import listed

DAYS = 7
SHOWN = 3
"""Holes and overlaps told: the nearest ones; `veille oncall` tells more."""
FOREVER = timedelta(days=400)
"""A shift that lasts longer is said without an end: as far ahead as `veille oncall` looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollWords:
    """A schedule in words; `troubles` are holes and what is wrong with its calendars.

    `overrides` are (number, sentence); `ahead` is what else the next weeks hold.
    """

    id: str
    now: str
    next: str
    is_empty: bool
    overrides: Sequence[tuple[int, str]]
    ahead: Sequence[str]
    health: Sequence[str]
    troubles: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of the week table: what each schedule says of it, in order of the schedules."""

    name: str
    iso: str
    is_today: bool
    cells: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCallWords:
    """Everything is said by the institution's clocks, as of `now`."""

    words: Words
    names: Mapping[str, str]
    now: datetime

    def roll(self, roll: Roll) -> RollWords:
        """Return a schedule in words, the first line as `veille oncall` says it."""
        shift = roll.now
        return RollWords(
            id=roll.id,
            now=self._now(roll, shift),
            next=self._next(roll, shift),
            is_empty=not shift.people,
            overrides=[(one.id, self._override(one)) for one in roll.overrides],
            ahead=self._some("oncall.overlap", roll.overlaps),
            health=[self._copy(copy) for copy in roll.copies if copy.error is None],
            troubles=[*self._some("oncall.hole", roll.gaps), *self._troubles(roll)],
        )

    def week(self, rolls: Sequence[Roll]) -> list[Day]:
        """Return the next seven days, today first, each with its shifts cut at midnight."""
        zone, today = self.words.timezone, self.now.astimezone(self.words.timezone).date()
        days = []
        for number in range(DAYS):
            day = today + timedelta(days=number)
            at = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
            days.append(
                Day(
                    name=wording.date(self.words.say, at, zone.key),
                    iso=day.isoformat(),
                    is_today=not number,
                    cells=[(roll.id, list(self._cell(roll, day))) for roll in rolls],
                )
            )
        return days

    def swaps(self, rolls: Sequence[Roll]) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Return the shifts of one person that may be swapped, named, by schedule."""
        # the last one is cut where the look ahead ends
        single = {roll.id: [s for s in roll.shifts[:-1] if len(s.people) == 1] for roll in rolls}
        return {
            name: [(shift_key(shift), self._span("pages.oncall.shift", shift)) for shift in found]
            for name, found in single.items()
            if len({shift.people for shift in found}) > 1
        }

    def change(self, change: Change) -> tuple[str, str, str]:
        """Return when, who is on call now in the plan, and who would be."""
        when = self._span("pages.oncall.span", change.before)
        return when, self.people(change.before.people), self._name(change.after)

    def policy(
        self, policy: EscalationSettings, uses: Sequence[str]
    ) -> tuple[str, str, Sequence[str]]:
        """Return a policy's name, what it is for, and its steps as sentences."""
        say = self.words.say
        steps = [self._step(n, step) for n, step in enumerate(policy.steps, start=1)]
        if policy.repeat:
            pause = wording.duration(say, policy.pause)
            steps.append(say.count("pages.oncall.policy.repeat", policy.repeat, pause=pause))
        steps.append(say("pages.oncall.policy.ends"))
        named = [use or say("pages.oncall.policy.all") for use in uses]
        used = say("pages.oncall.policy.for", labels=listed(named, say)) if named else ""
        return policy.id, used or say("pages.oncall.policy.unused"), steps

    def people(self, people: Sequence[str]) -> str:
        """Return `Claire et David`; that nobody is where there is none."""
        say, names = self.words.say, [self._name(person) for person in people]
        if not names:
            return say("oncall.nobody")
        if len(names) == 1:
            return names[0]
        return say("oncall.and", first=", ".join(names[:-1]), last=names[-1])

    def _now(self, roll: Roll, shift: Shift) -> str:
        say = self.words.say
        if not shift.people:
            if roll.next is None:
                return say("oncall.empty", schedule=roll.id)
            people, since = self.people(roll.next.people), self._when(roll.next.starts_at)
            return say("oncall.gap", schedule=roll.id, people=people, since=since)
        people = self.people(shift.people)
        if shift.ends_at - self.now >= FOREVER:
            return say("oncall.always", schedule=roll.id, people=people)
        until = self._when(shift.ends_at)
        return say("oncall.line", schedule=roll.id, people=people, until=until)

    def _next(self, roll: Roll, shift: Shift) -> str:
        if not shift.people or roll.next is None:
            return ""
        people, since = self.people(roll.next.people), self._when(roll.next.starts_at)
        return self.words.say("pages.oncall.next", people=people, since=since)

    def _override(self, one: Override) -> str:
        shift = Shift(starts_at=one.starts_at, ends_at=one.ends_at, people=(one.person,))
        return self._span("oncall.override", shift, id=one.id, actor=visible(one.actor))

    def _some(self, key: str, found: Sequence[Shift]) -> list[str]:
        """Return the first of them as sentences, and that there are more."""
        return [self._span(key, one) for one in found[:SHOWN]] + ["…"] * (len(found) > SHOWN)

    def _copy(self, copy: Copy) -> str:
        time = self.words.at(copy.read_at or copy.tried_at)
        return self.words.say(f"pages.oncall.calendar.{copy.role.value}", time=time)

    def _troubles(self, roll: Roll) -> Iterator[str]:
        say = self.words.say
        for copy in roll.copies:
            if copy.error is None:
                continue
            cause = visible(copy.error)
            if copy.read_at is None:
                yield say("oncall.calendar.failed", schedule=roll.id, cause=cause)
            else:
                since = self._when(copy.read_at)
                yield say("oncall.calendar.stale", schedule=roll.id, since=since, cause=cause)
        yield from (say("oncall.calendar.unread", schedule=roll.id) for _ in roll.unread)
        yield from (say("oncall.unknown", title=visible(title)) for title in roll.unknown)

    def _cell(self, roll: Roll, day: date) -> Iterator[str]:
        zone = self.words.timezone
        begins = datetime(day.year, day.month, day.day, tzinfo=zone)
        after = day + timedelta(days=1)
        ends = datetime(after.year, after.month, after.day, tzinfo=zone)
        for shift in roll.shifts:
            if shift.starts_at < ends and shift.ends_at > begins:
                yield self._part(shift, begins, ends)

    def _part(self, shift: Shift, begins: datetime, ends: datetime) -> str:
        """Return `08:00-18:00 Claire`, only the name where it is the whole day."""
        say, zone, people = self.words.say, self.words.timezone.key, self.people(shift.people)
        if shift.starts_at <= max(begins, self.now) and shift.ends_at >= ends:
            return people
        since = wording.clock(say, max(shift.starts_at, begins), zone)
        is_night = shift.ends_at >= ends
        until = (
            say("pages.oncall.midnight") if is_night else wording.clock(say, shift.ends_at, zone)
        )
        return say("pages.oncall.part", since=since, until=until, people=people)

    def _step(self, number: int, step: StepSettings) -> str:
        say = self.words.say
        named = [
            *(say("pages.oncall.policy.schedule", schedule=one) for one in step.schedules),
            *(self._name(one) for one in step.people),
            *(self.words.receiver(one) for one in step.receivers),
        ]
        after = wording.duration(say, parse_duration(step.after))
        key = "later" if step.delay else "first"
        said = say(f"pages.oncall.policy.{key}", step=number, after=after, to=", ".join(named))
        days = [say(f"pages.oncall.day.{day}") for day in step.days or ()]
        limits = [part for part in (", ".join(days), step.hours or "") if part]
        if limits:
            said = say("pages.oncall.policy.only", said=said, when=" ".join(limits))
        return say("pages.oncall.policy.final", said=said) if step.final else said

    def _span(self, key: str, shift: Shift, **values: object) -> str:
        since, until = self._when(shift.starts_at), self._when(shift.ends_at)
        people = self.people(shift.people)
        return self.words.say(key, since=since, until=until, people=people, **values)

    def _name(self, person: str) -> str:
        return visible(self.names.get(person, person))

    def _when(self, at: datetime) -> str:
        return wording.moment(self.words.say, at, self.words.timezone.key)
