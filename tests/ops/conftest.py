"""A store on disk and systemd's end of the socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from servers.supervisor import Supervisor
from veille.store.engine import SqliteStore
from veille.telemetry.metrics import Metrics, begin

NOW = datetime(2026, 1, 18, 1, 30, tzinfo=UTC)


@dataclass
class Seconds:
    """A monotonic clock that the test moves."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def clock_s() -> Seconds:
    return Seconds()


@pytest.fixture
def metrics() -> Metrics:
    """The metrics of a daemon that begins with the test."""
    return begin({"astreinte": "slack"})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    path = tmp_path / "data" / "veille.db"
    async with SqliteStore(path, group_commit=timedelta(0), is_durable=False) as opened:
        yield opened


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(str(tmp_path / "notify")) as listening:
        yield listening
