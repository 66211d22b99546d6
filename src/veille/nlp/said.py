"""When a text says that something happens, as far as its words give a moment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from veille.domain.errors import InputError
from veille.nlp.phrases import Word

NOON = 12
TRUSTED = timedelta(hours=12)  # an hour said is of this half day, else it may be any day's
_AGO = re.compile(
    r"(?:\bdepuis|\bil y a|\bça fait|\by a|\bya)\s{1,3}(\d{1,3})\s{0,2}"
    r"(min(?:ute)?s?|mn|heures?|h)\b(?!\s?\d)(?!\s{1,3}du)",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"\b(?:à|a|vers|depuis|dès)\s{1,3}([01]?\d|2[0-3])\s?(?:h|:|heures?)\s?([0-5]\d)?"
    r"(?:\s{1,3}du\s{1,3}(matin|soir))?(?![\w:])",
    re.IGNORECASE,
)
_NOW = re.compile(
    r"\b(?:maintenant|en ce moment|à l['’]instant|en cours|actuellement)\b", re.IGNORECASE
)
_VAGUE = re.compile(
    r"\b(?:ce matin|cette nuit|hier soir|hier matin|hier|ce soir|cet après-midi|tout à l['’]heure"
    r"|avant-hier|depuis une heure|depuis des heures|il y a une heure|toute la nuit)\b",
    re.IGNORECASE,
)
_YEARS_AGO = frozenset("an ans annees siecles".split())
_FIRST_YEAR = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The words, from `start` to `end`, and the moment they give if they give one."""

    start: int
    end: int
    moment: datetime | None


def said_time(text: str, *, at: datetime | None) -> Said | None:
    """Return the first time said, the exact ones before « maintenant » and « ce matin ».

    `moment` is in the zone of `at`, None where that is. Raises InputError when `at` has no zone.
    """
    if at is not None and at.tzinfo is None:
        raise InputError(f"card: {at.isoformat()} has no zone; give an aware time")
    if ago := _AGO.search(text):
        return Said(start=ago.start(), end=ago.end(), moment=at and _ago(ago, at))
    if clock := _CLOCK.search(text):
        return Said(start=clock.start(), end=clock.end(), moment=at and _clock(clock, at))
    if now := _NOW.search(text):
        return Said(start=now.start(), end=now.end(), moment=at)
    if vague := _VAGUE.search(text):
        return Said(start=vague.start(), end=vague.end(), moment=None)
    return None


def years_past(words: Sequence[Word], *, at: datetime | None) -> set[int]:
    """Return the sentences that speak of « il y a 3 ans », « en 1999 » if `at` tells."""
    gone, this_year = set(), _FIRST_YEAR if at is None else at.year
    for first, second, third, fourth in zip(words, words[1:], words[2:], words[3:], strict=False):
        if (first.word, second.word) == ("y", "a") and fourth.word in _YEARS_AGO:
            gone.add(third.sentence)
    for before, year in pairwise(words):
        is_year = len(year.word) == len(str(_FIRST_YEAR)) and year.word.isdecimal()
        if is_year and before.word in {"en", "de"} and _FIRST_YEAR <= int(year.word) < this_year:
            gone.add(year.sentence)
    return gone


def _ago(found: re.Match[str], at: datetime) -> datetime:
    is_minutes = found[2].lower().startswith("m")
    span = timedelta(minutes=int(found[1])) if is_minutes else timedelta(hours=int(found[1]))
    return (at.astimezone(UTC) - span).astimezone(at.tzinfo)


def _clock(found: re.Match[str], at: datetime) -> datetime | None:
    """Return the last such hour before `at` when it is of the last half day."""
    is_evening = (found[3] or "").lower() == "soir"
    hour = int(found[1]) % NOON + NOON if is_evening else int(found[1])
    moment = at.replace(hour=hour, minute=int(found[2] or 0), second=0, microsecond=0)
    if moment > at:
        moment -= timedelta(days=1)
    since = at.astimezone(UTC) - moment.astimezone(UTC)
    return moment if timedelta(0) <= since <= TRUSTED else None
