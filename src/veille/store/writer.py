"""The writer thread: it gathers changes, commits them together, then answers; people go first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from itertools import count
from queue import Empty, PriorityQueue
from typing import TYPE_CHECKING, Any, TypeVar

from veille.domain.clock import monotonic_s
from veille.domain.errors import StoreError

if TYPE_CHECKING:
    from veille.store.engine import Db

T = TypeVar("T")

QUEUE_SIZE = 1000
BATCH = 50
"""Changes in one transaction: of 100 mentions each they take 1.5 s (measured), and another process
waits for 5 s at most."""
PATIENCE_S = 0.05
"""A transaction that has taken this long ends where it is once a person waits: half of the 100 ms
within which a page answers."""


class Lane(Enum):
    """Whose change it is: of what waits, people's is taken first; within a lane as it came."""

    PEOPLE = "people"
    STAGES = "stages"
    END = "end"


BEHIND_S = {Lane.PEOPLE: 0.0, Lane.STAGES: 1.0, Lane.END: float("inf")}
"""How much later than a person's a change may be taken: then it is its turn, however many people
write. A second is half of what an alert may take to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    change: Callable[[Db], Any]  # each job has its own result type
    future: Future[Any]
    lane: Lane
    turn_s: float
    number: int

    def __lt__(self, other: _Job) -> bool:
        return (self.turn_s, self.number) < (other.turn_s, other.number)


class Writer:
    """One thread that holds the only write connection of this process."""

    def __init__(self, connect: Callable[[], Db], *, window: timedelta) -> None:
        self._connect = connect
        self._window_s = window.total_seconds()
        self._jobs: PriorityQueue[_Job] = PriorityQueue()
        self._numbers = count()
        self._is_open = False
        self._committed_s = float("-inf")
        self._thread: threading.Thread | None = None

    @property
    def waiting_count(self) -> int:
        """How many changes wait."""
        return self._jobs.qsize()

    def open(self) -> None:
        """The connection is open and takes changes; raises what opening it raised."""
        opened: Future[None] = Future()
        # a daemon thread: a program that forgets to close must still be able to exit
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name="store-writer", daemon=True
        )
        self._thread.start()
        opened.result()
        self._is_open = True

    def submit(self, change: Callable[[Db], T], *, lane: Lane = Lane.STAGES) -> Future[T]:
        """Return the future of a change: resolved once it is committed or undone."""
        if not self._is_open:
            raise StoreError("the store is not open; use it inside `async with`")
        if self._jobs.qsize() >= QUEUE_SIZE:
            raise StoreError(
                f"{QUEUE_SIZE} changes wait for the disk: it is too slow or blocked; try later"
            )
        future: Future[T] = Future()
        self._put(change, future, lane)
        return future

    def close(self) -> None:
        """Every accepted change is committed or undone, and the connection is closed."""
        if self._is_open and self._thread is not None:
            self._is_open = False
            self._put(_nothing, Future(), Lane.END)
            self._thread.join()

    def _put(self, change: Callable[[Db], T], future: Future[T], lane: Lane) -> None:
        turn_s, number = monotonic_s() + BEHIND_S[lane], next(self._numbers)
        job = _Job(change=change, future=future, lane=lane, turn_s=turn_s, number=number)
        self._jobs.put(job)

    def _run(self, opened: Future[None]) -> None:
        try:
            db = self._connect()
        except BaseException as error:  # noqa: BLE001 the opener waits for it in another thread
            opened.set_exception(error)
            return
        opened.set_result(None)
        while jobs := self._gather():
            for job in _commit(db, jobs, is_pressed=self._is_pressed):
                self._jobs.put(job)
            self._committed_s = monotonic_s()
        db.close()

    def _is_pressed(self) -> bool:
        """Whether a person waits for what is not begun."""
        with self._jobs.mutex:
            return any(job.lane is Lane.PEOPLE for job in self._jobs.queue)

    def _gather(self) -> list[_Job]:
        """Return what waits until a window has passed since the last commit; [] at the end."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        until = self._committed_s + self._window_s
        while job.lane is not Lane.END:
            jobs.append(job)
            if len(jobs) == BATCH:
                return jobs
            try:
                wait_s = until - monotonic_s()
                job = self._jobs.get(timeout=wait_s) if wait_s > 0 else self._jobs.get_nowait()
            except Empty:
                return jobs
        if jobs:
            self._jobs.put(job)  # what is put back comes before it
        return jobs


def _commit(db: Db, jobs: Sequence[_Job], *, is_pressed: Callable[[], bool]) -> Sequence[_Job]:
    """Run the jobs in one transaction; their futures hear of it only after the commit.

    Returns those not begun, because a person waits: for one of these, or for one that came since.
    """
    waiting, begun = sorted(jobs), list[_Job]()
    outcomes: list[tuple[Any, BaseException | None]] = []
    is_for_people = any(job.lane is Lane.PEOPLE for job in waiting)
    began_s = monotonic_s()
    try:
        db.execute("BEGIN IMMEDIATE")
        while waiting:
            is_long = monotonic_s() - began_s > PATIENCE_S
            if begun and is_long and (is_for_people or is_pressed()):
                break
            job = waiting.pop(0)
            if job.future.set_running_or_notify_cancel():
                begun.append(job)
                outcomes.append(_attempt(db, job))
        db.execute("COMMIT")
    except BaseException as error:  # noqa: BLE001 whoever waits must hear of it
        _undo(db)
        begun += [job for job in waiting if job.future.set_running_or_notify_cancel()]
        for job in begun:
            failed = StoreError(f"nothing was written: {error}")
            failed.__cause__ = error
            job.future.set_exception(failed)
        return ()
    for job, (result, failure) in zip(begun, outcomes, strict=True):
        if failure is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(failure)
    return waiting


def _attempt(db: Db, job: _Job) -> tuple[Any, BaseException | None]:
    """Run one change in its savepoint.

    When SQLite has given up the whole transaction (disk full), going back to the savepoint raises
    StoreError, and with that the batch fails.
    """
    db.execute("SAVEPOINT change")
    try:
        result = job.change(db)
    except BaseException as error:  # noqa: BLE001 the edge of a change: its caller hears of it
        db.execute("ROLLBACK TO change")
        db.execute("RELEASE change")
        return None, error
    db.execute("RELEASE change")
    return result, None


def _nothing(db: Db) -> None:
    """The end: no change."""


def _undo(db: Db) -> None:
    try:
        db.rollback()
    except StoreError:
        return  # the next BEGIN says what is wrong; the callers hear of the first error
