"""A receiver that says whether veille lives: its connection is held, and taken up again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import structlog

from veille.domain.errors import DeliveryError, SourceError
from veille.pipeline.patience import Patience

KEEP_S = 60.0
BASE_S, CAP_S = 1.0, 60.0

log = structlog.get_logger()


class Keeper(Protocol):
    """Holds a connection; raises DeliveryError while there is none."""

    async def keep(self) -> None: ...


class Presence:
    """Keeps the connection of one receiver; a broker that is gone harms nobody else."""

    def __init__(
        self, *, receiver: str, keeper: Keeper, jitter: Callable[[], float] = random.random
    ) -> None:
        self.name = f"status.{receiver}"
        self._receiver = receiver
        self._keeper = keeper
        self._patience = Patience(base_s=BASE_S, cap_s=CAP_S, jitter=jitter)
        self._is_lost = False

    async def step(self, now: datetime) -> bool:
        """Connect if the connection is lost and it is time to; false: nothing follows from it."""
        if self._patience.is_waiting(now):
            return False
        cause = ""
        try:
            async with asyncio.timeout(KEEP_S):
                await self._keeper.keep()
        except DeliveryError as error:
            cause = str(error)
        except TimeoutError:
            cause = f"no answer within {KEEP_S:.0f} s"
        except Exception as error:  # noqa: BLE001 the edge of a channel: it must end no other
            cause = f"{type(error).__name__} in the notifier"
        if cause:
            # every cause may pass: a password can be corrected at the broker, too
            self._patience.fail(SourceError(cause), now)
        else:
            self._patience.succeed()
        if bool(cause) != self._is_lost:  # said once when it goes, once when it comes back
            self._is_lost = bool(cause)
            if cause:
                log.warning("status_lost", receiver=self._receiver, error=cause)
            else:
                log.info("status_back", receiver=self._receiver)
        return False
