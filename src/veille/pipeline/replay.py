"""Replay: the same stages on a virtual clock, so that a file always gives the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec

from veille.domain.errors import InputError
from veille.domain.mention import Batch, Mention
from veille.pipeline.analyze import Analyze
from veille.pipeline.clock import Clock
from veille.pipeline.collect import Collect, Origin
from veille.pipeline.dispatch import Dispatch
from veille.pipeline.escalate import Escalate
from veille.pipeline.evaluate import Evaluate
from veille.store import mentions, sources, work
from veille.store.engine import Db
from veille.store.protocol import Store

GRID = timedelta(seconds=10)
"""Evaluation happens on this grid of virtual time, whatever the batches."""
AFTERWARDS = timedelta(hours=24)
"""How long the clock runs on after the last line at most, until nothing is pending."""
CURSOR = "replay"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is played: mentions in the order of their arrival, and the file's SHA-256."""

    mentions: tuple[Mention, ...]
    digest: bytes

    @classmethod
    def of(cls, content: bytes, mentions: Sequence[Mention]) -> Script:
        """Return the script of a file: each line arrives at `received_at`, else `created_at`."""
        arrived = (replace(m, received_at=m.received_at or m.created_at) for m in mentions)
        ordered = sorted(arrived, key=_arrival)
        return cls(mentions=tuple(ordered), digest=hashlib.sha256(content).digest())


def _arrival(mention: Mention) -> datetime:
    return mention.received_at or mention.created_at


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How far a replay has come: lines taken, and the grid time whose steps they belong to."""

    digest: str
    taken: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The stages that a replay drives.

    Where there is a clock of answers, or an escalation, they are looked at in the order in which
    the daemon wakes them: `clock` before dispatch, `escalate` after it.
    """

    collect: Collect
    analyze: Analyze
    evaluate: Evaluate
    dispatch: Dispatch
    clock: Clock | None = None
    escalate: Escalate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Everything:
    """Lines of a source that the configuration does not name: every watch is tried."""

    id: str = CURSOR
    watches: list[str] | None = None
    trusted: bool = False
    own: bool = False


class Replay:
    """One run over a script; a store that holds half of it is taken up where it stopped."""

    def __init__(
        self,
        store: Store,
        stages: Stages,
        script: Script,
        *,
        origins: Mapping[str, Origin] | None = None,
        until: datetime | None = None,
        name: str = CURSOR,
    ) -> None:
        self._store = store
        self._stages = stages
        self._script = script
        self._origins = origins or {}
        self._until = until
        self._everything = _Everything(id=name)
        self.heard: Sequence[Mention] = ()  # what arrived at the last instant

    async def play(self) -> AsyncIterator[datetime]:
        """Yield each virtual instant when its steps are committed."""
        place = await self._resume()
        if place is None:
            return
        at, taken = place.at, place.taken
        # a file that ends is no silence, unless somebody says how long it was listened on
        self._stages.evaluate.hear_until(self._until or _arrival(self._script.mentions[-1]))
        await self._stages.evaluate.open(at)
        # a killed run may have stopped between two commits of this instant: each may be repeated
        taken = await self._collect(at, taken)
        await self._think(at)
        yield at
        while (following := self._next(at, taken)) is not None:
            at = following
            taken = await self._collect(at, taken)
            await self._think(at)
            yield at

    async def _resume(self) -> Place | None:
        place = await resumed(self._store, self._script, name=self._everything.id)
        await self._store.write(work.release)
        if place is not None:
            return place
        if not self._script.mentions:
            return None
        first = on_grid(_arrival(self._script.mentions[0])) - GRID
        return Place(digest=self._script.digest.hex(), taken=0, at=first)

    def _next(self, at: datetime, taken: int) -> datetime | None:
        """Return the next instant at which something can happen; None at the end."""
        lines, soonest = self._script.mentions, at + GRID
        line = _arrival(lines[taken]) if taken < len(lines) else None
        is_soon = self._stages.analyze.is_busy or (line is not None and line <= soonest)
        coming = soonest if is_soon else self._wakes_at(line)
        if coming is None:
            return None
        following = max(on_grid(coming), soonest)
        end = self._until
        if end is None:
            end = on_grid(_arrival(lines[-1])) + AFTERWARDS
        return following if following <= end else None

    def _wakes_at(self, line: datetime | None) -> datetime | None:
        """Return when a stage or the next line asks for a look."""
        stages = self._stages
        wakes = [line, stages.evaluate.wakes_at, stages.dispatch.wakes_at]
        if stages.escalate is not None:
            wakes.append(stages.escalate.wakes_at)
        return min((at for at in wakes if at is not None), default=None)

    async def _collect(self, at: datetime, taken: int) -> int:
        lines = self._script.mentions
        last = taken
        while last < len(lines) and _arrival(lines[last]) <= at:
            last += 1
        self.heard = lines[taken:last]
        place = Place(digest=self._script.digest.hex(), taken=last, at=at)
        cursor = msgspec.json.encode(place).decode()
        if last > taken:
            batch = Batch(mentions=self.heard, cursor=cursor)
            await self._stages.collect.accept(
                self._everything, batch, now=at, origins=self._origins
            )
        else:  # before the stages: a resumed run must not judge an earlier instant again
            await self._store.write(
                lambda db: sources.set_cursor(db, self._everything.id, cursor, at)
            )
        return last

    async def look(self, now: datetime) -> None:
        """After the last instant: what time alone changes has changed, on the grid before `now`."""
        await self._think(on_grid(now - GRID))

    async def _think(self, at: datetime) -> None:
        stages = self._stages
        in_order = (
            stages.analyze,
            stages.evaluate,
            stages.clock,
            stages.dispatch,
            stages.escalate,
        )
        for stage in in_order:
            while stage is not None and await stage.step(at):
                pass


async def resumed(store: Store, script: Script, *, name: str = CURSOR) -> Place | None:
    """Return how far the store has come with this script, None for a store without a row.

    Raises InputError when it is of something else.
    """

    def look(db: Db) -> tuple[str | None, bool]:
        return sources.cursor(db, name), bool(mentions.counts(db) or sources.health(db))

    cursor, is_used = await store.read(look)
    if cursor is None and is_used:
        raise InputError("this database is not a replay's: name a new file with --db")
    if cursor is None:
        return None
    place = msgspec.json.decode(cursor, type=Place)
    if place.digest != script.digest.hex():
        raise InputError("this database holds the replay of another file: name another --db")
    return place


def on_grid(at: datetime) -> datetime:
    """Return the first grid instant that is not before `at`."""
    steps = -((_EPOCH - at) // GRID)
    return _EPOCH + steps * GRID
