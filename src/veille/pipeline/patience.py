"""How long a source is left alone after it failed."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from veille.domain.errors import SourceError
from veille.net.retry import backoff_s

REFUSED, REFUSED_FACTOR = timedelta(minutes=2), 5
STOPPED = timedelta(hours=6)
"""What only a person can mend (401, 410…) is asked again after 2, 10, 50, 250 minutes, then this
rarely: the first refusals may be a mistake of the server's that passes."""
LONGEST_S = 3600.0
"""A source may ask for patience, but not silence itself for hours."""


class Patience:
    """Waits between reads, longer after each failure; `base_s` and `cap_s` bound the backoff."""

    def __init__(
        self, *, base_s: float, cap_s: float, jitter: Callable[[], float] = random.random
    ) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._jitter = jitter
        self._failures = 0
        self._refusals = 0
        self._since: datetime | None = None
        self._pause = timedelta(0)

    def is_waiting(self, now: datetime) -> bool:
        """Whether it is too early; a clock that was set back does not make it longer."""
        return self._since is not None and timedelta(0) <= now - self._since < self._pause

    def wait(self, now: datetime, pause: timedelta) -> None:
        """Wait this long from now on."""
        self._since, self._pause = now, pause

    @property
    def has_failed(self) -> bool:
        """Whether it failed and has not succeeded since."""
        return self._failures + self._refusals > 0

    def succeed(self) -> None:
        """The next failure is the first again."""
        self._failures = self._refusals = 0

    def fail(self, error: SourceError, now: datetime) -> timedelta:
        """Wait as the error asks, an hour at most, else longer at each failure; return how long."""
        if error.may_retry:
            self._failures += 1
            wait_s = error.retry_after_s or backoff_s(
                self._failures, base=self._base_s, cap=self._cap_s, jitter=self._jitter
            )
            pause = timedelta(seconds=min(wait_s, LONGEST_S))
        else:
            pause = min(STOPPED, REFUSED * REFUSED_FACTOR ** min(self._refusals, 4))
            self._refusals += 1
        self.wait(now, pause)
        return pause
