"""How long a source is left alone after it failed."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from veille.domain.errors import SourceError
from veille.net.retry import backoff_s

STOPPED = timedelta(hours=6)
"""A source that answers 410 or 401 is asked again this rarely: only a person can mend it."""


class Patience:
    """Waits between reads, longer after each failure; `base_s` and `cap_s` bound the backoff."""

    def __init__(
        self, *, base_s: float, cap_s: float, jitter: Callable[[], float] = random.random
    ) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._jitter = jitter
        self._failures = 0
        self._since: datetime | None = None
        self._pause = timedelta(0)

    def is_waiting(self, now: datetime) -> bool:
        """Whether it is too early; a clock that was set back does not make it longer."""
        return self._since is not None and timedelta(0) <= now - self._since < self._pause

    def wait(self, now: datetime, pause: timedelta) -> None:
        """Wait this long from now on."""
        self._since, self._pause = now, pause

    def succeed(self) -> None:
        """The next failure is the first again."""
        self._failures = 0

    def fail(self, error: SourceError, now: datetime) -> timedelta:
        """Wait as the error asks, else as often as it failed in a row; return how long."""
        self._failures += 1
        pause = STOPPED
        if error.may_retry:
            wait_s = error.retry_after_s or backoff_s(
                self._failures, base=self._base_s, cap=self._cap_s, jitter=self._jitter
            )
            pause = timedelta(seconds=wait_s)
        self.wait(now, pause)
        return pause
