"""How those who asked were answered: rate, and first response with who still waits counted in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.domain.hours import elapsed
from veille.domain.promise import Promises
from veille.reports.figures import Answers, Pair, Ratio, Response, compared, ratio
from veille.reports.week import Week
from veille.store import ledger
from veille.store.engine import Db

_MEDIAN, _P90 = 0.5, 0.9
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Business time until an answer, or, not `is_over`, until counting ended without one."""

    lasting: timedelta
    is_over: bool


def answers(db: Db, week: Week, promises: Promises, *, now: datetime) -> Answers:
    """Return the answers of a week as they stood at its end, or stand `now` while it lasts."""
    waits, before = _waits(db, week, promises, now), _waits(db, week.previous, promises, now)
    rate, previous = _rate(waits), _rate(before)
    return Answers(
        asked=Pair(now=len(waits), previous=len(before)),
        rate=compared(rate, previous),
        first=response(waits),
        previous_first=response(before),
        unanswered=rate.denominator - rate.numerator,
        open=ledger.count(db),
    )


def response(waits: Sequence[Wait]) -> Response:
    """Return the median and ninth decile by Kaplan and Meier, and the mean of what is over."""
    over = [wait.lasting for wait in waits if wait.is_over]
    mean = sum(over, timedelta(0)) / len(over) / _MINUTE if over else None
    return Response(
        median=_minutes(quantile(waits, _MEDIAN)),
        p90=_minutes(quantile(waits, _P90)),
        mean=None if mean is None else round(mean, 1),
    )


def quantile(waits: Sequence[Wait], share: float) -> timedelta | None:
    """Return within what time this share is answered, who still waits counted as censored.

    Kaplan and Meier, Nonparametric estimation from incomplete observations, J. Am. Stat. Assoc. 53
    (1958); an answer and an end of counting at the same time: the answer comes first. Where the
    estimate lies at the share over a stretch, its middle (as for a median of an even number). None
    where so many were not answered that it is unknown.
    """
    left, surviving = len(waits), 1.0
    reached: timedelta | None = None
    ended = Counter(wait.lasting for wait in waits)
    answered = Counter(wait.lasting for wait in waits if wait.is_over)
    for lasting in sorted(ended):
        over = answered[lasting]
        if over and reached is not None:
            return (reached + lasting) / 2
        surviving *= 1 - over / left
        left -= ended[lasting]
        missing = surviving - (1 - share)
        if over and abs(missing) < 1e-9:  # noqa: PLR2004 what rounding adds
            reached = lasting
        elif missing < 0:
            return lasting
    return reached


def _rate(waits: Sequence[Wait]) -> Ratio:
    return ratio(sum(wait.is_over for wait in waits), len(waits))


def _waits(db: Db, week: Week, promises: Promises, now: datetime) -> list[Wait]:
    end = min(week.ends_at, now)
    found = []
    for one in ledger.waits(db, week.starts_at, end, until=end):
        if not promises.can_answer(one.source):
            continue
        if one.answered is not None:
            found.append(Wait(lasting=one.answered, is_over=True))
        else:
            hours = promises.of(one.source, one.intent).opening
            found.append(Wait(lasting=elapsed(one.asked_at, end, hours), is_over=False))
    return found


def _minutes(lasting: timedelta | None) -> float | None:
    return None if lasting is None else round(lasting / _MINUTE, 1)
