"""Calendars: on-call calendars are read again and again, and the last good copy is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog

from veille.alerts.oncall_ical import LIMIT_BYTES, parse_calendar
from veille.domain.errors import InputError, SourceError
from veille.domain.ids import content_hash
from veille.domain.oncall import CalendarRole
from veille.net.client import Response
from veille.pipeline.oncall import DAY, FAR, Roster
from veille.store import oncall
from veille.store.engine import Db
from veille.store.protocol import Store

OK = 200

log = structlog.get_logger()


class Getter(Protocol):
    """What reads an address; `net` guards it."""

    async def get(self, url: str, *, limit_bytes: int) -> Response:
        """Return the answer; SourceError when there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a calendar is: an address, or the path of a file. The address may be a secret."""

    schedule: str
    role: CalendarRole
    address: str = field(repr=False)
    every: timedelta
    allow_private: bool = False

    @property
    def mark(self) -> str:
        """What tells two addresses apart, and gives none away."""
        return content_hash("calendar", self.address)


class Calendars:
    """Reads one calendar that is due at each step; a failure keeps the last good copy."""

    name = "calendars"

    def __init__(
        self,
        store: Store,
        origins: Sequence[Origin],
        *,
        roster: Roster,
        get: Callable[[bool], Getter],
    ) -> None:
        self._store = store
        self._origins = tuple(origins)
        self._roster = roster
        self._get = get

    async def step(self, now: datetime) -> bool:
        """Read the next calendar that is due; false when none is."""
        copies = await self._store.read(oncall.calendars)
        tried = {(copy.schedule, copy.role, copy.address): copy.tried_at for copy in copies}
        for origin in self._origins:
            last = tried.get((origin.schedule, origin.role, origin.mark))
            if last is None or not timedelta(0) <= now - last < origin.every:
                await self._read(origin, now)
                return True
        return False

    async def _read(self, origin: Origin, now: datetime) -> None:
        place, mark = (origin.schedule, origin.role), origin.mark
        try:
            data = await self._fetch(origin)
            await asyncio.to_thread(self._check, origin, data, now)
        except (SourceError, InputError) as error:
            cause = str(error)

            def note(db: Db) -> None:
                oncall.calendar_failed(db, *place, address=mark, error=cause, now=now)

            await self._store.write(note)
            log.warning("calendar_failed", schedule=origin.schedule, role=str(origin.role))
            return
        await self._store.write(
            lambda db: oncall.keep_calendar(db, *place, address=mark, content=data, now=now)
        )
        log.info("calendar_read", schedule=origin.schedule, role=str(origin.role))

    async def _fetch(self, origin: Origin) -> bytes:
        if "://" not in origin.address:
            return await asyncio.to_thread(_file, Path(origin.address))
        getter = self._get(origin.allow_private)
        answer = await getter.get(origin.address, limit_bytes=LIMIT_BYTES)
        if answer.status != OK:
            raise SourceError(f"the calendar's server answers {answer.status}: check its address")
        return answer.body

    def _check(self, origin: Origin, data: bytes, now: datetime) -> None:
        parse_calendar(
            data,
            people=self._roster.names,
            zone=self._roster.schedules[origin.schedule].zone,
            starts_at=now - DAY,
            ends_at=now + FAR,
        )


def _file(path: Path) -> bytes:
    """Return what a file holds, one byte over the limit at most; SourceError names it."""
    try:
        with path.open("rb") as file:
            return file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
