"""Schedule: once a week, the summary of the week that ended waits in the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from veille.domain.errors import InputError
from veille.domain.notification import NotificationKind, OutboxRow
from veille.reports.settings import WeeklyTime
from veille.reports.week import Week
from veille.store import weekly
from veille.store.engine import Db
from veille.store.protocol import Store

_PREFIX = "weekly-"

log = structlog.get_logger()


def key_of(week: Week) -> str:
    """Return the outbox key of a week's summary: `weekly-2026-W47`."""
    return f"{_PREFIX}{week.name}"


def week_of(key: str, zone: ZoneInfo) -> Week:
    """Return the week of an outbox key; InputError for a key of something else."""
    if not key.startswith(_PREFIX):
        raise InputError(f'"{key}" is not the key of a weekly summary')
    return Week.named(key.removeprefix(_PREFIX), zone)


class Schedule:
    """Plans the summary of last week when its hour has come: once a receiver, over restarts.

    A daemon that was down at that hour plans it when it returns within the week. One that began
    to listen within this week has nothing to tell of the last. What a clock that ran ahead planned
    is planned again at its hour, unless it was sent.
    """

    name = "reports.schedule"

    def __init__(
        self, store: Store, *, when: WeeklyTime, zone: ZoneInfo, receivers: Sequence[str]
    ) -> None:
        self._store = store
        self._when = when
        self._zone = zone
        self._receivers = tuple(receivers)
        self._since: datetime | None = None
        self._done = ""

    async def step(self, now: datetime) -> bool:
        """Plan what is due at `now`; true when something was."""
        if self._since is None:
            self._since = await self._store.write(lambda db: weekly.note_listening(db, now))
        await self._put_off(now)
        week = Week.of(now, self._zone)
        key = key_of(week.previous)
        is_due = now >= week.at(self._when.day, self._when.at)
        if key == self._done or not is_due or self._since >= week.starts_at:
            return False
        number = week.previous.monday.toordinal()
        missing = await self._store.read(lambda db: self._missing(db, key, number))
        self._done = key
        if not missing:
            return False
        rows = [_row(key, receiver, now) for receiver in missing]
        await self._store.write(lambda db: weekly.plan(db, rows, number))
        log.info("weekly_planned", key=key, receivers=len(rows))
        return True

    async def _put_off(self, now: datetime) -> None:
        """Nothing waits for a week that is not over: a clock that ran ahead planned it."""
        keys = await self._store.read(weekly.unsent)
        for key in sorted(keys):
            week = week_of(key, self._zone)
            if now < week.ends_at:
                change = partial(weekly.unplan, key=key, week=week.monday.toordinal())
                await self._store.write(change)
                self._done = ""
                log.warning("weekly_put_off", key=key)

    def _missing(self, db: Db, key: str, number: int) -> list[str]:
        known = weekly.planned(db, key, number)
        return [receiver for receiver in self._receivers if receiver not in known]


def _row(key: str, receiver: str, now: datetime) -> OutboxRow:
    return OutboxRow(
        key=key,
        receiver=receiver,
        incident=0,
        kind=NotificationKind.WEEKLY,
        facts=None,
        due_at=now,
    )
