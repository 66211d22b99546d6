"""Who is on call, in words and as JSON: for the command line and the page Now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from veille.domain.oncall import Shift
from veille.pipeline.oncall import FAR, Roster, Status
from veille.store.oncall import Copy
from veille.store.protocol import Store
from veille.wording import format as wording
from veille.wording.catalogue import Catalogue
from veille.wording.format import visible

FRESH = timedelta(seconds=20)
SHOWN = 20
"""Gaps and overlaps of one schedule that are listed: more say nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How it is said, and as of when."""

    say: Catalogue
    zone: ZoneInfo
    roster: Roster
    now: datetime

    def line(self, status: Status) -> str:
        """Return who is on call on one schedule and until when, on one line."""
        if not status.now.people:
            if status.next is None:
                return self.say("oncall.empty", schedule=status.id)
            since, people = self._when(status.next.starts_at), self._people(status.next)
            return self.say("oncall.gap", schedule=status.id, people=people, since=since)
        people, until = self._people(status.now), status.now.ends_at
        if until - self.now >= FAR:
            return self.say("oncall.always", schedule=status.id, people=people)
        return self.say("oncall.line", schedule=status.id, people=people, until=self._when(until))

    def calendars(self, status: Status) -> Iterator[str]:
        """Yield what is wrong with the calendars of a schedule: whose copy is old, or missing."""
        for copy in status.copies:
            if copy.error is not None:
                yield self._failed(status, copy, visible(copy.error))
        yield from (self.say("oncall.calendar.unread", schedule=status.id) for _ in status.unread)
        yield from (self.say("oncall.unknown", title=visible(title)) for title in status.unknown)

    def report(self, found: Sequence[Status], *, ahead: datetime) -> Iterator[str]:
        """Yield the lines of `veille oncall`."""
        for status in found:
            yield self.line(status)
            if status.next is not None and status.now.people:
                since, people = self._when(status.next.starts_at), self._people(status.next)
                yield "  " + self.say("oncall.next", people=people, since=since)
            for text in (*self._overrides(status), *self._ahead(status), *self.calendars(status)):
                yield f"  {text}"
            if not status.gaps:
                yield "  " + self.say("oncall.fine", until=self._when(ahead))

    def span(self, key: str, shift: Shift, **values: object) -> str:
        """Return a sentence about people and a time."""
        since, until = self._when(shift.starts_at), self._when(shift.ends_at)
        return self.say(key, people=self._people(shift), since=since, until=until, **values)

    def _overrides(self, status: Status) -> Iterator[str]:
        for one in status.overrides:
            shift = Shift(starts_at=one.starts_at, ends_at=one.ends_at, people=(one.person,))
            yield self.span("oncall.override", shift, id=one.id, actor=one.actor)

    def _ahead(self, status: Status) -> Iterator[str]:
        for key, shifts in (("oncall.hole", status.gaps), ("oncall.overlap", status.overlaps)):
            for shift in shifts[:SHOWN]:
                yield self.span(key, shift)
            if len(shifts) > SHOWN:
                yield "…"

    def _failed(self, status: Status, copy: Copy, cause: str) -> str:
        if copy.read_at is None:
            return self.say("oncall.calendar.failed", schedule=status.id, cause=cause)
        since = self._when(copy.read_at)
        return self.say("oncall.calendar.stale", schedule=status.id, since=since, cause=cause)

    def _people(self, shift: Shift) -> str:
        names = [visible(self.roster.name(person)) for person in shift.people]
        if len(names) < 2:  # noqa: PLR2004 nothing to join
            return "".join(names)
        return self.say("oncall.and", first=", ".join(names[:-1]), last=names[-1])

    def _when(self, at: datetime) -> str:
        return wording.moment(self.say, at, self.zone.key)


class Board:
    """Who is on call, for pages: a line for each schedule, then what is wrong with calendars."""

    def __init__(
        self,
        store: Store,
        roster: Roster,
        *,
        say: Catalogue,
        zone: ZoneInfo,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._roster = roster
        self._say = say
        self._zone = zone
        self._now = now
        self._kept: tuple[datetime, tuple[str, ...]] | None = None

    async def lines(self) -> tuple[str, ...]:
        """Return them as of now, or of up to `FRESH` ago: pages ask every few seconds."""
        now = self._now()
        if self._kept is not None and timedelta(0) <= now - self._kept[0] < FRESH:
            return self._kept[1]
        found = await self._store.read(lambda db: self._roster.status(db, now, ahead=FRESH))
        voice = Voice(say=self._say, zone=self._zone, roster=self._roster, now=now)
        troubles = (text for status in found for text in voice.calendars(status))
        said = (*(voice.line(status) for status in found), *troubles)
        self._kept = (now, said)
        return said


def as_json(found: Sequence[Status], roster: Roster, *, at: datetime) -> dict[str, object]:
    """Return what `veille oncall --json` prints; its times are in UTC."""

    def shift(one: Shift) -> dict[str, object]:
        people = [{"id": person, "name": roster.name(person)} for person in one.people]
        return {"from": _utc(one.starts_at), "to": _utc(one.ends_at), "people": people}

    return {
        "at": _utc(at),
        "schedules": [
            {
                "id": status.id,
                "now": shift(status.now),
                "next": None if status.next is None else shift(status.next),
                "gaps": [shift(one) for one in status.gaps],
                "overlaps": [shift(one) for one in status.overlaps],
                "overrides": [
                    {
                        "id": one.id,
                        "person": one.person,
                        "from": _utc(one.starts_at),
                        "to": _utc(one.ends_at),
                        "by": one.actor,
                    }
                    for one in status.overrides
                ],
                "calendars": [
                    {
                        "role": str(copy.role),
                        "read_at": None if copy.read_at is None else _utc(copy.read_at),
                        "error": copy.error,
                    }
                    for copy in status.copies
                ],
                "unknown": list(status.unknown),
            }
            for status in found
        ],
    }


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
