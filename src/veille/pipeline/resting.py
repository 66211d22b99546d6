"""A stage that is left alone until the store has changed or its time has come."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from veille.pipeline.runner import Stage, Versioned


class Sleeper(Stage, Protocol):
    """A stage that knows when time alone gives it something to do: None, never."""

    @property
    def wakes_at(self) -> datetime | None: ...


class Resting:
    """Steps a stage of which all that it decides stands in the store, or follows from the clock.

    What it does not see is another reason to step: a stage that asks elsewhere must not rest.
    """

    def __init__(self, stage: Sleeper, store: Versioned) -> None:
        self._stage = stage
        self._store = store
        self._seen: int | None = None
        self._stepped_at: datetime | None = None

    @property
    def name(self) -> str:
        """The stage's."""
        return self._stage.name

    async def step(self, now: datetime) -> bool:
        """Step the stage if anything can have changed; true when it wrote something."""
        version = await self._store.data_version()  # before the step: what comes meanwhile is news
        if version == self._seen and self._is_asleep(now):
            return False
        has_done = await self._stage.step(now)
        self._seen, self._stepped_at = version, now
        return has_done

    def _is_asleep(self, now: datetime) -> bool:
        wakes_at, stepped_at = self._stage.wakes_at, self._stepped_at
        is_ahead = stepped_at is None or now < stepped_at  # the clock was set back
        return not is_ahead and (wakes_at is None or now < wakes_at)
