"""The whole daemon on a clock of ours: the summary is planned, written and mailed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from veille.app.daemon import daemon
from veille.config import load
from veille.demo.mail import MailStandIn
from veille.store import weekly
from veille.store.engine import Db

if TYPE_CHECKING:
    from conftest import Press

MONDAY_8 = datetime(2026, 11, 23, 8, tzinfo=ZoneInfo("Europe/Paris"))
CONFIG = """
[veille]
name = "Saint-Aubin"
data_dir = "."
[[watch]]
id = "mairie"
[[receiver]]
id = "courriel"
kind = "email"
host = "127.0.0.1"
port = {port}
tls = "none"
allow_private = true
sender = "veille@mairie.example"
to = ["direction@mairie.example"]
[web]
listen = "127.0.0.1:0"
"""


@pytest.fixture
async def relay() -> AsyncIterator[MailStandIn]:
    async with MailStandIn() as stand_in:
        yield stand_in


@pytest.mark.timeout(60)
async def test_the_daemon_mails_the_summary_of_the_week_that_ended(
    two_weeks: Press, db: Db, monday: datetime, path: Path, relay: MailStandIn
) -> None:
    weekly.note_listening(db, monday - timedelta(days=30))
    db.execute("COMMIT")
    db.close()
    config = path.with_name("config.toml")
    config.write_text(CONFIG.format(port=relay.port), encoding="utf-8")
    async with daemon(load(config), now=lambda: MONDAY_8) as runner:
        running = asyncio.ensure_future(runner.run())
        async with asyncio.timeout(40):
            while not relay.received():
                await asyncio.sleep(0.02)
            runner.stop()
            await running
    assert [str(m.message["Subject"])[:10] for m in relay.received()] == ["Semaine 47"]
