"""Escalation: which steps of a policy are due, whom they tell, and when the next one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from veille.alerts.oncall_settings import EscalationSettings, PersonSettings, StepSettings
from veille.domain.alert import Severity
from veille.domain.calendar import Region, open_span, parse_days, parse_hours
from veille.domain.notification import Relay
from veille.domain.oncall import Ended, Escalation, Person, Waiting

Duty = Callable[[str], tuple[str, ...]]
"""Says who is on call on a schedule now, by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """Everybody who can be told, by id, and the clocks and public holidays they live by."""

    people: Mapping[str, Person]
    zone: tzinfo
    region: Region = Region.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One time people are told: `number` makes its key, `relay` its words.

    Without `receivers` nobody was on call, and those of the incident's route are told so.
    """

    number: int
    receivers: tuple[str, ...]
    relay: Relay


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """An escalation after a step of time; `calls` in order."""

    escalation: Escalation
    calls: tuple[Call, ...] = ()


def staff(people: tuple[PersonSettings, ...], *, zone: tzinfo, region: Region) -> Staff:
    """Return the people of config.toml."""
    found = {
        person.id: Person(
            id=person.id,
            name=person.name or person.id,
            receivers=person.receivers,
            slack=person.slack,
            quiet=None if person.quiet is None else parse_hours(person.quiet),
        )
        for person in people
    }
    return Staff(people=found, zone=zone, region=region)


def begin(
    incident: int,
    policy: EscalationSettings,
    severity: Severity,
    *,
    at: datetime,
    now: datetime,
    told: int = 0,
) -> Escalation:
    """Return the escalation of an incident that was told at `at`, nobody called yet.

    Where two steps would be due by now (the policy is new, veille was away) it begins now instead:
    each relay has its time to answer. `told` is how often people were called for it before: keys
    are never used twice.
    """
    if len(policy.steps) > 1 and at + policy.steps[1].delay <= now:
        at = now
    return Escalation(
        incident=incident,
        policy=policy.id,
        severity=severity,
        started_at=at,
        told=told,
        due_at=at + policy.steps[0].delay,
    )


def end(escalation: Escalation, why: Ended, now: datetime) -> Escalation:
    """Return the escalation with nothing due any more."""
    return replace(escalation, due_at=None, waiting=(), ended=why, ended_at=now)


def advance(
    escalation: Escalation, policy: EscalationSettings, *, staff: Staff, duty: Duty, now: datetime
) -> Advance:
    """Return what is due by `now`; the same arguments give the same calls.

    A step that reaches nobody (nobody on call, outside of its hours) hands over to the next one of
    its round at once, and what comes later keeps its time. Of repetitions of one step that are
    overdue together only the last is told: a daemon that was away for hours rings once. One that
    began later than `now`, before the clock was set back, counts from now.
    """
    begun = replace(escalation, started_at=min(escalation.started_at, now))
    desk = _Desk(begun, policy, staff, duty, now)
    desk.wake()
    while desk.is_due():
        desk.take()
    return Advance(escalation=desk.closed(), calls=tuple(desk.calls))


class _Desk:
    """One escalation while it advances."""

    def __init__(
        self,
        escalation: Escalation,
        policy: EscalationSettings,
        staff: Staff,
        duty: Duty,
        now: datetime,
    ) -> None:
        self._at = escalation
        self._policy = policy
        self._staff = staff
        self._duty = duty
        self._now = now
        self._plan = _timetable(policy)
        self._nobody: tuple[int, ...] = ()
        self.calls: list[Call] = []

    def is_due(self) -> bool:
        """Whether the next step is; one that is handed over to always is."""
        if self._at.done >= len(self._plan):
            return False
        return bool(self._nobody) or self._due(self._at.done) <= self._now

    def wake(self) -> None:
        """Tell those whose quiet hours are over."""
        for waiting in self._at.waiting:
            people = self._known(waiting.people) if waiting.due_at <= self._now else ()
            if people:  # the policy may have fewer steps than it had in the evening
                self._call(people, (), min(waiting.step, len(self._plan) - 1))
        left = tuple(w for w in self._at.waiting if w.due_at > self._now)
        self._at = replace(self._at, waiting=left)

    def take(self) -> None:
        """Go through the next step."""
        number = self._at.done
        turn = self._plan[number]
        self._at = replace(self._at, done=number + 1)
        if self._is_repeated_by_now(number):
            return
        step = self._policy.steps[turn.step]
        awake, asleep = self._reached(step)
        receivers = step.receivers if self._is_open(step) else ()
        for until, people in asleep.items():
            self._wait(people, until)
        if awake or receivers:
            self._call(awake, receivers, number)
            self._nobody = ()
        elif asleep:
            self._nobody = ()
        else:
            self._hand_over(number)

    def closed(self) -> Escalation:
        """Return the escalation with the time of what comes next; finished when nothing does."""
        times = [waiting.due_at for waiting in self._at.waiting]
        if self._at.done < len(self._plan):
            times.append(self._due(self._at.done))
        if not times:
            return end(self._at, Ended.FINISHED, self._now)
        return replace(self._at, due_at=min(times))

    def _due(self, number: int) -> datetime:
        return self._at.started_at + self._plan[number].delay

    def _is_repeated_by_now(self, number: int) -> bool:
        """Whether the same step of the next round is due as well."""
        step = self._plan[number].step
        later = (n for n, t in enumerate(self._plan) if n > number and t.step == step)
        following = next(later, None)
        return following is not None and self._due(following) <= self._now

    def _reached(
        self, step: StepSettings
    ) -> tuple[tuple[Person, ...], dict[datetime, tuple[Person, ...]]]:
        """Return who is told now, and who when quiet hours end."""
        if not self._is_open(step):
            return (), {}
        ids = [*step.people, *(person for name in step.schedules for person in self._duty(name))]
        awake: list[Person] = []
        asleep: dict[datetime, tuple[Person, ...]] = {}
        for person in self._known(tuple(dict.fromkeys(ids))):
            until = self._quiet_until(person)
            if until is None:
                awake.append(person)
            else:
                asleep[until] = (*asleep.get(until, ()), person)
        return tuple(awake), asleep

    def _known(self, ids: tuple[str, ...]) -> tuple[Person, ...]:
        """Return those who exist and can be reached."""
        found = (self._staff.people.get(person) for person in ids)
        return tuple(person for person in found if person is not None and person.receivers)

    def _quiet_until(self, person: Person) -> datetime | None:
        if person.quiet is None or self._at.severity is Severity.CRITICAL:
            return None
        span = open_span(self._now, hours=person.quiet, days=None, zone=self._staff.zone)
        return None if span is None else span[1]

    def _is_open(self, step: StepSettings) -> bool:
        if step.hours is None and step.days is None:
            return True
        hours = None if step.hours is None else parse_hours(step.hours)
        days = None if step.days is None else parse_days(step.days)
        zone, region = self._staff.zone, self._staff.region
        return open_span(self._now, hours=hours, days=days, zone=zone, region=region) is not None

    def _wait(self, people: tuple[Person, ...], until: datetime) -> None:
        """Note who is told in the morning: once, however many steps would have told them."""
        told = {person for waiting in self._at.waiting for person in waiting.people}
        ids = tuple(person.id for person in people if person.id not in told)
        if ids:
            waiting = Waiting(people=ids, step=self._at.done - 1, due_at=until)
            self._at = replace(self._at, waiting=(*self._at.waiting, waiting))

    def _hand_over(self, number: int) -> None:
        """Note that nobody was reached; at the end of a round the incident's receivers hear it."""
        turn = self._plan[number]
        self._nobody = (*self._nobody, turn.step + 1)
        is_last = number + 1 == len(self._plan) or self._plan[number + 1].round != turn.round
        if is_last:
            self._call((), (), number)
            self._nobody = ()

    def _call(self, people: tuple[Person, ...], receivers: tuple[str, ...], number: int) -> None:
        turn = self._plan[number]
        named = [name for person in people for name in person.receivers]
        self._at = replace(self._at, told=self._at.told + 1)
        relay = Relay(
            step=turn.step + 1,
            steps=len(self._policy.steps),
            round=turn.round,
            waited=max(self._now - self._at.started_at, timedelta(0)),
            names=tuple(person.name for person in people),
            slack=tuple(person.slack for person in people if person.slack is not None),
            nobody=self._nobody,
        )
        to = tuple(dict.fromkeys((*named, *receivers)))
        self.calls.append(Call(number=self._at.told, receivers=to, relay=relay))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """One step of one round: `step` counts from 0, `round` from 1, `delay` from the start."""

    step: int
    round: int
    delay: timedelta


def _timetable(policy: EscalationSettings) -> tuple[_Turn, ...]:
    """Return all steps of all rounds in order; a final step comes in the last round only."""
    found: list[_Turn] = []
    repeated = [step for step in policy.steps if not step.final]
    length = (repeated or policy.steps)[-1].delay + policy.pause
    for number in range(policy.repeat + 1):
        is_last = number == policy.repeat
        found += [
            _Turn(step=index, round=number + 1, delay=number * length + step.delay)
            for index, step in enumerate(policy.steps)
            if is_last or not step.final
        ]
    return tuple(found)
