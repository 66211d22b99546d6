"""Names of hosts looked up in threads of their own, which nobody ever waits for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock, Thread

from aiohttp.abc import AbstractResolver, ResolveResult

_Question = tuple[str, int, int]
_Found = Sequence[tuple[socket.AddressFamily, str]]

# The system's lookup cannot be interrupted. In the loop's own threads a few dead names would hold
# up whoever else needs one, and at a stop the loop would wait for them.
_under_way: dict[_Question, Future[_Found]] = {}
_lock = Lock()


async def look_up(
    host: str, port: int, *, family: socket.AddressFamily = socket.AF_UNSPEC
) -> _Found:
    """Return the family and address of every answer, best first; OSError when there is none.

    Who asks what is being asked already shares its answer: names cost at most a thread each.
    """
    return await asyncio.wrap_future(_ask((host, port, int(family))))


class SystemResolver(AbstractResolver):
    """What the system's resolver says, for aiohttp."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return every address of the host; OSError when there is none."""
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=one, port=port, family=kind, proto=0, flags=flags)
            for kind, one in await look_up(host, port, family=family)
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _ask(question: _Question) -> Future[_Found]:
    with _lock:
        answer = _under_way.get(question)
        if answer is None:
            answer = _under_way[question] = Future()
            answer.set_running_or_notify_cancel()  # one who gives up cancels it for nobody
            try:
                Thread(target=_answer, args=(question, answer), name="lookup", daemon=True).start()
            except RuntimeError as error:  # no thread can be had
                del _under_way[question]
                raise OSError(f"no lookup is possible: {error}") from error
        return answer


def _answer(question: _Question, answer: Future[_Found]) -> None:
    try:
        found = _addresses(*question)
    except Exception as error:  # noqa: BLE001 UnicodeError too: whoever asked hears of it
        _end(question)
        answer.set_exception(error)
    else:
        _end(question)
        answer.set_result(found)


def _addresses(host: str, port: int, family: int) -> _Found:
    found: dict[tuple[socket.AddressFamily, str], None] = {}
    for kind, _, _, _, address in socket.getaddrinfo(
        host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    ):
        if kind == socket.AF_INET:
            found[kind, str(address[0])] = None
        elif kind == socket.AF_INET6:
            scope = address[3] if len(address) == 4 else 0  # noqa: PLR2004 host, port, flow, scope
            found[kind, f"{address[0]}%{scope}" if scope else str(address[0])] = None
    return list(found)


def _end(question: _Question) -> None:
    with _lock:
        del _under_way[question]
