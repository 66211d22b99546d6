"""Background traffic of a rule test: many mentions written in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from veille.domain.durations import format_duration, parse_duration
from veille.domain.errors import InputError
from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.rules.fields import Reader
from veille.rules.partial import partial_analysis
from veille.rules.yaml_nodes import Fields, Items, Scalar

SERIES_KEYS = ("from", "to", "every", "counts", "text", "authors", "source", "watch", "analysis")
MAX_BEFORE = timedelta(days=70)
"""Beyond the eight weeks that seasonal baselines look back."""
MAX_MENTIONS = 20_000
"""Of one test: some seconds."""

_COUNT = re.compile(r"\d{1,4}", re.ASCII)
_NONE, _SECOND = timedelta(0), timedelta(seconds=1)
_MAX_COUNT = 10_000


def offset(
    reader: Reader, name: str, default: timedelta, *, before: timedelta, after: timedelta
) -> timedelta:
    """Return a duration in [-before, after], written with a minus sign before zero."""
    node = reader.fields.get(name)
    if node is None:
        return default
    text = node.text if isinstance(node, Scalar) else ""
    try:
        found = -parse_duration(text[1:]) if text.startswith("-") else parse_duration(text)
    except InputError as error:
        reader.wrong(name, str(error))
        return default
    if -before <= found <= after:
        return found
    low = f"-{format_duration(before)}" if before else "0s"
    reader.wrong(name, f"{text} is out of range: write {low} to {format_duration(after)}")
    return default


def expand(reader: Reader, base: datetime, seq: int) -> list[Observation]:
    """Return the mentions of the `series` of a test, numbered after `seq`; offsets are from `base`.

    In each step of `every` from `from` on there are so many as `counts` says in turn, spread over
    the step, the last one at its end: a window that ends with a step holds the whole of it.
    """
    found: list[Observation] = []
    for number, node in enumerate(reader.items("series"), start=1):
        inner = Reader(node, reader.findings, SERIES_KEYS)
        model = _model(inner, base)
        authors = inner.integer("authors", 1, 1, _MAX_COUNT)
        for index, at in enumerate(_arrivals(inner)):
            if len(found) >= MAX_MENTIONS:
                inner.wrong("every", f"over {MAX_MENTIONS} mentions in one test: write fewer")
                return found
            found.append(
                replace(
                    model,
                    seq=seq + len(found) + 1,
                    key=f"series {number}, mention {index + 1}",
                    author=f"series {number}, author {index % authors + 1}",
                    created_at=base + at,
                    received_at=base + at,
                )
            )
    return found


def _model(reader: Reader, base: datetime) -> Observation:
    empty = Fields(reader.node.line, reader.node.column, {}, {})
    return Observation(
        seq=0,
        key="",
        source=reader.text("source", "test"),
        watches=(reader.text("watch", "mairie"),),
        kind=MentionKind.POST,
        text=reader.text("text"),
        created_at=base,
        received_at=base,
        analysis=partial_analysis(reader.fields.get("analysis", empty), reader.findings),
    )


def _arrivals(reader: Reader) -> Iterator[timedelta]:
    known = len(reader.findings.lines)
    if not reader.has("from"):
        reader.wrong("from", "missing: write when it begins, such as -12h")
    if not reader.has("every"):
        reader.wrong("every", "missing: write the length of a step, such as 1h")
        return
    start = offset(reader, "from", _NONE, before=MAX_BEFORE, after=MAX_BEFORE)
    end = offset(reader, "to", _NONE, before=MAX_BEFORE, after=MAX_BEFORE)
    every = reader.duration("every", _SECOND, _SECOND, MAX_BEFORE)
    counts = _counts(reader)
    if len(reader.findings.lines) > known:
        return  # what stands in for a wrong value fits nothing
    if start + every > end:
        reader.wrong("to", "no step fits between from and to (default 0s): write a later one")
        return
    for step in range((end - start) // every):
        count = counts[step % len(counts)]
        for part in range(1, count + 1):
            yield start + every * step + every * part / count


def _counts(reader: Reader) -> list[int]:
    nodes = reader.items("counts")
    numbers = [n.text for n in nodes if isinstance(n, Scalar) and _COUNT.fullmatch(n.text)]
    if len(numbers) < len(nodes):
        reader.wrong("counts", "expected a list of whole numbers up to 9999")
    elif not nodes and isinstance(reader.fields.get("counts"), Items):
        reader.wrong("counts", "empty: write how many a step has, such as [4, 6], or leave it out")
    return [int(text) for text in numbers] or [1]
