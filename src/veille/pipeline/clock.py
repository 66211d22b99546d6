"""Clock: what is owed to who asked follows what was read and done; people are warned in time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from veille.alerts.operational import UNANSWERED, awaited, cleared
from veille.domain.hours import is_open
from veille.domain.promise import Promises
from veille.pipeline.unsnooze import bring_back
from veille.store import alerts, duties, obligations, watermarks
from veille.store.duties import Warned
from veille.store.engine import Db
from veille.store.protocol import Store

BATCH = 50
"""Texts or actions looked at in one transaction: some 50 ms, so that no other write waits long."""
READ = 500
"""Warnings looked at in one step: more than a night brings to be told in the morning."""
PROMISED = "clock.promised"
_FOLLOWED = (("observations", "clock.observed"), ("timeline", "clock.handled"))
_FOLLOW = {"observations": duties.observed, "timeline": duties.handled}

Summary = Callable[[Warned], Mapping[str, str]]
"""What a warning says, as annotations of its alert."""


class Clock:
    """A stage of its own behind two watermarks: a kill loses nothing, a repeat changes nothing.

    `summary` words a warning; without it nobody is warned. Changed promises count for all that is
    not decided.
    """

    name = "clock"

    def __init__(self, store: Store, promises: Promises, *, summary: Summary | None = None) -> None:
        self._store = store
        self._promises = promises
        self._summary = summary
        self._mark = _mark(promises)
        self._redone: str | None = ""

    async def step(self, now: datetime) -> bool:
        """Follow one batch and warn of what is nearly due; true when there may be more."""
        if self._redone is None and not await self._store.read(lambda db: self._is_due(db, now)):
            return False
        return await self._store.write(lambda db: self._step(db, now))

    def _is_due(self, db: Db, now: datetime) -> bool:
        is_behind = any(
            duties.next_seq(db, table, watermarks.get(db, name), limit=1)
            != watermarks.get(db, name)
            for table, name in _FOLLOWED
        )
        return is_behind or (self._summary is not None and bool(self._to_warn(db, now)))

    def _step(self, db: Db, now: datetime) -> bool:
        keys, has_more = self._redo(db), self._redone is not None
        for table, name in _FOLLOWED:
            before = watermarks.get(db, name)
            after = duties.next_seq(db, table, before, limit=BATCH)
            keys += _FOLLOW[table](db, before, after)
            has_more = has_more or duties.next_seq(db, table, after, limit=1) != after
            if after != before:
                watermarks.set(db, name, after)
        for number, at in obligations.refresh(db, keys, self._promises, now=now).items():
            bring_back(db, number, at, now)
        if self._summary is not None and not has_more:  # not before all that is known is counted
            self._warn(db, self._summary, now)
        return has_more

    def _redo(self, db: Db) -> list[str]:
        """Return what is still to be counted anew since the promises changed."""
        if self._redone is None:
            return []
        if not self._redone and watermarks.get(db, PROMISED) == self._mark:
            self._redone = None
            return []
        keys = duties.standing(db, self._redone, limit=BATCH)
        self._redone = keys[-1] if keys else None
        if not keys:
            watermarks.set(db, PROMISED, self._mark)
        return keys

    def _warn(self, db: Db, summary: Summary, now: datetime) -> None:
        """One alert an obligation: it fires before it is due, and ends with it."""
        firing = {a.group["mention"]: a for a in alerts.live(db) if a.rule == UNANSWERED}
        still = duties.owed(db, list(firing), now)
        for key, alert in firing.items():
            if key not in still:
                ended, over = cleared(alert, now)
                alerts.save(db, [ended])
                alerts.add_transitions(db, [over])
        found = self._to_warn(db, now)
        for warned in found:
            if warned.due_at > now:  # what was late when it came needs no warning: the page says so
                said = summary(warned)
                alert, begun = awaited(warned.mention, annotations=said, now=now)
                alerts.save(db, [alert])
                alerts.add_transitions(db, [begun])
        duties.note_told(db, [warned.mention for warned in found], now)

    def _to_warn(self, db: Db, now: datetime) -> list[Warned]:
        """Return whom to warn of: what is read late waits for people, or is late meanwhile."""
        found = duties.to_warn(db, now, limit=READ)
        return [one for one in found if one.due_at <= now or self._is_heard(db, one, now)][:BATCH]

    def _is_heard(self, db: Db, warned: Warned, now: datetime) -> bool:
        severity = obligations.severity(db, warned.mention)
        promise = self._promises.of(warned.source, warned.intent, severity)
        return bool(promise.nonstop) or is_open(now, promise.opening)


def _mark(promises: Promises) -> int:
    """Return a number that is another one once the promises are."""
    body = msgspec.json.encode(promises, enc_hook=str, order="deterministic")
    return int.from_bytes(hashlib.sha256(body).digest()[:6])
