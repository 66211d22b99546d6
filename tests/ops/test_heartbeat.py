"""A sign of life reaches the monitor only from a daemon that lives, and harms it never."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import structlog
from aiohttp import web

from veille.app.heartbeat import Heartbeat
from veille.net.client import Client
from veille.telemetry.metrics import Metrics

MINUTE = timedelta(minutes=1)


class Monitor:
    """A monitor outside that counts signs of life; it answers as told."""

    def __init__(self) -> None:
        self.beats = 0
        self.status = 200
        self.url = ""

    async def serve(self, request: web.Request) -> web.Response:
        self.beats += 1
        return web.Response(status=self.status)


class Pulse:
    """The daemon's check, as told."""

    live = True

    def is_live(self) -> bool:
        return self.live


@pytest.fixture
async def monitor() -> AsyncIterator[Monitor]:
    found, app = Monitor(), web.Application()
    app.router.add_get("/ping/secret-account", found.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ping/secret-account"
    yield found
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(allow_private=True, time_limit=timedelta(seconds=2)) as opened:
        yield opened


async def test_it_beats_when_due(monitor: Monitor, client: Client, now: datetime) -> None:
    beat = Heartbeat(client, Pulse(), url=monitor.url, every=MINUTE)
    for seconds in (0, 1, 59, 60, 61):
        assert await beat.step(now + timedelta(seconds=seconds)) is False
    assert monitor.beats == 2
    await beat.step(now - timedelta(hours=1))  # the clock was set back
    assert monitor.beats == 3


async def test_a_stuck_daemon_does_not_beat(
    monitor: Monitor, client: Client, metrics: Metrics, now: datetime
) -> None:
    pulse = Pulse()
    pulse.live = False
    beat = Heartbeat(client, pulse, url=monitor.url, every=MINUTE)
    await beat.step(now)
    assert monitor.beats == 0
    assert (
        metrics.registry.get_sample_value("veille_heartbeats_total", {"outcome": "withheld"}) == 1
    )


async def test_failures_are_counted_and_logged_once_without_the_address(
    monitor: Monitor, client: Client, metrics: Metrics, now: datetime
) -> None:
    nobody = "http://127.0.0.1:9/ping/secret-account"
    beat = Heartbeat(client, Pulse(), url=nobody, every=MINUTE)
    with structlog.testing.capture_logs() as logs:
        for minute in range(3):
            await beat.step(now + minute * MINUTE)
        monitor.status = 500
        beat._url = monitor.url
        await beat.step(now + 3 * MINUTE)
        monitor.status = 200
        await beat.step(now + 4 * MINUTE)
    assert [(log["outcome"], log["log_level"]) for log in logs] == [
        ("failed", "warning"),
        ("sent", "info"),
    ]
    assert "secret-account" not in str(logs)
    count = metrics.registry.get_sample_value("veille_heartbeats_total", {"outcome": "failed"})
    assert count == 4
