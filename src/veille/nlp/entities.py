"""People, places and organisations named in a text."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from veille.domain.analysis import Entity
from veille.nlp.prepare import for_entities

if TYPE_CHECKING:
    from spacy.language import Language

LABELS = frozenset({"PER", "LOC", "ORG", "MISC"})
_EDGES = " \t\n\r\u00a0\u202f.,;:!?…'’\"«»()[]{}<>*_-–—/\\|~"


class EntityFinder:
    """Find entities one text at a time, so that no text changes what another one gives."""

    def __init__(self, model: Language) -> None:
        self._model = model
        self._recognize = model.get_pipe("ner")
        self.version = f"{model.lang}_{model.meta['name']}-{model.meta['version']}"
        self._lock = threading.Lock()  # memory_zone is not made for two threads

    def find(self, texts: Sequence[str]) -> list[tuple[Entity, ...]]:
        """Return the entities of each text, in order of place; offsets are the text's own."""
        # The zone forgets the words met inside it: a daemon's vocabulary would grow for ever.
        with self._lock, self._model.memory_zone():
            return [tuple(self._entities(text)) for text in texts]

    def _entities(self, text: str) -> Iterable[Entity]:
        clean = for_entities(text)
        if not clean.strip(_EDGES):
            return
        for span in self._recognize(self._model.make_doc(clean)).ents:
            if span.label_ not in LABELS:
                continue
            for start, end in uncovered(text, clean, span.start_char, span.end_char):
                yield Entity(label=span.label_, text=text[start:end], start=start, end=end)


def uncovered(text: str, clean: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """Yield the parts of a span that show the text itself: an emoji or `#` ends a name."""
    edges = [at for at in range(start, end) if text[at] != clean[at]]
    for left, right in pairwise([start - 1, *edges, end]):
        part = trimmed(clean, left + 1, right)
        if part[0] < part[1]:
            yield part


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without spaces and punctuation at its edges; empty when nothing is left."""
    while start < end and text[start] in _EDGES:
        start += 1
    while end > start and text[end - 1] in _EDGES:
        end -= 1
    return start, end
