"""How long to wait before trying again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_S = 86_400.0


def backoff_s(attempt: int, *, base: float, cap: float, jitter: Callable[[], float]) -> float:
    """Return seconds in [0, cap] before the retry that follows attempt 1, 2, 3…

    Exponential with full jitter: uniform in [0, base · 2^(attempt-1)], `jitter` being uniform in
    [0, 1) (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    return jitter() * min(cap, base * 2.0 ** min(max(attempt, 1) - 1, 60))


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return the seconds a Retry-After header asks for, in [0, one day]; None if it says nothing.

    Seconds or an HTTP date (RFC 9110, 10.2.3). One day at most: no server may silence us longer.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_S)
    try:
        at = parsedate_to_datetime(text)
        wait_s = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)
