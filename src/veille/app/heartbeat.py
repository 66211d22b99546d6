"""A sign of life to a monitor outside: when it stops, somebody there hears of it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Protocol

import structlog

from veille.domain.errors import SourceError
from veille.net.client import Response
from veille.telemetry.metrics import FAILED, SENT, WITHHELD, metrics

ANSWER_S = 10.0
ANSWER_BYTES = 64 * 1024

log = structlog.get_logger()


class Client(Protocol):
    """Asks an address."""

    async def get(self, url: str, *, limit_bytes: int) -> Response: ...


class Liveness(Protocol):
    """The daemon's own check."""

    def is_live(self) -> bool: ...


class Heartbeat:
    """Asks `url` every so often, and only while the daemon's own check is good.

    The address often names the account there: no log shows it.
    """

    name = "heartbeat"

    def __init__(self, client: Client, health: Liveness, *, url: str, every: timedelta) -> None:
        self._client = client
        self._health = health
        self._url = url
        self._every = every
        self._tried_at: datetime | None = None
        self._outcome = SENT

    async def step(self, now: datetime) -> bool:
        """Beat if it is time; false, since there is nothing to go on with."""
        # a clock that was set back must not silence it
        if self._tried_at is not None and timedelta(0) <= now - self._tried_at < self._every:
            return False
        self._tried_at = now
        outcome, cause = await self._beat()
        metrics().heartbeats.labels(outcome).inc()
        if outcome != self._outcome:  # said once, and once when it is over
            say = log.info if outcome == SENT else log.warning
            say("heartbeat", outcome=outcome, cause=cause)
        self._outcome = outcome
        return False

    async def _beat(self) -> tuple[str, str | None]:
        if not self._health.is_live():
            return WITHHELD, "not live"
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._client.get(self._url, limit_bytes=ANSWER_BYTES)
        except TimeoutError:
            return FAILED, f"no answer within {ANSWER_S:.0f} s"
        except SourceError as error:
            return FAILED, str(error)
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            return FAILED, f"answers {answer.status}"
        return SENT, None
