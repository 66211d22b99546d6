"""Folding: how texts and words are compared, the same in watches, rules and search."""

from __future__ import annotations

import re
import unicodedata

_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ′`´＇", "'"))
_LIGATURES = str.maketrans({"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ß": "ss"})
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_WORD = re.compile(r"[#@]?[^\W_]+", re.UNICODE)


def fold(text: str) -> str:
    """Return text without case, accents, ligatures and typographic apostrophes."""
    plain = text.translate(_APOSTROPHES).translate(_LIGATURES)
    if plain.isascii():
        return plain.lower()
    decomposed = unicodedata.normalize("NFKD", plain)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).lower()


def words(folded: str) -> list[str]:
    """Return the words of a folded text in order; `#` and `@` stay on, `l'eau` gives l, eau."""
    return _WORD.findall(folded)


def printable(text: str) -> str:
    """Return text with lone surrogates and control characters replaced by U+FFFD; \\n, \\t stay."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
