"""The writer thread: it gathers changes, commits them together, then answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, Full, Queue
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    change: Callable[[Db], Any]  # each job has its own result type
    future: Future[Any]


class Writer:
    """One thread that holds the only write connection of this process."""

    def __init__(self, connect: Callable[[], Db], *, window: timedelta) -> None:
        self._connect = connect
        self._window_s = window.total_seconds()
        self._jobs: Queue[_Job | None] = Queue(QUEUE_SIZE)
        self._is_open = False
        self._is_ending = False
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

    def submit(self, change: Callable[[Db], T]) -> Future[T]:
        """Return the future of a change: resolved once it is committed or undone."""
        if not self._is_open:
            raise StoreError("the store is not open; use it inside `async with`")
        future: Future[T] = Future()
        try:
            self._jobs.put_nowait(_Job(change=change, future=future))
        except Full:
            raise StoreError(
                f"{QUEUE_SIZE} changes wait for the disk: it is too slow or blocked; try later"
            ) from None
        return future

    def close(self) -> None:
        """Every accepted change is committed or undone, and the connection is closed."""
        if self._is_open and self._thread is not None:
            self._is_open = False
            self._jobs.put(None)
            self._thread.join()

    def _run(self, opened: Future[None]) -> None:
        try:
            db = self._connect()
        except BaseException as error:  # noqa: BLE001 the opener waits for it in another thread
            opened.set_exception(error)
            return
        opened.set_result(None)
        while jobs := self._gather():
            _commit(db, jobs)
            self._committed_s = monotonic_s()
        db.close()

    def _gather(self) -> list[_Job]:
        """Return what waits until a window has passed since the last commit; [] at the end."""
        jobs: list[_Job] = []
        job = None if self._is_ending else self._jobs.get()
        until = self._committed_s + self._window_s
        while job is not None:
            jobs.append(job)
            if len(jobs) == BATCH:
                return jobs
            try:
                wait_s = until - monotonic_s()
                job = self._jobs.get(timeout=wait_s) if wait_s > 0 else self._jobs.get_nowait()
            except Empty:
                return jobs
        self._is_ending = True
        return jobs


def _commit(db: Db, jobs: list[_Job]) -> None:
    """Run the jobs in one transaction; their futures hear of it only after the commit."""
    jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
    if not jobs:
        return
    try:
        db.execute("BEGIN IMMEDIATE")
        outcomes = [_attempt(db, job) for job in jobs]
        db.execute("COMMIT")
    except BaseException as error:  # noqa: BLE001 whoever waits must hear of it
        _undo(db)
        for job in jobs:
            failed = StoreError(f"nothing was written: {error}")
            failed.__cause__ = error
            job.future.set_exception(failed)
        return
    for job, (result, failure) in zip(jobs, outcomes, strict=True):
        if failure is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(failure)


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


def _undo(db: Db) -> None:
    try:
        db.rollback()
    except StoreError:
        return  # the next BEGIN says what is wrong; the callers hear of the first error
