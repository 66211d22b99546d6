"""Words and phrases of topics, found among a text's words: never inside another word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from veille.domain.topic import read_words


@dataclass(frozen=True, slots=True)
class Keyword:
    """A word or phrase of the topic at place `topic`, as `domain.topic.keyword` gives it."""

    topic: int
    parts: tuple[str, ...]
    is_hint: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A keyword in a text, from its word `first` up to `after`, excluded."""

    keyword: Keyword
    first: int
    after: int


class _Node:
    """What may follow the words read so far, and the keywords they complete."""

    __slots__ = ("_lengths", "_stems", "_words", "complete")

    def __init__(self) -> None:
        self._words: dict[str, _Node] = {}
        self._stems: dict[str, _Node] = {}
        self._lengths: list[int] = []
        self.complete: list[Keyword] = []

    def grown(self, part: str) -> _Node:
        """Return the node behind `part`, made if it is new."""
        if not part.endswith("*"):
            return self._words.setdefault(part, _Node())
        node = self._stems.setdefault(part[:-1], _Node())
        self._lengths = sorted({len(stem) for stem in self._stems})
        return node

    def after(self, word: str) -> Iterator[_Node]:
        """Yield the nodes that a word of a text leads to."""
        if (node := self._words.get(word)) is not None:
            yield node
        for length in self._lengths:
            if length > len(word):
                return
            if (node := self._stems.get(word[:length])) is not None:
                yield node


class Keywords:
    """All keywords as a tree of their words: as many as begin alike cost no more than one."""

    def __init__(self, keywords: Sequence[Keyword]) -> None:
        self._root = _Node()
        for keyword in keywords:
            node = self._root
            for part in keyword.parts:
                node = node.grown(part)
            node.complete.append(keyword)

    def find(self, text: str) -> list[Found]:
        """Return what is found; a keyword whose words all belong to longer ones is left out.

        So « eau » is not read in « coupure d'eau ».
        """
        read = read_words(text)
        found = [one for first in range(len(read)) for one in self._from(read, first)]
        longest = [0] * len(read)
        for one in found:
            for at in range(one.first, one.after):
                longest[at] = max(longest[at], one.after - one.first)
        return [f for f in found if min(longest[f.first : f.after]) <= f.after - f.first]

    def _from(self, read: Sequence[str], first: int) -> Iterator[Found]:
        """Yield what begins at the word `first`, the shorter before the longer."""
        nodes = [self._root]
        for at in range(first, len(read)):
            nodes = [behind for node in nodes for behind in node.after(read[at])]
            if not nodes:
                return
            yield from (Found(one, first, at + 1) for node in nodes for one in node.complete)
