"""The daemon's analyst, in a process of its own: pages do not wait while it reads."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from typing import Any

import structlog

from veille.domain.analysis import Analysis, Passage
from veille.domain.errors import AnalystLostError, VeilleError
from veille.domain.explanation import Explanation
from veille.domain.topic import TopicSpec
from veille.nlp.settings import ModelSettings

NICE = 10
"""About a tenth of a core's time for each that pages and stages get where all want it: they want
little, and it takes the rest. With 5, pages took a tenth longer on quiet cores and half as long
again on busy ones, and mentions waited half as long (benchmarks/README.md)."""
END_S = 5.0
"""It ends at once when its line is cut; one that does not is killed."""

_CHILD = "from veille.app.analyst_process import answer; answer()"

log = structlog.get_logger()


class AnalystProcess:
    """Reads texts in another process, which loads the model from the moment this is built.

    Where that process dies (too little memory, a fault in a library) what it was reading raises
    AnalystLostError, and the next call starts another.
    """

    def __init__(self, settings: ModelSettings, topics: Sequence[TopicSpec]) -> None:
        self._plan = settings, tuple(topics)
        self._turn = threading.Lock()
        self._is_closed = False
        self._life = _Life(*self._plan)

    def wait(self) -> None:
        """Return when the model is loaded; about three seconds. Raises ModelError."""
        self._life.loaded.result()

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]:
        """Return the analysis of each passage, in order."""
        found: list[Analysis] = self._ask("analyze", list(passages))
        return found

    def explain(self, passage: Passage) -> tuple[Explanation, ...]:
        """Return which words carried each label; seconds of work, while others are read."""
        found: tuple[Explanation, ...] = self._ask("explain", passage)
        return found

    @property
    def pid(self) -> int:
        """The process of now."""
        return self._life.process.pid

    def close(self) -> None:
        """End the process; who waits for it has AnalystLostError."""
        with self._turn:
            self._is_closed = True
        self._life.close()

    def _ask(self, what: str, given: object) -> Any:  # Any: the answer of `what`
        with self._turn:
            if self._life.is_over and not self._is_closed:
                log.warning("analyst_started_again")
                self._life = _Life(*self._plan)
            life = self._life
        life.loaded.result()
        return life.ask(what, given).result()


class _Life:
    """One process from start to end, and what it was asked."""

    def __init__(self, settings: ModelSettings, topics: tuple[TopicSpec, ...]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 our own module
                [sys.executable, "-P", "-c", _CHILD, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,  # ^C in a terminal, before it knows that it is not meant
            )
        self._line = Connection(ours.detach())
        self._lock = threading.Lock()
        self._numbers = count()
        self._asked: dict[int, Future[Any]] = {}
        self._is_closed = self.is_over = False
        self.loaded = self.ask("load", (settings, topics))
        self._listener = threading.Thread(target=self._listen, name="analyst-line", daemon=True)
        self._listener.start()

    def ask(self, what: str, given: object) -> Future[Any]:
        """Return at once; the future holds the answer, or what was raised."""
        future: Future[Any] = Future()
        with self._lock:
            if self.is_over:
                raise AnalystLostError("the process that holds the model has ended")
            number = next(self._numbers)
            self._asked[number] = future
            with suppress(OSError):  # it is ending: the listener tells who waits
                self._line.send((number, what, given))
        return future

    def close(self) -> None:
        """Cut the line, which ends it."""
        self._is_closed = True
        self._cut()
        self._listener.join()

    def _cut(self) -> None:
        with suppress(OSError), socket.socket(fileno=os.dup(self._line.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        try:
            with suppress(EOFError, OSError):
                while True:
                    number, is_well, said = self._line.recv()
                    future = self._asked.pop(number)
                    (future.set_result if is_well else future.set_exception)(said)
        finally:  # or an answer cannot be read, of a veille that was upgraded meanwhile
            self._cut()
            self._end()

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
        try:
            status = self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if not self._is_closed:
            log.warning("analyst_ended", status=status)
        for future in self._asked.values():
            future.set_exception(
                AnalystLostError(
                    f"the process that holds the model ended with status {status} while it read; "
                    "-9 usually means too little memory"
                )
            )
        self._asked.clear()
        self._line.close()


def answer() -> None:
    """Answer over the inherited line until it is cut: the other end of `AnalystProcess`."""
    for name in (signal.SIGINT, signal.SIGTERM):  # sent to a whole group or service: who started
        signal.signal(name, signal.SIG_IGN)  # this finishes its step, and then cuts the line
    with suppress(OSError):  # a sandbox may refuse it; pages are slower there
        os.nice(NICE)
    line, turn = Connection(int(sys.argv[1])), threading.Lock()
    parts: dict[str, Any] = {"load": _load}

    def work(number: int, what: str, given: Any) -> None:  # Any: what was pickled
        try:
            said = parts[what](given)
            if what == "load":
                parts.update(analyze=said.analyze, explain=said.explain)
                said = None
            is_well = True
        except Exception as error:  # noqa: BLE001 the edge of the process: raised in the other one
            said, is_well = _sendable(error), False
        with turn, suppress(OSError):
            line.send((number, is_well, said))

    with suppress(EOFError, OSError):
        while True:
            threading.Thread(target=work, args=line.recv(), daemon=True).start()
    os._exit(0)  # whatever still reads reads for nobody


def _sendable(error: Exception) -> Exception:
    """Return the error, or its name where it does not survive the way."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 what was pickled here
    except Exception:  # noqa: BLE001 any class may refuse in any way
        return VeilleError(f"{type(error).__name__} in the process that holds the model")
    return error


def _load(given: tuple[ModelSettings, tuple[TopicSpec, ...]]) -> Any:  # Any: not imported above
    from veille.nlp.load import load_analyst  # heavy: not in the process that asks

    settings, topics = given
    return load_analyst(settings, topics=topics)
