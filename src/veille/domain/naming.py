"""Which colleagues a note names: `@Camille`, `@Marie Curie`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from veille.domain.text import fold


def named(text: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that stand behind an `@` in `text`, in order, each once.

    Compared without case and accents; the longest name that fits is meant, and where two are
    spelled alike, the one written so. An `@` inside a word (an address) names nobody.
    """
    folded = {name: fold(name) for name in names}
    known = sorted(folded.items(), key=lambda pair: -len(pair[1]))
    # a name may be written longer than it is known: combining accents, hidden signs
    reach = 4 * max(map(len, folded), default=0) + 8
    found: dict[str, None] = {}
    for at, char in enumerate(text):
        is_inside = at > 0 and _is_word(text[at - 1])
        if char == "@" and not is_inside:
            found.update(dict.fromkeys(_first(text[at + 1 : at + 1 + reach], known)))
    return tuple(found)


def _first(rest: str, known: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return the name that `rest` begins with, if any."""
    written = fold(rest)
    fits = [pair for pair in known if _begins(written, pair[1])]
    longest = [name for name, folded in fits if len(folded) == len(fits[0][1])]
    exact = [name for name in longest if rest.startswith(name)]
    return tuple((exact or longest)[:1])


def _begins(folded: str, name: str) -> bool:
    return bool(name) and folded.startswith(name) and not _is_word(folded[len(name) :][:1])


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
