"""Whispers: what one person in Slack must know at once and nobody else sees."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from veille.domain.errors import DeliveryError
from veille.telemetry.metrics import metrics

WAITING = 100
"""More people than that press no buttons at once: what comes on top is refused."""
ATTEMPT_S = 15.0

log = structlog.get_logger()


class Whisperer(Protocol):
    """Code for a channel on which one person can be told alone; raises DeliveryError."""

    async def whisper(self, *, channel: str, user: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Whisper:
    """One sentence for one person."""

    receiver: str
    channel: str
    user: str
    text: str


class Whispers:
    """A bounded queue in memory: told once or not at all, since an hour later it means nothing."""

    name = "whispers"

    def __init__(self) -> None:
        self._whisperers: Mapping[str, Whisperer] = {}
        self._waiting: deque[Whisper] = deque()
        self.wake: Callable[[], None] = lambda: None

    def connect(self, whisperers: Mapping[str, Whisperer]) -> None:
        """These receivers, by id, tell one person alone."""
        self._whisperers = whisperers

    def offer(self, *, receiver: str, channel: str, user: str, text: str) -> bool:
        """Whether it waits to be told: there is such a receiver, and the queue is not full."""
        if receiver not in self._whisperers or len(self._waiting) >= WAITING:
            return False
        said = Whisper(receiver=receiver, channel=channel, user=user, text=text)
        self._waiting.append(said)
        metrics().whispers.set(len(self._waiting))
        self.wake()
        return True

    async def step(self, now: datetime) -> bool:
        """Tell the oldest; false when none waits. One that fails is dropped, and logged."""
        del now
        if not self._waiting:
            return False
        said = self._waiting.popleft()
        metrics().whispers.set(len(self._waiting))
        try:
            async with asyncio.timeout(ATTEMPT_S):
                await self._whisperers[said.receiver].whisper(
                    channel=said.channel, user=said.user, text=said.text
                )
        except (DeliveryError, TimeoutError) as error:
            log.warning("whisper_failed", receiver=said.receiver, error=type(error).__name__)
        return True
