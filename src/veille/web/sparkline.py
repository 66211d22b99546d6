"""Sparklines: small bars over time, as a path for SVG, with the sentence that says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.web.words import Words
from veille.wording import format as wording

_BARS = 24
_WIDTH, _GAP, HEIGHT = 8, 2, 32
_MINUTE = timedelta(minutes=1)
_STEPS = [n * _MINUTE for n in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """`path` fills a box of `width` by HEIGHT; `rows` are (from when, how many), those of none out.

    `sentence` says the step, the beginning and the peak.
    """

    path: str
    width: int
    sentence: str
    rows: Sequence[tuple[str, str]]


def spark(times: Sequence[datetime], words: Words, *, until: datetime) -> Spark | None:
    """Return when these messages were written, up to `until`; None for fewer than two."""
    if len(times) < 2:  # noqa: PLR2004 one bar says nothing
        return None
    first, last = min(times), max(max(times), until)
    length = last - first
    step = next((s for s in _STEPS if length < (_BARS - 1) * s), timedelta(days=1))
    step *= max(1, -(-length // ((_BARS - 1) * step)))
    start = _floor(last, step, words) - (_BARS - 1) * step
    counts = [0] * _BARS
    for at in times:
        counts[(at - start) // step] += 1
    return bars(counts, words, start=start, step=step)


def bars(counts: Sequence[int], words: Words, *, start: datetime, step: timedelta) -> Spark:
    """Return one bar a count, each as long as `step`, the first from `start` on."""
    most = max(counts)
    peak = start + counts.index(most) * step
    sentence = words.say(
        "live.spark.sentence",
        step=wording.duration(words.say, step),
        since=words.moment(start),
        most=wording.number(words.say, most),
        peak=words.moment(peak),
    )
    rows = [
        (words.moment(start + n * step), wording.number(words.say, count))
        for n, count in enumerate(counts)
        if count
    ]
    drawn = "".join(_bar(n, count, most) for n, count in enumerate(counts))
    return Spark(path=drawn, width=len(counts) * _WIDTH, sentence=sentence, rows=rows)


def _bar(number: int, count: int, most: int) -> str:
    height = max(1, round(HEIGHT * count / most)) if most else 1  # a line where nothing came
    return f"M{number * _WIDTH} {HEIGHT}v{-height}h{_WIDTH - _GAP}v{height}z"


def _floor(at: datetime, step: timedelta, words: Words) -> datetime:
    """Return the round moment before it, as the clock on the wall has it."""
    local = at.astimezone(words.timezone)
    since = timedelta(hours=local.hour, minutes=local.minute)
    spare = since % step if step < timedelta(days=1) else since
    return at - spare - timedelta(seconds=at.second, microseconds=at.microsecond)
