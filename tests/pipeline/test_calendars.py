"""Calendars are read again and again; when that fails, the last good copy stays and says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest
from aiohttp import web

from veille.alerts.oncall_settings import PersonSettings, ScheduleSettings
from veille.domain.calendar import Region
from veille.domain.oncall import CalendarRole
from veille.net.client import Client
from veille.pipeline.calendars import Calendars, Origin
from veille.pipeline.oncall import Roster
from veille.store import oncall

if TYPE_CHECKING:
    from veille.store.engine import SqliteStore

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
SHIFT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:{who}\r\n"
    "DTSTART:20261101T000000Z\r\nDTEND:20261201T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@dataclass
class CalendarServer:
    """One calendar at one address, which may fail."""

    url: str = ""
    body: str = SHIFT.format(who="anne")
    status: int = 200
    asked: int = 0

    async def serve(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(status=self.status, text=self.body)


@pytest.fixture
async def server() -> AsyncIterator[CalendarServer]:
    made = CalendarServer()
    app = web.Application()
    app.router.add_get("/secret.ics", made.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/secret.ics"
    yield made
    await runner.cleanup()


@pytest.fixture
def roster() -> Roster:
    schedule = {"id": "astreinte", "calendar": "x", "override_calendar": "y"}
    people = [{"id": "anne", "name": "Anne"}, {"id": "bruno"}]
    return Roster(
        people=msgspec.convert(people, list[PersonSettings]),
        schedules=[msgspec.convert(schedule, ScheduleSettings)],
        zone=ZoneInfo("Europe/Paris"),
        region=Region.METROPOLE,
    )


def origin(address: str, role: CalendarRole = CalendarRole.PRIMARY) -> Origin:
    every = timedelta(minutes=15)
    return Origin(schedule="astreinte", role=role, address=address, every=every, allow_private=True)


async def work(store: SqliteStore, roster: Roster, *origins: Origin, now: datetime) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(allow_private=True))
        stage = Calendars(store, origins, roster=roster, get=lambda _: client)
        while await stage.step(now):
            pass


async def who(store: SqliteStore, roster: Roster, now: datetime) -> tuple[str, ...]:
    return await store.read(lambda db: roster.duty(db, now)("astreinte"))


async def test_a_failure_keeps_the_last_good_copy_and_says_so(
    store: SqliteStore, roster: Roster, server: CalendarServer
) -> None:
    await work(store, roster, origin(server.url), now=NOW)
    assert await who(store, roster, NOW) == ("anne",)
    for status, body in ((500, ""), (200, "<html>Connexion</html>"), (200, "x" * 2_000_000)):
        server.status, server.body = status, body
        later = NOW + timedelta(minutes=15 * (server.asked + 1))
        await work(store, roster, origin(server.url), now=later)
        assert await who(store, roster, later) == ("anne",)
        (copy,) = await store.read(oncall.calendars)
        assert copy.error
        assert "secret.ics" not in copy.error
        assert copy.read_at == NOW
    assert server.asked == 4
    server.status, server.body = 200, SHIFT.format(who="bruno")
    again = NOW + timedelta(hours=2)
    await work(store, roster, origin(server.url), now=again)
    assert await who(store, roster, again) == ("bruno",)
    (copy,) = await store.read(oncall.calendars)
    assert copy.error is None


async def test_it_is_asked_no_more_often_than_set(
    store: SqliteStore, roster: Roster, server: CalendarServer
) -> None:
    for minutes in range(30):
        await work(store, roster, origin(server.url), now=NOW + timedelta(minutes=minutes))
    assert server.asked == 2


async def test_the_override_calendar_wins_and_a_file_will_do(
    store: SqliteStore, roster: Roster, server: CalendarServer, tmp_path: Path
) -> None:
    file = tmp_path / "remplacements.ics"
    file.write_text(SHIFT.format(who="bruno"))
    takeover = origin(str(file), CalendarRole.OVERRIDE)
    await work(store, roster, origin(server.url), takeover, now=NOW)
    assert await who(store, roster, NOW) == ("bruno",)
    file.unlink()
    later = NOW + timedelta(minutes=15)
    await work(store, roster, origin(server.url), takeover, now=later)
    assert await who(store, roster, later) == ("bruno",)


async def test_a_copy_of_another_address_is_not_kept(
    store: SqliteStore, roster: Roster, server: CalendarServer
) -> None:
    await work(store, roster, origin(server.url), now=NOW)
    server.status = 404
    await work(store, roster, origin(server.url + "?2"), now=NOW + timedelta(seconds=1))
    assert await who(store, roster, NOW) == ()


async def test_an_address_that_may_not_be_reached_is_refused(
    store: SqliteStore, roster: Roster, server: CalendarServer
) -> None:
    async with Client() as client:
        stage = Calendars(store, [origin(server.url)], roster=roster, get=lambda _: client)
        await stage.step(NOW)
    assert server.asked == 0
    (copy,) = await store.read(oncall.calendars)
    assert copy.error
