"""Words, phrases and user patterns as google-re2 programs: linear in the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import re2

from veille.domain.errors import InputError
from veille.domain.text import fold
from veille.rules.repetition import repeats_a_repetition

MAX_PHRASES = 500
MAX_PHRASE_LENGTH = 100
MAX_REGEX_LENGTH = 1000
MAX_PROGRAM = 10_000
"""Instructions of one user pattern: 5 MiB at most, and far over any pattern written by hand."""

MAX_SPANS = 20
"""Places of one condition that are shown in a text."""

_WORD = re.compile(r"[#@]?[^\W_]+\*?")
_STRAY = re.compile(r"(?:^|\W)\*|\*[\w*]")
_ASCII_BOUNDARY = re.compile(r"(?:\\.|[^\\])*?\\[bB]", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Words of a text, and beginnings of its words."""

    words: frozenset[str] = frozenset()
    stems: frozenset[str] = frozenset()

    def meet(self, words: frozenset[str], stems: frozenset[str]) -> bool:
        """Whether a text that has these words, which begin so, has one of the keys."""
        return not (self.words.isdisjoint(words) and self.stems.isdisjoint(stems))


@dataclass(frozen=True)  # without slots: the program is compiled when it is first asked for
class Pattern:
    """A program over UTF-8 bytes.

    Of a list of phrases `alone` are those of one word: who has one of these keys matches. Of each
    longer phrase one word stands in `rare`: who has none of all keys does not match.
    """

    written: str
    alone: Keys | None = None
    rare: Keys | None = None

    @cached_property
    def program(self) -> Any:  # google-re2 has no types
        """The compiled pattern. Raises InputError for what google-re2 does not know."""
        return _compile(self.written)

    @property
    def size(self) -> int:
        """Instructions of a user's pattern; of phrases, which are mostly looked up, letters."""
        return self.program.programsize if self.alone is None else len(self.written)

    def matches(self, data: bytes) -> bool:
        """Whether the pattern is found anywhere in `data`; time linear in its length."""
        return self.program.search(data) is not None

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return the first MAX_SPANS places of what is found, in code points, empty ones not."""
        return [(_points(data, a), _points(data, b)) for a, b in self._found(data, 0)]

    def word_ranges(self, data: bytes) -> list[tuple[int, int]]:
        """Return the first MAX_SPANS runs of words that are found in `View.words`, by number."""
        found = self._found(data, 1)  # two phrases may share the space between them
        first = [data.count(b" ", 0, start) for start, _ in found]
        return [
            (n, n + data.count(b" ", start, end) - 1)
            for n, (start, end) in zip(first, found, strict=True)
        ]

    def _found(self, data: bytes, shared: int) -> list[tuple[int, int]]:
        places: list[tuple[int, int]] = []
        at = 0
        while at <= len(data) and len(places) < MAX_SPANS:
            match = self.program.search(data, at)
            if match is None:
                break
            start, end = match.span()
            if end > start:
                places.append((start, end))
            at = max(end - shared, start + 1)
        return places


def _points(data: bytes, end: int) -> int:
    return len(data[:end].decode("utf-8", "ignore"))  # \C of a pattern may end within a character


def compile_phrases(phrases: Sequence[str]) -> Pattern:
    """Return a pattern over `View.words` that finds any of the phrases, folded like texts.

    A word finds its hashtag too; a trailing `*` stands for any end of the word. Apostrophes and
    hyphens separate words. InputError for a phrase without a word or with `*` elsewhere.
    """
    if not 0 < len(phrases) <= MAX_PHRASES:
        raise InputError(f"expected 1 to {MAX_PHRASES} words or phrases, not {len(phrases)}")
    split = [check_phrase(phrase) for phrase in phrases]
    pattern = "|".join(_phrase(phrase) for phrase in phrases)
    return Pattern(
        f" (?:{pattern}) ",
        alone=_keys(words[0] for words in split if len(words) == 1),
        rare=_keys(max(words, key=len) for words in split if len(words) > 1),  # long words are rare
    )


def _keys(words: Iterable[str]) -> Keys:
    found = set(words)
    stems = {word for word in found if word.endswith("*")}
    return Keys(words=frozenset(found - stems), stems=frozenset(word[:-1] for word in stems))


def check_phrase(written: str) -> list[str]:
    """Return the words of a phrase, folded, each with its `*`; InputError for what is none."""
    folded = fold(written)
    if max(len(written), len(folded)) > MAX_PHRASE_LENGTH:
        raise InputError(f'"{written[:60]}…" is over {MAX_PHRASE_LENGTH} characters')
    found = _WORD.findall(folded)
    if not found or _STRAY.search(folded):
        raise InputError(f'"{written}": write words; * stands only at the end of a word')
    return found


def _phrase(written: str) -> str:
    parts = []
    for word in check_phrase(written):
        stem = re2.escape(word.rstrip("*"))
        parts.append(f"{stem}[^ ]*" if word.endswith("*") else stem)
    return ("" if fold(written).lstrip().startswith(("#", "@")) else "#?") + " ".join(parts)


def compile_regex(written: str) -> Pattern:
    r"""Return a user's pattern, searched in the text as stored.

    InputError when it is too long, too big or not google-re2's (no look-around, no back-reference),
    and for `\b`, which knows only ASCII there and would not see the word "école".
    """
    if len(written) > MAX_REGEX_LENGTH:
        raise InputError(f"the pattern is over {MAX_REGEX_LENGTH} characters: shorten it")
    if _ASCII_BOUNDARY.match(written):
        raise InputError(r"\b knows ASCII only: use words:, or (?:^|[^\pL\pN]) for an edge")
    if repeats_a_repetition(written):
        raise InputError(
            "the pattern repeats a repetition, as (a+)+ does: write one of them, or an upper "
            "bound such as (a+){1,5}"
        )
    pattern = Pattern(written)
    if pattern.program.programsize > MAX_PROGRAM:
        raise InputError(f"the pattern compiles to over {MAX_PROGRAM} instructions: shorten it")
    return pattern


def _compile(written: str) -> Any:  # google-re2 has no types
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(written.encode("utf-8", "replace"), options)
    except re2.error as error:
        reason = error.args[0] if error.args else "refused"
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise InputError(f"this is no google-re2 pattern: {text[:200]}") from error
