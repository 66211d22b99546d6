"""Server-sent events: from bytes as they arrive to events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from veille.domain.errors import SourceError

_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name ("message" when it has none) and its data, undecoded."""

    name: str
    data: bytes


class EventParser:
    """Takes bytes in pieces of any size; an event larger than `limit_bytes` ends the stream."""

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._line: list[bytes] = []  # the pieces of an unfinished line
        self._line_size = 0
        self._name = ""
        self._data: list[bytes] = []
        self._data_size = 0

    def feed(self, part: bytes) -> list[Event]:
        """Return the events that are complete with these bytes; SourceError for one too large."""
        self._line.append(part)
        self._line_size += len(part)
        found: list[Event] = []
        # a line is only put together at its end: many tiny pieces stay linear
        if b"\n" in part or b"\r" in part:
            *lines, rest = _split(b"".join(self._line))
            self._line, self._line_size = [rest], len(rest)
            found = [event for line in lines if (event := self._take(line)) is not None]
        self._check(self._line_size)
        return found

    def _take(self, line: bytes) -> Event | None:
        self._check(len(line))
        if not line:
            event = Event(self._name or "message", b"\n".join(self._data))
            self._name, self._data, self._data_size = "", [], 0
            return event if event.data else None
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"data":
            self._data.append(value)
            self._data_size += len(value) + 1
        return None  # comments (a heartbeat is one), id, retry and what nobody knows

    def _check(self, further: int) -> None:
        if self._data_size + further > self._limit_bytes:
            raise SourceError(f"an event is over {self._limit_bytes} bytes: reading starts again")


def _split(text: bytes) -> list[bytes]:
    """Return the lines, the last unfinished; a final CR stays in it: its LF may be on the way."""
    if not text.endswith(b"\r"):
        return _LINE_END.split(text)
    *lines, rest = _LINE_END.split(text[:-1])
    return [*lines, rest + b"\r"]
