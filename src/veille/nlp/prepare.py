"""Make a text ready for the models: bounded, printable, addresses and names masked.

Training uses the same function, so the network reads what it learnt to read.
"""

from __future__ import annotations

import re
import unicodedata

from veille.domain.text import printable, seen

# 256 tokens are about 1,100 characters of French: what lies beyond is never read by the encoder.
TEXT_LIMIT = 2_000
COVER = ","
FIRST_EMOJI = "\u2190"  # below it, "other symbols" are ° © ® and their like
# Letters and symbols by their Unicode category, but they say nothing.
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\ufffc\ufffd")

_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w.])@\w[\w.-]*")
_SPACE = re.compile(r"\s+")
_HASH = re.compile("[#＃]")
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u23ff\u2460-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u200d\u20e3\ufe0e\ufe0f\U000e0000-\U000e007f]"
)
_UNFIT = re.compile("[\ud800-\udfff\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\ufeff\ufffd]")


def for_encoder(text: str) -> str:
    """Return the text as the training sets write it: `http` for links, `@user` for names."""
    plain = printable(seen(text)[:TEXT_LIMIT])
    masked = _HANDLE.sub("@user", _LINK.sub("http", plain))
    return _SPACE.sub(" ", masked).strip()


def legible(text: str) -> bool:
    """Return whether the text holds a letter or an emoji: without, there is nothing to judge."""
    return any(_speaks(char) for char in text)


def for_entities(text: str) -> str:
    """Return the text with links, names, `#` and emoji covered, at unchanged offsets.

    A comma leads each cover, since over spaces alone one entity would reach across it.
    """
    plain = text[:TEXT_LIMIT]
    for pattern in (_LINK, _HANDLE, _EMOJI, _HASH, _UNFIT):
        plain = pattern.sub(_cover, plain)
    return plain


def _speaks(char: str) -> bool:
    if char in BLANK:
        return False
    return char.isalpha() or (char >= FIRST_EMOJI and unicodedata.category(char) == "So")


def _cover(found: re.Match[str]) -> str:
    return COVER + " " * (len(found[0]) - 1)
