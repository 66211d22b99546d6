"""The rota as people change it: overrides and swaps, looked at before and done at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.alerts.oncall_schedule import Schedule, shifts
from veille.alerts.oncall_settings import EscalationSettings
from veille.domain.errors import ConflictError, InputError, OwnShiftError
from veille.domain.oncall import CalendarRole, Override, Shift, shift_key
from veille.pipeline.oncall import FAR, Roster, Status, check, hand_back, take_over
from veille.store import oncall
from veille.store.engine import Db
from veille.store.oncall import Copy
from veille.store.protocol import Store

SWAPS = timedelta(weeks=4)
"""Shifts that begin within it may be swapped: as far as `veille check` looks for holes."""
_BOTH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """A schedule with its shifts over the days asked for, without holes, and who is on call.

    `now` ends when somebody else begins, `next` is the next one of anybody. `gaps` are those that
    nobody meant.
    """

    id: str
    now: Shift
    shifts: tuple[Shift, ...]
    next: Shift | None
    gaps: tuple[Shift, ...]
    overlaps: tuple[Shift, ...]
    overrides: tuple[Override, ...]
    copies: tuple[Copy, ...]
    unread: tuple[CalendarRole, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A time that changes hands: who is on call in it, and who would be."""

    before: Shift
    after: str


class Rota:
    """Says who is on call and lets people change it. `uses` says what each policy escalates."""

    def __init__(
        self,
        store: Store,
        roster: Roster,
        *,
        policies: Sequence[EscalationSettings] = (),
        uses: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._store = store
        self._roster = roster
        self.policies = tuple(policies)
        self.uses = uses or {}

    @property
    def names(self) -> Mapping[str, str]:
        """How people are called, by id."""
        return self._roster.names

    async def rolls(self, now: datetime, *, ahead: timedelta) -> list[Roll]:
        """Return all schedules with their shifts from `now` on."""

        def look(db: Db) -> list[Roll]:
            plans = self._roster.plans(db, now, until=now + FAR)
            return [
                self._roll(status, shifts(plans[status.id], now, now + ahead))
                for status in self._roster.status(db, now, ahead=ahead)
            ]

        return await self._store.read(look)

    async def replaced(self, override: Override, *, own: str | None, now: datetime) -> list[Change]:
        """Return what the override would change; errors as `replace`."""
        return await self._store.read(lambda db: self._replaced(db, override, own=own, now=now))

    async def replace(self, override: Override, *, own: str | None, now: datetime) -> None:
        """The override counts. InputError, OwnShiftError when a shift in it is not that of `own`"""

        def change(db: Db) -> None:
            self._replaced(db, override, own=own, now=now)
            take_over(db, override, self._roster, now=now)

        await self._store.write(change)

    async def swapped(
        self, schedule: str, keys: Sequence[str], *, own: str | None, now: datetime
    ) -> list[Change]:
        """Return what the swap would change; errors as `swap`."""
        return await self._store.read(
            lambda db: self._swapped(db, schedule, keys, own=own, now=now)
        )

    async def swap(
        self, schedule: str, keys: Sequence[str], *, own: str | None, actor: str, now: datetime
    ) -> None:
        """Each of the two people has the other's shift.

        ConflictError when one is not what it was, OwnShiftError when neither is that of `own`.
        """

        def change(db: Db) -> None:
            for one in self._swapped(db, schedule, keys, own=own, now=now):
                override = Override(
                    id=0,
                    schedule=schedule,
                    person=one.after,
                    starts_at=one.before.starts_at,
                    ends_at=one.before.ends_at,
                    actor=actor,
                    created_at=now,
                )
                take_over(db, override, self._roster, now=now)

        await self._store.write(change)

    async def hand_back(self, id: int, *, own: str | None, actor: str, now: datetime) -> None:
        """The override counts no more. With `own`, OwnShiftError for one `actor` did not write."""

        def change(db: Db) -> None:
            standing = {one.id: one for one in oncall.overrides(db, since=now)}
            if own is not None and id in standing and standing[id].actor != actor:
                raise OwnShiftError(f"override {id} was written by {standing[id].actor}")
            hand_back(db, id, actor=actor, now=now)

        await self._store.write(change)

    def _replaced(
        self, db: Db, override: Override, *, own: str | None, now: datetime
    ) -> list[Change]:
        check(override, self._roster, now=now)
        starts_at = max(override.starts_at, now)
        plan = self._plan(db, override.schedule, now, override.ends_at)
        found = shifts(plan, starts_at, override.ends_at)
        if own is not None and any(shift.people != (own,) for shift in found):
            raise OwnShiftError("only one's own shift can be given away: ask who edits the rota")
        return [
            Change(before=shift, after=override.person)
            for shift in found
            if shift.people != (override.person,)
        ]

    def _swapped(
        self, db: Db, schedule: str, keys: Sequence[str], *, own: str | None, now: datetime
    ) -> list[Change]:
        if schedule not in self._roster.schedules:
            raise InputError(f'schedule "{schedule}" does not exist')
        found = shifts(self._plan(db, schedule, now, now + SWAPS), now, now + SWAPS)
        # the last one is cut where the look ahead ends
        by_key = {shift_key(one): one for one in found[:-1] if len(one.people) == 1}
        if len(set(keys)) != _BOTH:
            raise InputError("a swap is of two shifts: choose two different ones")
        if not set(keys) <= by_key.keys():
            raise ConflictError("one of the shifts is not what it was: look at them again")
        one, other = (by_key[key] for key in keys)
        if one.people == other.people:
            raise InputError("both shifts are of the same person: choose those of two people")
        if own is not None and (own,) not in {one.people, other.people}:
            raise OwnShiftError("only one's own shift can be swapped: ask who edits the rota")
        return [
            Change(before=one, after=other.people[0]),
            Change(before=other, after=one.people[0]),
        ]

    def _plan(self, db: Db, schedule: str, now: datetime, until: datetime) -> Schedule:
        return self._roster.plans(db, now, until=until)[schedule]

    def _roll(self, status: Status, found: Sequence[Shift]) -> Roll:
        return Roll(
            id=status.id,
            now=status.now,
            shifts=tuple(found),
            next=status.next,
            gaps=() if status.id in self._roster.open_by_design else status.gaps,
            overlaps=status.overlaps,
            overrides=status.overrides,
            copies=status.copies,
            unread=status.unread,
            unknown=status.unknown,
        )
