"""Alerts against incidents that are known: hits, misses, false alarms, delays, with intervals."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

SHIFT = timedelta(hours=8)
RESAMPLES = 1000
"""Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 12.5: enough for the ends
of an interval."""
LOW, HIGH = 0.025, 0.975
Interval = tuple[float, float] | None
_SEED = 20_221_120
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that happened from `start` to `end`; `rules` None: any rule may have found it."""

    id: str
    start: datetime
    end: datetime
    rules: frozenset[str] | None = None

    def concerns(self, rule: str) -> bool:
        """Whether this rule may find it."""
        return self.rules is None or rule in self.rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """An alert that fired from `start` until it was resolved, at `end` at the latest."""

    rule: str
    group: str
    start: datetime
    end: datetime

    def hits(self, incident: Incident) -> bool:
        """Whether it was firing at some time of the incident, which concerns its rule."""
        return (
            incident.concerns(self.rule)
            and self.start <= incident.end
            and self.end >= incident.start
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What some rules found. `tp` and `fn` are incidents, `fp` alerts that hit none.

    `delay_s` is the median from the start of an incident to its first alert, 0 where one was firing
    already. Ratios lie in [0, 1] and are None of nothing; beside each stand the ends of its 95 %
    bootstrap interval. Shifts are of 8 hours, counted from the first mention.
    """

    rule: str
    tp: int
    fp: int
    fn: int
    precision: float | None
    precision_interval: Interval
    recall: float | None
    recall_interval: Interval
    f1: float | None
    f1_interval: Interval
    delay_s: float | None
    alerts: int
    alerts_per_shift: float
    most_in_a_shift: int
    hit: tuple[str, ...]
    missed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that was played."""

    start: datetime
    end: datetime

    @property
    def shifts(self) -> int:
        """How many shifts that were, the last one perhaps in part; one at least."""
        return max(1, -((self.start - self.end) // SHIFT))


def score(rule: str, firings: Sequence[Firing], incidents: Sequence[Incident], span: Span) -> Score:
    """Return the score of these alerts; `rule` "" stands for all rules together."""
    concerned = [i for i in incidents if not rule or i.concerns(rule)]
    delays: list[float] = []
    hit: list[str] = []
    missed: list[str] = []
    for incident in concerned:
        starts = [firing.start for firing in firings if firing.hits(incident)]
        (hit if starts else missed).append(incident.id)
        if starts:
            delays.append(max(timedelta(0), min(starts) - incident.start).total_seconds())
    false = sum(not any(firing.hits(i) for i in concerned) for firing in firings)
    outcomes = "t" * len(hit) + "p" * false + "n" * len(missed)
    samples = _samples(outcomes)
    return Score(
        rule=rule,
        tp=len(hit),
        fp=false,
        fn=len(missed),
        precision=_rounded(_precision(outcomes)),
        precision_interval=_interval(_precision, samples),
        recall=_rounded(_recall(outcomes)),
        recall_interval=_interval(_recall, samples),
        f1=_rounded(_f1(outcomes)),
        f1_interval=_interval(_f1, samples),
        delay_s=median(delays) if delays else None,
        alerts=len(firings),
        alerts_per_shift=round(len(firings) / span.shifts, _DIGITS),
        most_in_a_shift=_most(firings, span),
        hit=tuple(hit),
        missed=tuple(missed),
    )


def _most(firings: Sequence[Firing], span: Span) -> int:
    counts: dict[int, int] = {}
    for firing in firings:
        shift = (firing.start - span.start) // SHIFT
        counts[shift] = counts.get(shift, 0) + 1
    return max(counts.values(), default=0)


def _samples(outcomes: str) -> list[str]:
    """Return outcomes (t hit, p false alarm, n miss) drawn with replacement, always the same."""
    draw = random.Random(_SEED)  # noqa: S311 no secret: the same draws each time
    times = RESAMPLES if outcomes else 0
    return ["".join(draw.choices(outcomes, k=len(outcomes))) for _ in range(times)]


def _interval(measure: Callable[[str], float | None], samples: Sequence[str]) -> Interval:
    """Return the percentile interval of the samples in which the measure is defined."""
    drawn = sorted(found for found in map(measure, samples) if found is not None)
    if not drawn:
        return None
    last = len(drawn) - 1
    return round(drawn[round(LOW * last)], _DIGITS), round(drawn[round(HIGH * last)], _DIGITS)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _precision(outcomes: str) -> float | None:
    hits, false = outcomes.count("t"), outcomes.count("p")
    return hits / (hits + false) if hits + false else None


def _recall(outcomes: str) -> float | None:
    hits, missed = outcomes.count("t"), outcomes.count("n")
    return hits / (hits + missed) if hits + missed else None


def _f1(outcomes: str) -> float | None:
    hits = outcomes.count("t")
    return 2 * hits / (hits + len(outcomes)) if outcomes else None
