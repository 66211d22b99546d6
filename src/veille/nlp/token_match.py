"""spaCy's French word pattern, compiled for the letters of French: whole, it costs a start 4 s.

It names every letter of every script some 600 times. What it spells out is French, so that a
letter of another script stands for all: a text is asked with such letters replaced by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

_LARGE = 1_000_000
"""Characters of a pattern that is worth it: no other that spaCy compiles for French has as many."""
_FRENCH = frozenset(map(chr, range(256))) | frozenset("œŒŸ’‘–—‐‑−")
_STAND_INS = ("\ue000", "\ue001", "\ue002", "\ue003")  # by the classes they belong to: 0 to 3
_compile = re.compile


class _FrenchFirst:
    """Matches where the pattern does; `classes` are its two sets of letters, as written in it."""

    def __init__(self, pattern: str, classes: tuple[str, str]) -> None:
        self._pattern = pattern
        self._classes = classes

    def match(self, text: str) -> re.Match[str] | None:
        """Return a match of the pattern, of a text that says the same to it; None without."""
        if _FRENCH.issuperset(text):
            return self._quick.match(text)
        if any(_is_kin(char) for char in text if char not in _FRENCH):
            return self._whole.match(text)
        return self._quick.match("".join(self._stand_in(char) for char in text))

    def _stand_in(self, char: str) -> str:
        if char in _FRENCH:
            return char
        first, second = (among.match(char) is not None for among in self._among)
        return _STAND_INS[first + 2 * second]

    @cached_property
    def _among(self) -> tuple[re.Pattern[str], ...]:
        return tuple(_compile(f"(?iu)[{letters}]") for letters in self._classes)

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return _compile(self._pattern)

    @cached_property
    def _quick(self) -> re.Pattern[str]:
        quick = self._pattern
        for number, (letters, among) in enumerate(zip(self._classes, self._among, strict=True)):
            kept = [re.escape(char) for char in sorted(_FRENCH) if among.match(char)]
            quick = quick.replace(letters, "".join(kept) + _STAND_INS[number + 1] + _STAND_INS[3])
        return _compile(quick)


def _is_kin(char: str) -> bool:
    """Whether it may be matched by a French letter without regard to case, as ſ is by s."""
    return not _FRENCH.isdisjoint(char.lower() + char.upper() + char.casefold())


@contextmanager
def french_first() -> Iterator[None]:
    """A pattern as large as spaCy's for French is compiled in part here, whole when it must be."""
    from spacy.lang.char_classes import ALPHA, ALPHA_LOWER

    def compiled(pattern: Any, flags: Any = 0) -> Any:  # Any: as the standard library's overloads
        if isinstance(pattern, str) and len(pattern) > _LARGE and not flags:
            return _FrenchFirst(pattern, (ALPHA, ALPHA_LOWER))
        return _compile(pattern, flags)

    re.compile = compiled
    try:
        yield
    finally:
        re.compile = _compile
