"""Folding: how texts and words are compared, the same in watches, rules and search."""

from __future__ import annotations

import re
import unicodedata

_SAME = str.maketrans(
    dict.fromkeys("’‘ʼ′`´＇", "'") | {"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ß": "ss"}
)
_MARKS = re.compile("[\u0300-\u034e\u0350-\u036f]+")  # those of Latin letters
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
# Controls that nobody sees and that part a word for the machine: soft hyphen, zero width, bidi.
_HIDDEN = "\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_JOINING = "\u200c\u200d"  # write Persian words and emoji: hidden only beside a Latin letter
_LATIN = "A-Za-z\u00c0-\u024f"
_UNSEEN = re.compile(
    f"(?<=[{_LATIN}])[{_HIDDEN}{_JOINING}]+"
    f"|(?<![{_HIDDEN}{_JOINING}])[{_HIDDEN}{_JOINING}]++(?=[{_LATIN}])|[{_HIDDEN}]+"
)
_WORD = re.compile(r"[#@]?[^\W_]+", re.UNICODE)
# General categories Cc, Cf, Co, Zl, Zp and Zs but the space (UnicodeData 16), of the first plane:
# what makes two names look the same, or one like nothing.
UNSHOWN = (
    r"\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ue000-\uf8ff\ufeff\ufff0-\ufffb\ufffe\uffff"
)
"""The inside of a class of a regular expression: what no line of text shows."""
# signs of formats, and tags and selectors of plane 14: no pattern of a document can say them
_BEYOND = (
    r"\ud800-\udfff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f\U000e0100-\U000e01ef"
)
_LINE = re.compile(f"[^{UNSHOWN}{_BEYOND}]*")
_LANGUAGE = re.compile(r"(?=.{2,35}$)[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)


def fold(text: str) -> str:
    """Return text without case, accents, ligatures, hidden controls, typographic apostrophes."""
    if text.isascii():
        return text.replace("`", "'").lower()
    decomposed = unicodedata.normalize("NFKD", seen(text).translate(_SAME))
    plain = _MARKS.sub("", decomposed)
    if not plain.isascii():
        plain = "".join(c for c in plain if not unicodedata.combining(c))
    return plain.lower()


def is_line(text: str) -> bool:
    """Whether the text is one line of which every character is seen, or is a space."""
    return _LINE.fullmatch(text) is not None


def seen(text: str) -> str:
    """Return the text without controls that nobody sees: « se\u200bcours » is « secours »."""
    return _UNSEEN.sub("", text)


def unseen(text: str) -> list[tuple[int, int]]:
    """Return the places of what `seen` leaves out, in order and apart."""
    return [found.span() for found in _UNSEEN.finditer(text)]


def words(folded: str) -> list[str]:
    """Return the words of a folded text in order; `#` and `@` stay on, `l'eau` gives l, eau."""
    return _WORD.findall(folded)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return where each word of `words(fold(text))` stands in the text: code points, end excluded.

    Empty for a text whose words cannot be told apart that way.
    """
    hidden = {at for start, end in unseen(text) for at in range(start, end)}
    places: list[int] = []
    parts: list[str] = []
    for at, char in enumerate(text):
        folded = "" if at in hidden else fold(char)
        parts.append(folded)
        places += [at] * len(folded)
    found = [match.span() for match in _WORD.finditer("".join(parts))]
    if len(found) != len(words(fold(text))):
        return []
    return [(places[start], places[end - 1] + 1) for start, end in found]


def printable(text: str) -> str:
    """Return text with lone surrogates and control characters replaced by U+FFFD; \\n, \\t stay."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def language(written: str | None) -> str | None:
    """Return a tag of a language, None for what is none (RFC 5646, 2.1; 35 characters: 4.4.1)."""
    tag = (written or "").replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) else None
