"""One post a second per channel, whoever posts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field

from veille.domain.clock import monotonic_s

GAP_S = 1.0  # Slack, Web API rate limits: about one message per second per channel
_PATIENCE_S = 5.0  # longer waits belong to the outbox, where they are seen


@dataclass(slots=True, kw_only=True)
class Pace:
    """When each channel takes its next post. One for all notifiers of the process."""

    gap_s: float = GAP_S
    clock: Callable[[], float] = monotonic_s
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    _free_at: dict[Hashable, float] = field(default_factory=dict, repr=False)

    async def turn(self, channel: Hashable) -> float:
        """Return 0 once it is this caller's turn, else the seconds to come back after.

        Turns are given in the order of the calls.
        """
        now = self.clock()
        free_at = max(now, self._free_at.get(channel, now))
        if free_at - now > _PATIENCE_S:
            return free_at - now
        self._free_at[channel] = free_at + self.gap_s
        if free_at > now:
            await self.sleep(free_at - now)
        return 0.0

    def hold(self, channel: Hashable, seconds: float) -> None:
        """Give no turn of the channel for so many seconds: the server asked."""
        until = self.clock() + seconds
        self._free_at[channel] = max(until, self._free_at.get(channel, until))
