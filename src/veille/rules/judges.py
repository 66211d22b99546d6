"""What each kind of windowed rule asks of what it counted: pure functions that give a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import NormalDist

from veille.domain.alert import Baseline, BaselineKind, Comparison, Condition
from veille.rules.build import Build, Rise
from veille.rules.model import Rule
from veille.rules.params import Distinct, Ratio, Reach, Velocity
from veille.rules.spike import MIN_DAYS, Spike
from veille.rules.spike import Verdict as SpikeVerdict

DIGITS = 4
"""Measured numbers are rounded before they are compared: what is shown is what was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was measured: `value` against `threshold`, and every condition that was looked at.

    A condition that costs a look into the past stands only when those before it hold. `window` is
    how long what counted took, where that is not the rule's.
    """

    value: int
    threshold: int | float
    conditions: tuple[Condition, ...]
    baseline: Baseline | None = None
    window: timedelta | None = None

    @property
    def is_active(self) -> bool:
        """Whether everything holds that the rule asks."""
        return all(condition.holds for condition in self.conditions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rising:
    """A rise, None while history is too short; of how many authors, and what tells what is usual:
    on how many days this hour was seen, whether that is little.
    """

    found: Rise | None
    authors: int
    days: int
    is_cold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a window shows of one group: what counts, of how many authors, what its kind counts.

    `facts` are, by kind: the different values of a `distinct`; what counts in the numerator of a
    `ratio`; (author, followers) of a `reach`. The functions look further, and only where asked:
    `steps` gives the counts of so many equal parts of the window, oldest first; `before` of each
    previous window that was heard (what counts, its numerator), latest first; `spike` and `rise`
    what the past says.
    """

    count: int
    authors: int
    facts: Sequence[tuple[str, int]]
    steps: Callable[[int], Sequence[int]]
    before: Callable[[], Sequence[tuple[int, int]]]
    spike: Callable[[Spike], SpikeVerdict]
    rise: Callable[[Build], Rising]


def judge(rule: Rule, sight: Sight) -> Verdict:
    """Return what the rule says of what it sees."""
    match rule.params:
        case Spike() as spike:
            return _spike(rule, spike, sight)
        case Build() as build:
            return _build(rule, build, sight)
        case Ratio() as ratio:
            return _ratio(rule, ratio, sight)
        case Distinct() as distinct:
            found = Condition(
                name="distinct", value=len(sight.facts), threshold=distinct.min_distinct
            )
            return _against(found, *_floors(rule, sight))
        case Velocity() as velocity:
            return _velocity(rule, velocity, sight)
        case Reach() as reach:
            found = Condition(
                name="reach", value=reached(sight.facts, reach.cap), threshold=reach.min_reach
            )
            return _against(found, *_floors(rule, sight))
        case _:
            return _counted(rule, sight)


def wilson(hits: int, count: int, confidence: float) -> float:
    """Return the lower end of the score interval of a share; 0 of nothing.

    E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, Journal of
    the American Statistical Association 22(158), 1927, p. 209. Two-sided, rounded to 4 decimals.
    """
    if not count:
        return 0.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = hits / count
    middle = share + z * z / (2 * count)
    margin = z * math.sqrt((share * (1 - share) + z * z / (4 * count)) / count)
    return round(max(0.0, (middle - margin) / (1 + z * z / count)), DIGITS)


def doubling(counts: Sequence[int], step: timedelta) -> float | None:
    """Return within how many seconds the counts double, None when they do not grow.

    ln 2 over the least-squares slope of ln(count + 1): the growth rate of an exponential epidemic
    (Wallinga and Lipsitch, Proceedings B 274, 2007, section 2). The 1 lets empty steps stand, and
    takes small counts for slower than they are.
    """
    logs = [math.log1p(count) for count in counts]
    center = (len(logs) - 1) / 2
    spread = sum((i - center) ** 2 for i in range(len(logs)))
    slope = sum((i - center) * y for i, y in enumerate(logs)) / spread
    if slope <= 0:
        return None
    return round(math.log(2) / slope * step.total_seconds(), DIGITS)


def reached(facts: Sequence[tuple[str, int]], cap: int) -> int:
    """Return the followers of all authors, of each the most ever shown, `cap` at most."""
    most: dict[str, int] = {}
    for author, followers in facts:
        most[author] = max(followers, most.get(author, 0))
    return sum(min(followers, cap) for followers in most.values())


def _floors(rule: Rule, sight: Sight) -> tuple[Condition, ...]:
    """Return the floors as written; those of 1 always hold where there is a mention at all."""
    count = Condition(name="count", value=sight.count, threshold=rule.min_count)
    authors = Condition(name="authors", value=sight.authors, threshold=rule.min_authors)
    return (count, authors)


def _counted(rule: Rule, sight: Sight) -> Verdict:
    return Verdict(value=sight.count, threshold=rule.threshold, conditions=_floors(rule, sight))


def _against(found: Condition, *floors: Condition) -> Verdict:
    value = 0 if found.value is None else int(found.value)
    return Verdict(value=value, threshold=found.threshold, conditions=(*floors, found))


