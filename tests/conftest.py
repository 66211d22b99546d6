"""What every test starts from."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import hypothesis
import pytest
import structlog

# no test judges how fast a machine is
hypothesis.settings.register_profile("veille", deadline=None)
hypothesis.settings.load_profile("veille")


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """A command run inside a test sets the logs of the process; the next test has its own."""
    handlers = list(logging.getLogger().handlers)
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    logging.getLogger().handlers[:] = handlers
