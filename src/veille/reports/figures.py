"""The figures of a week, each with numerator and denominator, and their formulas."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

PERCENT = 100
CHANCE_Z = 1.96
"""Two-sided 95 % point of the normal law: what lies below may be chance."""

LABELS = ("positive", "neutral", "negative")
"""Sentiment that is decided; any other label counts as abstained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """`value` is numerator / denominator x 100, one decimal; None when the denominator is 0."""

    value: float | None
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """Mentions by sentiment; `abstained` are those the model does not decide."""

    positive: int = 0
    neutral: int = 0
    negative: int = 0
    abstained: int = 0

    @property
    def count(self) -> int:
        """All of them."""
        return self.positive + self.neutral + self.negative + self.abstained

    @property
    def decided(self) -> int:
        """Those with a sentiment."""
        return self.count - self.abstained

    @property
    def balance(self) -> int:
        """Positive less negative."""
        return self.positive - self.negative

    def net(self) -> Ratio:
        """Return (P - N) / (P + N + neutral) x 100."""
        return ratio(self.balance, self.decided)

    def polar(self) -> Ratio:
        """Return (P - N) / (P + N) x 100."""
        return ratio(self.balance, self.positive + self.negative)

    def undecided(self) -> Ratio:
        """Return the abstained share of all, x 100."""
        return ratio(self.abstained, self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A count, with the week before."""

    now: int
    previous: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A count with the week before; `change` is (now - previous) / previous x 100."""

    now: int
    previous: int
    change: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A ratio, with the week before."""

    now: Ratio
    previous: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The mentions of one source, watch or topic; `net` as for the whole week."""

    name: str
    count: int
    previous: int
    mood: Mood
    net: Ratio
    previous_net: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The mentions of one local day."""

    day: date
    count: int
    mood: Mood
    net: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A mention as it may be shown: masked, no author, nobody named."""

    text: str
    source: str
    at: datetime
    lang: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """By how many points one group moved the week's net sentiment, with what it was before.

    A group weighs (P - N) of its own / (P + N + neutral) of the whole week x 100: over sources,
    which do not overlap, the weights add up to the net sentiment.
    """

    by: str
    name: str
    points: float
    count: int
    previous: int
    example: Example | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How the week was. `kind`: empty, first, tense, better or steady.

    Tense: a critical incident opened, or the net sentiment fell more than chance explains. Better:
    it rose so. `cause` is the group that explains more than half of the change, if one does.
    """

    kind: str
    critical: int
    is_beyond_chance: bool = False
    cause: Move | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentLine:
    """One incident of the log, as it stood at the end of the week. Nobody is named."""

    id: str
    title: str
    severity: str
    topic: str | None
    opened_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """What people dealt with; the median is over those acknowledged in the week."""

    opened: Pair
    acknowledged: Pair
    resolved: Pair
    median_to_acknowledge_s: float | None
    previous_median_to_acknowledge_s: float | None
    by_topic: dict[str, int]
    log: list[IncidentLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCount:
    """How often one rule fired."""

    rule: str
    severity: str
    now: int
    previous: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """What one receiver was told: sent; not taken at the first try; given up."""

    receiver: str
    sent: int
    failed: int
    parked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Flagged, and closed by a person; `open` and `oldest_at` as of when the summary was made."""

    flagged: Pair
    handled: Pair
    open: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Business minutes until the first answer; None where too few were answered to know.

    `mean` is over those answered alone: it is lower than the truth, and stands for comparison.
    """

    median: float | None
    p90: float | None
    mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Questions and requests of the week, and what was answered by its end, by people of ours.

    `open` counts all that wait when the summary is made.
    """

    asked: Pair
    rate: Compared
    first: Response
    previous_first: Response
    unanswered: int
    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """How a source is when the summary is made: ok, silent (nothing new all week), error."""

    source: str
    state: str
    read_at: datetime | None
    last_item_at: datetime | None
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Everything the summary says, without words: the JSON of `veille report weekly`."""

    week: str
    starts_at: datetime
    ends_at: datetime
    timezone: str
    institution: str
    made_at: datetime
    is_complete: bool
    counted_since: datetime | None
    verdict: Verdict
    volume: Change
    mood: Mood
    previous_mood: Mood
    net: Compared
    polar: Compared
    abstained: Compared
    urgent: Pair
    own: Pair
    days: list[Day]
    sources: list[Group]
    watches: list[Group]
    topics: list[Group]
    moves: list[Move]
    incidents: Incidents
    alerts: list[AlertCount]
    deliveries: list[Deliveries]
    queue: Queue
    answers: Answers
    source_states: list[SourceState]
    masked: dict[str, int]
    deleted: dict[str, int]
    unread: int


def ratio(numerator: int, denominator: int) -> Ratio:
    """Return the ratio x 100, rounded to one decimal."""
    value = round(PERCENT * numerator / denominator, 1) if denominator else None
    return Ratio(value=value, numerator=numerator, denominator=denominator)


def change(now: int, previous: int) -> Change:
    """Return the count with its change in percent, None when there was nothing before."""
    return Change(now=now, previous=previous, change=ratio(now - previous, previous))


def mood(counts: Iterable[tuple[str, int]]) -> Mood:
    """Return the mood of counts by label; a label that is not decided is abstained."""
    total = dict.fromkeys((*LABELS, "abstained"), 0)
    for label, count in counts:
        total[label if label in LABELS else "abstained"] += count
    return Mood(**total)


def compared(now: Ratio, previous: Ratio) -> Compared:
    """Return both."""
    return Compared(now=now, previous=previous)


def group(name: str, now: Mood, previous: Mood) -> Group:
    """Return the line of one source, watch or topic."""
    return Group(
        name=name,
        count=now.count,
        previous=previous.count,
        mood=now,
        net=now.net(),
        previous_net=previous.net(),
    )


def moves(
    by: str, groups: Sequence[tuple[str, Mood, Mood]], now: Mood, previous: Mood
) -> list[Move]:
    """Return what each group added to or took from the net sentiment, the largest first."""

    def points(inside: Mood, before: Mood) -> float:
        if not now.decided or not previous.decided:
            return 0.0
        weight = inside.balance / now.decided - before.balance / previous.decided
        return round(PERCENT * weight, 1)

    found = [
        Move(by=by, name=name, points=points(n, p), count=n.count, previous=p.count)
        for name, n, p in groups
    ]
    return sorted((m for m in found if m.points), key=lambda m: (-abs(m.points), m.name))


def verdict(now: Mood, previous: Mood, *, critical: int, moved: Sequence[Move]) -> Verdict:
    """Return how the week was; `moved` as `moves` gives it, only if there are several groups."""
    if not now.count:
        return Verdict(kind="tense" if critical else "empty", critical=critical)
    sign = _beyond_chance(now, previous)
    kind = "tense" if critical or sign < 0 else "better" if sign > 0 else "steady"
    if not previous.count:
        kind = "tense" if critical else "first"
    cause = _cause(now, previous, moved)
    return Verdict(kind=kind, critical=critical, is_beyond_chance=bool(sign), cause=cause)


def _cause(now: Mood, previous: Mood, moved: Sequence[Move]) -> Move | None:
    if not now.decided or not previous.decided:
        return None
    whole = PERCENT * (now.balance / now.decided - previous.balance / previous.decided)
    same = [m for m in moved if m.points * whole > 0]
    return same[0] if same and abs(same[0].points) > abs(whole) / 2 else None


def _beyond_chance(now: Mood, previous: Mood) -> int:
    """Return 1 or -1 when the mean sentiment rose or fell beyond chance, else 0.

    Two-sample z test on scores of 1, 0 and -1, variance of both weeks taken together.
    """
    n, m = now.decided, previous.decided
    if not n or not m:
        return 0
    polar = now.decided - now.neutral + previous.decided - previous.neutral
    mean = (now.balance + previous.balance) / (n + m)
    variance = (polar - (n + m) * mean**2) / (n + m - 1)
    error = math.sqrt(max(variance, 0.0) * (1 / n + 1 / m))
    difference = now.balance / n - previous.balance / m
    if abs(difference) <= CHANCE_Z * error:
        return 0
    return 1 if difference > 0 else -1