def _spike(rule: Rule, spike: Spike, sight: Sight) -> Verdict:
    plain = _counted(rule, sight)
    if not plain.is_active:
        return plain
    found = sight.spike(spike)
    more = _spiking(spike, sight.count, found)
    return Verdict(
        value=sight.count,
        threshold=found.threshold,
        conditions=(*plain.conditions, *more),
        baseline=found.baseline,
    )


def _spiking(spike: Spike, count: int, found: SpikeVerdict) -> tuple[Condition, ...]:
    """Return what the baseline asks: enough points, then a count that is not usual.

    A season that is not known yet asks nothing: the floors decide alone.
    """
    baseline = found.baseline
    if baseline is None:
        return ()
    if baseline.kind is BaselineKind.SEASONAL:
        if baseline.expected is None:
            return ()
        return (Condition(name="spike", value=count, threshold=found.threshold),)
    if baseline.points < spike.min_points:
        return (Condition(name="points", value=baseline.points, threshold=spike.min_points),)
    above = Comparison.ABOVE
    return (Condition(name="spike", value=count, threshold=found.threshold, comparison=above),)


def _build(rule: Rule, build: Build, sight: Sight) -> Verdict:
    """The floors are of the whole rise; without a season nothing is one."""
    plain = _counted(rule, sight)
    if not plain.is_active:
        return plain
    seen = sight.rise(build)
    points = Condition(name="points", value=seen.days, threshold=MIN_DAYS)
    if seen.found is None:
        return Verdict(
            value=sight.count,
            threshold=rule.threshold,
            conditions=(*plain.conditions, points),
            baseline=Baseline(
                kind=BaselineKind.SEASONAL,
                points=seen.days,
                is_cold=True,
                reason=f"days {seen.days} < {MIN_DAYS}",
            ),
        )
    risen = seen.found
    floors = (
        Condition(name="count", value=risen.count, threshold=rule.min_count),
        Condition(name="authors", value=seen.authors, threshold=rule.min_authors),
    )
    return Verdict(
        value=risen.count,
        threshold=rule.threshold,
        conditions=(
            *floors,
            points,
            Condition(name="cusum", value=risen.total, threshold=build.limit),
        ),
        baseline=Baseline(
            kind=BaselineKind.SEASONAL,
            points=seen.days,
            expected=risen.expected,
            is_cold=seen.is_cold,
        ),
        window=rule.window * max(1, risen.steps),
    )


def _ratio(rule: Rule, ratio: Ratio, sight: Sight) -> Verdict:
    hits = len(sight.facts)
    lower = wilson(hits, sight.count, ratio.confidence)
    least = _fewest(ratio, ratio.min_ratio, sight.count)
    conditions = (
        *_floors(rule, sight),
        Condition(name="ratio", value=lower, threshold=ratio.min_ratio),
    )
    plain = Verdict(value=hits, threshold=least, conditions=conditions)
    if ratio.rise is None or not plain.is_active:
        return plain
    return _risen(ratio, ratio.rise, sight, plain)


def _risen(ratio: Ratio, rise: float, sight: Sight, plain: Verdict) -> Verdict:
    """Return the verdict with what the previous windows, taken as one, ask on top."""
    before = sight.before()
    points = Condition(name="points", value=len(before), threshold=ratio.min_points)
    if not points.holds:
        short = Baseline(
            kind=BaselineKind.PREVIOUS,
            points=len(before),
            is_cold=True,
            reason=f"min_points {len(before)} < {ratio.min_points}",
        )
        return Verdict(
            value=plain.value,
            threshold=plain.threshold,
            conditions=(*plain.conditions, points),
            baseline=short,
        )
    # half a hit in one mention more: Jeffreys' prior, so that a share of nothing is not 0
    share = (sum(hits for _, hits in before) + 0.5) / (sum(count for count, _ in before) + 1)
    wanted = round(rise * share, DIGITS)
    lower = wilson(plain.value, sight.count, ratio.confidence)
    risen = Condition(name="ratio_before", value=lower, threshold=wanted)
    return Verdict(
        value=plain.value,
        threshold=max(plain.threshold, _fewest(ratio, wanted, sight.count)),
        conditions=(*plain.conditions, points, risen),
        baseline=Baseline(
            kind=BaselineKind.PREVIOUS,
            points=len(before),
            expected=round(share * sight.count, DIGITS),
        ),
    )


def _fewest(ratio: Ratio, wanted: float, count: int) -> int:
    """Return the smallest numerator whose interval reaches `wanted`; one too many when none."""
    low, high = 0, count + 1
    while low < high:
        middle = (low + high) // 2
        if wilson(middle, count, ratio.confidence) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


def _velocity(rule: Rule, velocity: Velocity, sight: Sight) -> Verdict:
    plain = _counted(rule, sight)
    if not plain.is_active:
        return plain
    step = rule.window / velocity.steps
    found = Condition(
        name="doubling_s",
        value=doubling(sight.steps(velocity.steps), step),
        threshold=velocity.doubles_in.total_seconds(),
        comparison=Comparison.AT_MOST,
    )
    return Verdict(
        value=sight.count, threshold=rule.threshold, conditions=(*plain.conditions, found)
    )
