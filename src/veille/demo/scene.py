"""The scenario on one clock: it leaps from line to line, waits for what is told, then runs on.

docs/decisions/0016-one-clock.md says why.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import click

from veille.domain.alert import Severity
from veille.domain.clock import monotonic_s, utc_now
from veille.domain.ids import short_id
from veille.domain.incident import Event, Incident, IncidentState
from veille.pipeline.replay import GRID, Replay
from veille.store import incidents, outbox, sources, timeline
from veille.store.engine import Db, SqliteStore

DRAIN_S = 60.0
LATE = timedelta(minutes=1)
"""By the scenario's time, a notification goes out that late at most; what comes next is read
meanwhile."""
_LOOK_S = 0.05
SCENE = "*scene"
"""The scenario's place in the store: no source that pages would show."""
_SHAPES = {Severity.INFO: "●", Severity.WARNING: "◆", Severity.CRITICAL: "▲"}


@dataclass(slots=True)
class SceneClock:
    """The scenario's time: it leaps while the night is played, then runs on like any clock."""

    at: datetime = field(default_factory=utc_now)
    since_s: float = field(default_factory=monotonic_s)

    def set(self, at: datetime) -> None:
        """It is `at` now, or later where it was: a clock that people look at never goes back."""
        self.at, self.since_s = max(at, self.now()), monotonic_s()

    def begin(self, at: datetime) -> None:
        """It is `at` now."""
        self.at, self.since_s = at, monotonic_s()

    def now(self) -> datetime:
        """Return the scenario's time."""
        return self.at + timedelta(seconds=monotonic_s() - self.since_s)


class Playing:
    """The scenario as a stage: one virtual instant a step; after the last one time runs on.

    The clock leaps to an instant when what was told a minute before it has been sent, so that the
    timeline has it at its time. `pace` is how many real seconds a virtual one lasts at least,
    counted from the beginning: people want to watch. `heard` are the sources it speaks for.
    """

    name = "scenario"

    def __init__(
        self,
        store: SqliteStore,
        replay: Replay,
        clock: SceneClock,
        *,
        pace: float,
        heard: Sequence[str] = (),
    ) -> None:
        self._store = store
        self._replay = replay
        self._instants: AsyncIterator[datetime] = replay.play()
        self._clock = clock
        self._pace = pace
        self._heard = heard
        self._began = clock.at
        self._began_s = monotonic_s()
        self._looked_at: datetime | None = None
        self.is_over = asyncio.Event()

    async def step(self, now: datetime) -> bool:
        """Play the next instant; after the last one, look again as the daemon would."""
        if self._looked_at is not None:
            return await self._look(now, self._looked_at)
        try:
            at = await anext(self._instants)
        except StopAsyncIteration:
            self._looked_at = now
            self.is_over.set()
            return False
        await drained(self._store, before=at - LATE)
        self._clock.set(at)
        await self._store.write(lambda db: self._hear(db, at))
        due_s = self._began_s + (at - self._began).total_seconds() * self._pace
        await asyncio.sleep(max(0.0, due_s - monotonic_s()))
        return True

    def _hear(self, db: Db, at: datetime) -> None:
        """The sources of the scenario answer, as the page of sources says."""
        counts = Counter(mention.source for mention in self._replay.heard)
        for source in self._heard:
            sources.note_read(
                db,
                source,
                at=at,
                accepted=counts[source],
                unmatched=0,
                rejected=0,
                unknown_fields=0,
            )

    async def _look(self, now: datetime, before: datetime) -> bool:
        if now - before < GRID:
            return False
        self._looked_at = now
        await self._replay.look(now)
        return True


async def drained(store: SqliteStore, *, before: datetime | None = None) -> bool:
    """Wait until nothing is left to send of what is due (`before`), else false after DRAIN_S."""

    def is_left(db: Db) -> bool:
        dues = [outbox.next_due(db, receiver) for receiver in outbox.depth(db)]
        return any(due is not None and (before is None or due <= before) for due in dues)

    try:
        async with asyncio.timeout(DRAIN_S):
            # other tasks send it, and note that in the store: there is no event to wait for
            while await store.read(is_left):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        return False
    return True


class Crier:
    """Prints what happens, for who watches the terminal."""

    name = "crier"

    def __init__(self, store: SqliteStore, zone: ZoneInfo) -> None:
        self._store = store
        self._zone = zone
        self._told = 0

    async def step(self, now: datetime) -> bool:
        """Print the incidents that opened or ended since the last step."""
        del now
        lines = await self._store.read(self._lines)
        for line in lines[self._told :]:
            click.echo(line)
        self._told = len(lines)
        return False

    def _lines(self, db: Db) -> list[str]:
        found = incidents.list_(db, states=list(IncidentState), limit=500)
        by_name = {short_id("I", incident.id): incident for incident in found}
        return [
            self._line(event, by_name[event.target])
            for event in timeline.log(db)
            if event.kind in {"incident.opened", "incident.resolved"}
        ]

    def _line(self, event: Event, incident: Incident) -> str:
        at = event.at.astimezone(self._zone)
        what = "ouvert" if event.kind == "incident.opened" else "résolu"
        shape = _SHAPES[incident.severity]
        return f"  {at:%d/%m %H:%M}  {shape} {event.target:<4} {what}  {incident.title}"
