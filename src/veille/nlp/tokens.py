"""The words of a text with their places, for what reads French word by word."""

from __future__ import annotations

import re
from dataclasses import dataclass

from veille.domain.text import fold

ENOUGH = 9  # letters: under it, « SNCF » or « SOS EDF » would pass for shouting
SHOUT = 0.7  # share of capitals: a shouted text keeps a few small letters, a plain one has 0.1

_MARK = "\u0300-\u036f"
_TOKEN = re.compile(rf"[^\W_][\w{_MARK}]*(?:[-\u2010\u2011][^\W_][\w{_MARK}]*)*")
_ROOMY = re.compile(r"[ \t\u00a0\u202f]{0,3}|[ \t]?['’ʼ´`][ \t]?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A word of the text: its folded form, its place, and the text between it and the last one."""

    word: str
    written: str
    gap: str
    start: int
    end: int

    @property
    def is_capital(self) -> bool:
        """Whether the word is written as a name is."""
        return self.written[0].isupper()

    @property
    def adjoins(self) -> bool:
        """Whether only spaces or an apostrophe part it from the word before."""
        return bool(_ROOMY.fullmatch(self.gap))


def tokens(text: str) -> list[Token]:
    """Return the words in order; what has hyphens is one word, `l'eau` is two."""
    shouts = _shouts(text)
    found, last = [], 0
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        word = fold(match[0]).replace("\u2010", "-").replace("\u2011", "-")
        written = match[0].lower() if shouts else match[0]
        found.append(Token(word=word, written=written, gap=text[last:start], start=start, end=end))
        last = end
    return found


def _shouts(text: str) -> bool:
    """Whether capitals say nothing, since all is written in them."""
    letters = [char for char in text if char.isalpha()]
    return len(letters) >= ENOUGH and sum(map(str.isupper, letters)) > SHOUT * len(letters)
