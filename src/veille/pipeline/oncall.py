"""Who is on call: config.toml, the overrides of the store and the imported calendars together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from veille.alerts.oncall_ical import Imported, parse_calendar
from veille.alerts.oncall_policy import Duty, staff
from veille.alerts.oncall_schedule import Schedule, gaps, on_call, overlaps, schedule, shifts
from veille.alerts.oncall_settings import PersonSettings, ScheduleSettings
from veille.domain.calendar import Region
from veille.domain.errors import InputError
from veille.domain.oncall import CalendarRole, Override, Shift
from veille.store import audit, oncall
from veille.store.engine import Db
from veille.store.oncall import Copy

DAY = timedelta(days=1)
FAR = timedelta(days=400)
"""Who is next is looked for this far ahead: a year, and a turn of a few weeks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A schedule as people ask for it: who now and until when, who next, what is wrong ahead.

    `copies` are of its calendars, `unread` those not read yet; `unknown` are titles of events that
    name nobody.
    """

    id: str
    now: Shift
    next: Shift | None
    gaps: tuple[Shift, ...]
    overlaps: tuple[Shift, ...]
    overrides: tuple[Override, ...]
    copies: tuple[Copy, ...]
    unread: tuple[CalendarRole, ...]
    unknown: tuple[str, ...]


class Roster:
    """People and schedules; calendars are parsed once a day and after each change."""

    def __init__(
        self,
        *,
        people: Sequence[PersonSettings],
        schedules: Sequence[ScheduleSettings],
        zone: tzinfo,
        region: Region,
    ) -> None:
        self.staff = staff(tuple(people), zone=zone, region=region)
        self.schedules = {
            one.id: schedule(
                one,
                zone=ZoneInfo(one.timezone) if one.timezone else zone,
                region=one.holidays or region,
            )
            for one in schedules
        }
        self._expected = {
            (one.id, role)
            for one in schedules
            for role, written in (
                (CalendarRole.PRIMARY, one.calendar),
                (CalendarRole.OVERRIDE, one.override_calendar),
            )
            if written is not None
        }
        self.open_by_design = frozenset(one.id for one in schedules if one.gaps)
        self._read: dict[tuple[str, CalendarRole], tuple[object, Imported]] = {}

    @property
    def names(self) -> dict[str, str]:
        """How people are called, by id."""
        return {person.id: person.name for person in self.staff.people.values()}

    def name(self, person: str) -> str:
        """Return how a person is called; the id of one nobody defined."""
        known = self.staff.people.get(person)
        return person if known is None else known.name

    def duty(self, db: Db, now: datetime) -> Duty:
        """Return who is on call now, by schedule; nobody on one that does not exist."""
        plans = self.plans(db, now, until=now + DAY)
        return lambda name: on_call(plans[name], now) if name in plans else ()

    def plans(self, db: Db, now: datetime, *, until: datetime) -> Mapping[str, Schedule]:
        """Return the schedules with all that counts from `now` to `until`."""
        found = dict(self.schedules)
        for copy in self._copies(db):
            if copy.read_at is not None:
                read = self._imported(db, copy, now, until)
                plan = found[copy.schedule]
                if copy.role is CalendarRole.PRIMARY:
                    found[plan.id] = replace(plan, calendar=read.shifts)
                else:
                    found[plan.id] = replace(plan, takeovers=read.shifts)
        for one in oncall.overrides(db, since=now):
            if one.schedule in found:
                before = found[one.schedule]
                found[one.schedule] = replace(before, overrides=(*before.overrides, one))
        return found

    def status(self, db: Db, now: datetime, *, ahead: timedelta) -> list[Status]:
        """Return every schedule as of `now`, with its gaps and overlaps `ahead`."""
        plans = self.plans(db, now, until=now + FAR)
        copies = self._copies(db)
        return [
            self._status(plan, now, ahead, tuple(c for c in copies if c.schedule == name))
            for name, plan in plans.items()
        ]

    def _copies(self, db: Db) -> list[Copy]:
        """Return the calendars that are configured; others were, and count no more."""
        return [c for c in oncall.calendars(db) if (c.schedule, c.role) in self._expected]

    def _status(
        self, plan: Schedule, now: datetime, ahead: timedelta, copies: tuple[Copy, ...]
    ) -> Status:
        found = shifts(plan, now, now + FAR)
        near = shifts(plan, now, now + ahead)
        return Status(
            id=plan.id,
            now=found[0],
            next=next((shift for shift in found[1:] if shift.people), None),
            gaps=tuple(gaps(near)),
            overlaps=tuple(overlaps(near)),
            overrides=plan.overrides,
            copies=copies,
            unread=tuple(
                role
                for name, role in sorted(self._expected)
                if name == plan.id and role not in {copy.role for copy in copies}
            ),
            unknown=tuple(
                title
                for copy in copies
                if (copy.schedule, copy.role) in self._read
                for title in self._read[copy.schedule, copy.role][1].unknown
            ),
        )

    def _imported(self, db: Db, copy: Copy, now: datetime, until: datetime) -> Imported:
        """Return the shifts of a calendar; none of one that cannot be read for these days."""
        place = (copy.schedule, copy.role)
        state = (copy.read_at, now.date(), until.date())
        kept = self._read.get(place)
        if kept is not None and kept[0] == state:
            return kept[1]
        try:
            read = parse_calendar(
                oncall.content(db, *place) or b"",
                people=self.names,
                zone=self.schedules[copy.schedule].zone,
                starts_at=now - DAY,
                ends_at=until + DAY,
            )
        except InputError:
            read = Imported(shifts=(), unknown=())  # the copy was good: its error stands beside it
        self._read[place] = (state, read)
        return read


def take_over(db: Db, override: Override, roster: Roster, *, now: datetime) -> Override:
    """Return the override once it counts, with its actor in the audit log; InputError as `check`"""
    check(override, roster, now=now)
    added = oncall.add_override(db, override)
    _audit(db, added, "oncall.overridden", actor=override.actor, at=now)
    return added


def check(override: Override, roster: Roster, *, now: datetime) -> None:
    """Raise InputError for an unknown person or schedule, or a time that is past or empty."""
    if override.schedule not in roster.schedules:
        known = ", ".join(roster.schedules) or "-"
        raise InputError(f'schedule "{override.schedule}" does not exist; known: {known}')
    if override.person not in roster.staff.people:
        known = ", ".join(roster.staff.people) or "-"
        raise InputError(f'person "{override.person}" does not exist; known: {known}')
    if override.starts_at >= override.ends_at or override.ends_at <= now:
        raise InputError("an override ends after it begins, and not in the past")
    if override.ends_at - now > FAR:
        raise InputError(f"an override ends within {FAR.days} days")


def hand_back(db: Db, id: int, *, actor: str, now: datetime) -> Override:
    """Return the override, which counts no more, with its actor in the audit log."""
    ended = oncall.end_override(db, id, actor=actor, now=now)
    _audit(db, ended, "oncall.override_ended", actor=actor, at=now)
    return ended


def _audit(db: Db, override: Override, action: str, *, actor: str, at: datetime) -> None:
    after = {
        "schedule": override.schedule,
        "person": override.person,
        "starts_at": override.starts_at.isoformat(),
        "ends_at": override.ends_at.isoformat(),
    }
    audit.add(db, at=at, actor=actor, action=action, target=f"override {override.id}", after=after)
