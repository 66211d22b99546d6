"""Phrases of folded words, looked up in a text; time grows with the text alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from veille.nlp.tokens import Token, tokens

GAP = 3  # words that `~` may stand for
_PART = re.compile("[^-\u2010\u2011]+")
_CLAUSE = re.compile(r"[.!?;,:\n…()\u2014]")
_SENTENCE = re.compile(r"[.!?\n…]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word without hyphens, with the numbers of its clause and its sentence."""

    word: str
    start: int
    end: int
    clause: int
    sentence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A phrase found: words `first` to `after`, the last excluded, and what it stands for."""

    label: str
    first: int
    after: int


class Phrases:
    """Phrases by label, ready to be looked up."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self._by_first: dict[str, list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
        self._stems: list[tuple[str, str, tuple[str, ...]]] = []
        for label, block in table.items():
            for phrase in block.split("|"):
                words = tuple(phrase.split())
                if words[0].endswith("*"):
                    self._stems.append((words[0][:-1], label, words))
                else:
                    self._by_first[words[0]].append((label, words))

    def find(self, words: Sequence[Word], *, masked: frozenset[int] = frozenset()) -> list[Hit]:
        """Return the longest phrase from each place on, apart, without the masked words."""
        hits, at = [], 0
        while at < len(words):
            best = max(
                (
                    Hit(label=label, first=at, after=after)
                    for label, phrase in self._starting(words[at].word)
                    if (after := _matched(words, at, phrase)) and not masked & {*range(at, after)}
                ),
                key=lambda hit: hit.after,
                default=None,
            )
            if best:
                hits.append(best)
            at = best.after if best else at + 1
        return hits

    def _starting(self, word: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield from self._by_first.get(word, ())
        for stem, label, phrase in self._stems:
            if word.startswith(stem):
                yield label, phrase


def words_of(text: str) -> list[Word]:
    """Return the words in order; « mais » opens a clause, as a comma does."""
    found: list[Word] = []
    clause = sentence = 0
    for token in tokens(text):
        sentence += bool(_SENTENCE.search(token.gap))
        clause += bool(_CLAUSE.search(token.gap)) or token.word == "mais"
        found += [
            Word(word=word, start=start, end=end, clause=clause, sentence=sentence)
            for word, start, end in _parts(token)
        ]
    return found


def covered(hits: Iterable[Hit]) -> frozenset[int]:
    """Return the places of all words of the hits."""
    return frozenset(at for hit in hits for at in range(hit.first, hit.after))


def _parts(token: Token) -> Iterator[tuple[str, int, int]]:
    pieces = list(_PART.finditer(token.written))
    names = token.word.split("-")
    if len(pieces) != len(names) or len(token.written) != token.end - token.start:
        yield token.word, token.start, token.end
        return
    for name, piece in zip(names, pieces, strict=True):
        yield name, token.start + piece.start(), token.start + piece.end()


def _matched(words: Sequence[Word], at: int, phrase: tuple[str, ...]) -> int:
    """Return where the phrase ends that starts at `at`, or 0."""
    here, clause, room = at, words[at].clause, 0
    for wanted in phrase:
        if wanted == "~":
            room = GAP
            continue
        while here < len(words) and words[here].clause == clause:
            if _fits(words[here].word, wanted):
                break
            if not room:
                return 0
            here, room = here + 1, room - 1
        else:
            return 0
        here, room = here + 1, 0
    return here


def _fits(word: str, wanted: str) -> bool:
    return word.startswith(wanted[:-1]) if wanted.endswith("*") else word == wanted
