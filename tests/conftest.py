"""What every test starts from."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from veille.store.engine import connect

# no test judges how fast a machine is
hypothesis.settings.register_profile("veille", deadline=None)
hypothesis.settings.load_profile("veille")


@pytest.hookimpl(trylast=True)  # folders give their tests more time before
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that may take longest, so that two workers end together."""
    limits: dict[Path, float] = defaultdict(float)
    for item in items:
        mark = item.get_closest_marker("timeout")
        limits[item.path] = max(limits[item.path], mark.args[0] if mark else 0)
    items.sort(key=lambda item: -limits[item.path])


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a row: a copy opens in a sixth of the time that a new one takes."""
    path = tmp_path_factory.mktemp("blank") / "veille.db"
    connect(path, is_durable=False).close()
    return path


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """A command run inside a test sets the logs of the process; the next test has its own."""
    handlers = list(logging.getLogger().handlers)
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    logging.getLogger().handlers[:] = handlers
