"""The only place that reads the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Return seconds of a clock that never goes back; only differences mean something."""
    return time.monotonic()


def busy_s() -> float:
    """Return seconds of processor time of all threads; only differences mean something."""
    return time.process_time()
