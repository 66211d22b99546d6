"""Series of counts per minute: read, summed over windows, cut into what was heard and what not."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import msgspec

from veille.domain.errors import InputError
from veille.domain.history import HOUR, hour_number, hour_start
from veille.rules.past import HEARD

MINUTE = timedelta(minutes=1)
MAX_MINUTES = 3 * 366 * 24 * 60
"""Three years: 1.6 million lines."""
MAX_COUNT = 1_000_000_000
"""In one minute: more than all networks together carry."""


class CountLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a file of counts. `gap`: nothing was heard; `capped`: there were more.

    `minute` is an ISO 8601 instant with offset, seconds or not.
    """

    minute: str
    count: int
    capped: bool = False
    gap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of consecutive minutes; a minute without a line was not heard.

    `until[n]`, `unheard[n]` and `capped[n]` are sums over the first n minutes.
    """

    start: datetime
    until: Sequence[int]
    unheard: Sequence[int]
    capped: Sequence[int]

    def __len__(self) -> int:
        """Return the number of minutes."""
        return len(self.until) - 1

    def at(self, end: int) -> datetime:
        """Return the instant after so many minutes."""
        return self.start + end * MINUTE

    def index(self, at: datetime) -> int:
        """Return how many whole minutes have passed by `at`, within the series."""
        return max(0, min(len(self), (at - self.start) // MINUTE))

    def of(self, end: int, length: int) -> int:
        """Return the count of the window of `length` minutes that ends after `end` minutes."""
        return self.until[end] - self.until[end - length]

    def is_heard(self, end: int, length: int) -> bool:
        """Whether enough of that window was heard to say how many came."""
        return self.unheard[end] - self.unheard[end - length] <= (1 - HEARD) * length

    def hours(self) -> Mapping[int, int]:
        """Return the counts of the whole hours that teach, by number.

        One of which more than a quarter was not heard, or was capped, does not: how many came is
        not known.
        """
        found = {}
        for hour in range(hour_number(self.start), hour_number(self.at(len(self)))):
            first = (hour_start(hour) - self.start) // MINUTE
            end = first + HOUR // MINUTE
            if first < 0 or not self.is_heard(end, HOUR // MINUTE):
                continue
            if self.capped[end] - self.capped[first] <= (1 - HEARD) * (HOUR / MINUTE):
                found[hour] = self.of(end, HOUR // MINUTE)
        return found


def read_counts(data: bytes, name: str) -> Counts:
    """Return the series of a file of JSON Lines or CSV (`minute,count[,capped,gap]`).

    InputError names the first line that is wrong, a minute that comes twice or without offset.
    """
    text = data.decode("utf-8-sig", "replace")
    if not text.strip():
        raise InputError(f"{name}: no counts here: write lines of minute and count")
    is_json = text.lstrip()[:1] == "{"
    lines = _json(text, name) if is_json else _csv(text, name)
    by_minute: dict[datetime, CountLine] = {}
    for number, line in lines:
        at = _minute(line.minute, f"{name}: line {number}")
        if at in by_minute:
            raise InputError(f"{name}: line {number}: the minute {at:%Y-%m-%dT%H:%MZ} stands twice")
        if line.count < 0:
            raise InputError(f"{name}: line {number}: count: {line.count} is below 0")
        if line.count > MAX_COUNT:
            raise InputError(f"{name}: line {number}: count: {line.count} is over {MAX_COUNT}")
        by_minute[at] = line
    if not by_minute:
        raise InputError(f"{name}: no counts here: write lines of minute and count")
    start = min(by_minute)
    length = (max(by_minute) - start) // MINUTE + 1
    if length > MAX_MINUTES:
        raise InputError(f"{name}: {length} minutes are more than three years: cut the file")
    silent = CountLine(minute="", count=0, gap=True)
    series = [by_minute.get(start + n * MINUTE, silent) for n in range(length)]
    return Counts(
        start=start,
        until=(0, *accumulate(line.count for line in series)),
        unheard=(0, *accumulate(int(line.gap) for line in series)),
        capped=(0, *accumulate(int(line.capped) for line in series)),
    )


def _minute(text: str, where: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise InputError(f"{where}: minute: the offset is missing: end with Z")
        return at.astimezone(UTC).replace(second=0, microsecond=0)
    except (ValueError, OverflowError):
        raise InputError(f"{where}: minute: write 2026-01-18T02:00Z") from None


def _json(text: str, name: str) -> list[tuple[int, CountLine]]:
    decoder = msgspec.json.Decoder(CountLine)
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append((number, decoder.decode(line)))
        except msgspec.MsgspecError as error:
            raise InputError(f"{name}: line {number}: {error}") from None
    return found


def _csv(text: str, name: str) -> list[tuple[int, CountLine]]:
    reader = csv.DictReader(io.StringIO(text))
    found = []
    for number, row in enumerate(_rows(reader, name), start=2):
        given = {key: row[key] for key in CountLine.__struct_fields__ if row.get(key)}
        try:
            found.append((number, msgspec.convert(given, CountLine, strict=False)))
        except msgspec.ValidationError as error:
            raise InputError(f"{name}: line {number}: {error}") from None
    return found


def _rows(reader: csv.DictReader[str], name: str) -> Iterator[dict[str, str]]:
    try:
        if not {"minute", "count"} <= set(reader.fieldnames or ()):
            raise InputError(f"{name}: the first line must name the columns minute and count")
        yield from reader
    except csv.Error as error:
        raise InputError(f"{name}: line {reader.line_num + 1}: {error}") from None
