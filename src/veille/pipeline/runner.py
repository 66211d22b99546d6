"""The runner owns every task: stages that claim, work and commit until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol  # Any: what coroutines send

from veille.domain.clock import monotonic_s


class Stage(Protocol):
    """One batch at a time; `step` is true while more may wait."""

    @property
    def name(self) -> str: ...
    async def step(self, now: datetime) -> bool: ...


STOP_S = 10.0
"""Below the 30 s that a stop may take in all: streams (5 s), web (5 s) and brokers (6 s) close."""

STEP_S = 60.0
"""A step of ours lasts a second or so: one that lasts this long hangs."""
OUTSIDE_STEP_S = 240.0
"""A step that waits for others ends by its own limit (120 s for a read), then writes what came."""

Wake = Callable[[], None]


class Runner:
    """Runs stages in one task group; an error that a stage did not expect ends them all."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now
        self._loops: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = []
        self._events: list[asyncio.Event] = []
        self._stop = asyncio.Event()
        self._limits: dict[str, float] = {}
        self._began_s: dict[str, float] = {}

    def add(
        self,
        stage: Stage,
        *,
        tick_s: float,
        then: Sequence[Wake] = (),
        limit_s: float = STEP_S,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> Wake:
        """Step this stage every `tick_s` seconds, and whenever the returned wake is called.

        A step that did something wakes `then`, and is followed by another; one that lasts longer
        than `limit_s` counts as stuck. `close` is awaited after its last step, beside the others:
        it must end by itself.
        """
        self._limits[stage.name] = limit_s
        event = asyncio.Event()
        self._events.append(event)
        loop = partial(self._loop, stage, tick_s, event, then)
        self._loops.append((stage.name, loop if close is None else partial(_closed, loop, close)))
        return event.set

    def wake(self) -> None:
        """Let every stage look now."""
        for event in self._events:
            event.set()

    def stuck(self) -> tuple[str, ...]:
        """Return the stages whose step lasts longer than its limit."""
        now_s = monotonic_s()
        return tuple(
            name for name, began_s in self._began_s.items() if now_s - began_s > self._limits[name]
        )

    def stop(self) -> None:
        """Let every stage finish its step, then return from `run`."""
        self._stop.set()
        self.wake()

    async def run(self) -> None:
        """Run until `stop`; raises what a core stage raised.

        A step that goes on for `STOP_S` after the stop is cancelled: what it held is leased, and
        waits for the next start.
        """
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop(), name=name) for name, loop in self._loops]
            await self._stop.wait()
            await asyncio.wait(tasks, timeout=STOP_S)
            for task in tasks:
                task.cancel()

    async def _loop(
        self, stage: Stage, tick_s: float, event: asyncio.Event, then: Sequence[Wake]
    ) -> None:
        while not self._stop.is_set():
            event.clear()  # before the step, so that a wake during it is kept
            self._began_s[stage.name] = monotonic_s()
            has_done = await stage.step(self._now())
            del self._began_s[stage.name]
            if has_done:
                for wake in then:
                    wake()
                continue
            try:
                async with asyncio.timeout(tick_s):
                    await event.wait()
            except TimeoutError:
                pass


async def _closed(
    loop: Callable[[], Awaitable[None]], close: Callable[[], Awaitable[None]]
) -> None:
    try:
        await loop()
    finally:
        await close()


class Versioned(Protocol):
    """A store that tells when any process has committed."""

    async def data_version(self) -> int: ...


class Outside:
    """Sees that the store was changed, be it by another process (the command line).

    Our own commits look the same: it is to wake who waits for others' work, not who cleans up.
    """

    name = "outside"

    def __init__(self, store: Versioned) -> None:
        self._store = store
        self._seen: int | None = None

    async def step(self, now: datetime) -> bool:
        """Whether the store's data version is another than at the last step."""
        del now
        seen, self._seen = self._seen, await self._store.data_version()
        return seen not in {None, self._seen}
