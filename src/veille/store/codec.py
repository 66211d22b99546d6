"""How values lie in columns: times as microseconds, the rest as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import overload

import msgspec

from veille.domain.text import printable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST = 2**63 - 1  # of a SQLite integer


@overload
def micros(at: datetime) -> int: ...
@overload
def micros(at: None) -> None: ...
@overload
def micros(at: datetime | None) -> int | None: ...
def micros(at: datetime | None) -> int | None:
    """Return microseconds since 1970 in UTC, exactly; TypeError for a naive time."""
    return None if at is None else (at - _EPOCH) // _MICROSECOND


@overload
def moment(us: int) -> datetime: ...
@overload
def moment(us: None) -> None: ...
@overload
def moment(us: int | None) -> datetime | None: ...
def moment(us: int | None) -> datetime | None:
    """Return the aware UTC time that `micros` stored."""
    return None if us is None else _EPOCH + us * _MICROSECOND


def to_json(value: object) -> str:
    """Return the JSON of a domain value."""
    return msgspec.json.encode(value).decode()


def json_list(values: Iterable[str]) -> str:
    """Return a JSON array, to be read in SQL by `json_each(?)`."""
    return to_json(list(values))


@overload
def clean(text: str) -> str: ...
@overload
def clean(text: str | None) -> str | None: ...
def clean(text: str | None) -> str | None:
    """Return text SQLite can hold: a lone surrogate from outside must not block its batch."""
    return text if text is None or text.isprintable() else printable(text)


def bounded(count: int | None) -> int | None:
    """Return a count from outside that fits a SQLite integer, 0 or more."""
    return None if count is None else max(0, min(count, _LARGEST))
