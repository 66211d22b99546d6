"""Words, phrases and user patterns as google-re2 programs: linear in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import re2

from veille.domain.errors import InputError
from veille.domain.text import fold

MAX_PHRASES = 500
MAX_PHRASE_LENGTH = 100
MAX_REGEX_LENGTH = 1000
MAX_PROGRAM = 10_000
"""Instructions of one user pattern: 5 MiB at most, and far over any pattern written by hand."""

_WORD = re.compile(r"[#@]?[^\W_]+\*?")
_STRAY = re.compile(r"(?:^|\W)\*|\*[\w*]")
_ASCII_BOUNDARY = re.compile(r"(?:\\.|[^\\])*?\\[bB]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled program over UTF-8 bytes."""

    program: Any  # google-re2 has no types

    def matches(self, data: bytes) -> bool:
        """Whether the pattern is found anywhere in `data`; time linear in its length."""
        return self.program.search(data) is not None


def compile_phrases(phrases: Sequence[str]) -> Pattern:
    """Return a pattern over `View.words` that finds any of the phrases, folded like texts.

    A word finds its hashtag too; a trailing `*` stands for any end of the word. Apostrophes and
    hyphens separate words. InputError for a phrase without a word or with `*` elsewhere.
    """
    if not 0 < len(phrases) <= MAX_PHRASES:
        raise InputError(f"expected 1 to {MAX_PHRASES} words or phrases, not {len(phrases)}")
    pattern = "|".join(_phrase(phrase) for phrase in phrases)
    return _compile(f" (?:{pattern}) ")


def check_phrase(written: str) -> list[str]:
    """Return the words of a phrase, folded, each with its `*`; InputError for what is none."""
    if len(written) > MAX_PHRASE_LENGTH:
        raise InputError(f'"{written[:60]}…" is over {MAX_PHRASE_LENGTH} characters')
    folded = fold(written)
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
    pattern = _compile(written)
    if pattern.program.programsize > MAX_PROGRAM:
        raise InputError(f"the pattern compiles to over {MAX_PROGRAM} instructions: shorten it")
    return pattern


def _compile(written: str) -> Pattern:
    options = re2.Options()
    options.log_errors = False
    try:
        return Pattern(re2.compile(written.encode("utf-8", "replace"), options))
    except re2.error as error:
        reason = error.args[0] if error.args else "refused"
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise InputError(f"this is no google-re2 pattern: {text[:200]}") from error
