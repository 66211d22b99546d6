"""How numbers, dates, durations and quoted text are written, in French or English."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from veille.domain.errors import ConfigError
from veille.wording.catalogue import Catalogue

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_BREAKING = re.compile(r"[^\S\u00a0\u202f]\s*|[\u00a0\u202f]\s+")
_LOOK_BACK = 40  # an excerpt ends at a space if there is one within so many characters
_VISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_JOINERS = frozenset("\u200c\u200d")  # inside emoji and some scripts they are spelling


class _Seen(dict[int, str]):
    """What each character is shown as: ten times as fast as asking for its category anew.

    Joiners are not in it: how they are shown depends on what is beside them.
    """

    def __missing__(self, code: int) -> str:
        shown = _shown(chr(code), 0)
        if code < _KEPT:  # other scripts are not kept: their characters are too many
            self[code] = shown
        return shown


_KEPT = 0x2100
_SEEN = _Seen()


def number(words: Catalogue, value: float, *, decimals: int = 0) -> str:
    """Return the number with the language's separators: `1 234,5`, spaces that never break."""
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.removeprefix("-")  # no "-0"
    marks = {",": words("format.thousands"), ".": words("format.decimal"), "-": "\u2212"}
    return "".join(marks.get(c, c) for c in text)


def measure(words: Catalogue, value: float, *, decimals: int) -> str:
    """Return a measured number rounded to so many decimals, none if it is whole: `4,2`, `5`."""
    rounded = round(value, decimals)
    return number(words, rounded, decimals=0 if float(rounded).is_integer() else decimals)


def percent(words: Catalogue, ratio: float, *, decimals: int = 0) -> str:
    """Return a ratio in [0, 1] as a percentage: `42 %`."""
    return words("format.percent", number=number(words, 100 * ratio, decimals=decimals))


def clock(words: Catalogue, at: datetime, zone: str) -> str:
    """Return the hour in a time zone: `02:14`."""
    return words("format.clock", at=_local(at, zone))


def date(words: Catalogue, at: datetime, zone: str) -> str:
    """Return the day in a time zone: `dim. 18 janv.`."""
    local = _local(at, zone)
    return words(
        "format.date",
        weekday=words(f"format.weekday.{local.isoweekday()}"),
        day=words("format.first") if local.day == 1 else local.day,
        month=words(f"format.month.{local.month}"),
    )


def moment(words: Catalogue, at: datetime, zone: str) -> str:
    """Return day and hour in a time zone: `dim. 18 janv. 02:14`."""
    return words("format.moment", date=date(words, at, zone), clock=clock(words, at, zone))


def until(words: Catalogue, at: datetime, today: datetime, zone: str) -> str:
    """Return how long something lasts: `jusqu'à 02:14`, `jusqu'au dim. 18 janv. 02:14`."""
    if _local(at, zone).date() == _local(today, zone).date():
        return words("format.until_clock", clock=clock(words, at, zone))
    return words("format.until_moment", moment=moment(words, at, zone))


def duration(words: Catalogue, length: timedelta) -> str:
    """Return a length in its largest unit, with the next one below a day: `9 min`, `2 h 10`, `3 j`.

    Parts of the smallest unit shown are dropped; a negative length reads as zero.
    """
    seconds = max(0, int(length.total_seconds()))
    if seconds < _MINUTE:
        return words("format.seconds", count=seconds)
    if seconds < _HOUR:
        return words("format.minutes", count=seconds // _MINUTE)
    if seconds >= 2 * _DAY:
        return words("format.days", count=number(words, seconds // _DAY))
    hours, minutes = seconds // _HOUR, seconds % _HOUR // _MINUTE
    key = "format.hours_minutes" if minutes else "format.hours"
    return words(key, hours=hours, minutes=minutes)


def age(words: Catalogue, at: datetime, now: datetime) -> str:
    """Return how long ago it was: `il y a 3 min`, `dans 2 h`, `à l'instant` within a minute."""
    elapsed = now - at
    if abs(elapsed) < timedelta(seconds=_MINUTE):
        return words("format.just_now")
    key = "format.ago" if elapsed > timedelta(0) else "format.ahead"
    return words(key, duration=duration(words, abs(elapsed)))


def visible(text: str) -> str:
    """Return text on which nothing acts unseen: controls, bidi marks, zero-widths read `⟨U+202E⟩`.

    Line feeds and tabs stay; so does a joiner between two characters that show, as in emoji.
    """
    if text.isascii() and text.isprintable():
        return text
    if _JOINERS.isdisjoint(text):
        return text.translate(_SEEN)
    return "".join(_shown(text, i) for i in range(len(text)))


def one_line(text: str) -> str:
    """Return text on one line without blanks at its ends; a no-break space alone stays as it is."""
    return _BREAKING.sub(" ", text).strip()


def excerpt(text: str, limit: int) -> str:
    """Return text on one line in at most limit code points, cut at a space, `…` at the cut.

    No combining mark or half of a joined emoji is left at the cut.
    """
    line = one_line(text)
    if len(line) <= limit:
        return line
    if limit < 1:
        return ""
    end = limit - 1
    space = line.rfind(" ", max(0, end - _LOOK_BACK), end + 1)
    if space > 0:
        return line[:space].rstrip(" ,;:") + "…"
    while end and _continues(line[end], line[end - 1]):
        end -= 1
    return line[:end] + "…"


def _shown(text: str, index: int) -> str:
    char = text[index]
    if char in "\n\t" or (char in _JOINERS and _is_inside(text, index)):
        return char
    if char not in _BLANK_LETTERS and unicodedata.category(char) not in _VISIBLE_CATEGORIES:
        return char
    return f"⟨U+{ord(char):04X}⟩"


def _is_inside(text: str, index: int) -> bool:
    """Whether a joiner stands between two characters that are not plain Latin text."""
    around = text[index - 1 : index] + text[index + 1 : index + 2]
    return len(around) == 2 and all(  # noqa: PLR2004 one on each side
        not c.isascii() and unicodedata.category(c)[0] in "LMS" for c in around
    )


def _continues(char: str, before: str) -> bool:
    """Whether char belongs to what stands before it: a mark, a joiner, what a joiner ties on."""
    return unicodedata.category(char) in {"Mn", "Mc", "Me"} or "\u200d" in {char, before}


def _local(at: datetime, zone: str) -> datetime:
    return at.astimezone(_zone(zone))


@cache
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ConfigError(f'time zone "{name}" is not known: write one as Europe/Paris') from error
