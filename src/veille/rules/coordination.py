"""Coordination: the same text by several accounts within seconds, and how new the accounts are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from statistics import median

from veille.domain.coordination import Coordination
from veille.domain.record import Observation
from veille.domain.text import fold, words

TOGETHER_S = 60.0
"""Two accounts that say the same within it act together, the idea of the R package CooRTweet;
three times the 20 s of scenario S4 (docs: product); judgement."""
NEW_DAYS = 7
"""An account of a week or less is new; scenario S4 has 400 of less than three days; judgement."""
MIN_ACCOUNTS = 10
"""A share of fewer accounts says nothing."""
MIN_RATIO = 0.25
"""Below it new accounts are no sign: many services gain that many readers in a bad week."""
MIN_WORDS = 3
"""Shorter texts are the same by chance: « honte à vous »."""


def coordination(said: Iterable[Observation]) -> Coordination | None:
    """Return what speaks for coordination among these mentions; None when nothing does.

    Own mentions, and those without a known author, are left out: strangers are not one account.
    """
    heard = [one for one in said if one.author is not None and not one.own]
    ages: dict[str, int | None] = {}
    for one in heard:
        ages[one.author or ""] = one.author_age
    reused = [found for found in _by_text(heard) if _gaps(found)]
    gaps = [gap for found in reused for gap in _gaps(found)]
    new = sum(age is not None and age <= NEW_DAYS for age in ages.values())
    if len(ages) < MIN_ACCOUNTS or (len(reused) < 2 and new < MIN_RATIO * len(ages)):  # noqa: PLR2004 one text is a petition
        return None
    return Coordination(
        texts=len(reused),
        copies=sum(map(len, reused)),
        shortest_s=min(gaps, default=0.0),
        median_s=median(gaps) if gaps else 0.0,
        accounts=len(ages),
        new_accounts=new,
        undated=sum(age is None for age in ages.values()),
        days=NEW_DAYS,
    )


def _by_text(said: Iterable[Observation]) -> list[list[Observation]]:
    """Return the mentions of each text, in the order they were written."""
    found: dict[tuple[str, ...], list[Observation]] = defaultdict(list)
    for one in said:
        spoken = tuple(words(fold(one.text)))
        if len(spoken) >= MIN_WORDS:
            found[spoken].append(one)
    return [sorted(each, key=lambda one: (one.created_at, one.seq)) for each in found.values()]


def _gaps(same: Iterable[Observation]) -> list[float]:
    """Return the seconds between two accounts in a row that said the same soon after each other."""
    found = (
        (later.created_at - first.created_at).total_seconds()
        for first, later in pairwise(same)
        if first.author != later.author
    )
    return [gap for gap in found if gap <= TOGETHER_S]
