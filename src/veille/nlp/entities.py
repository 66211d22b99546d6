"""People, places and organisations named in a text."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from veille.domain.analysis import Entity
from veille.nlp.prepare import for_entities

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

LABELS = frozenset({"PER", "LOC", "ORG", "MISC"})
_EDGES = " \t\n\r\u00a0\u202f.,;:!?…'’\"«»()[]{}<>*_-–—/\\|~"


BATCH_TOKENS = 2_000
"""Tokens read at once: bounds memory for any texts (tens of MB), and more is no faster."""


class EntityFinder:
    """Find the entities of several texts at once; no text changes what another one gives.

    spaCy's products run on BLIS, which sums each row in one order whatever the number of rows: the
    tests compare its vectors bit for bit.
    """

    def __init__(self, model: Language) -> None:
        self._model = model
        self._recognize: Any = model.get_pipe("ner")  # Any: spaCy types a pipe as a function
        self.version = f"{model.lang}_{model.meta['name']}-{model.meta['version']}"
        self._lock = threading.Lock()  # memory_zone is not made for two threads

    def find(self, texts: Sequence[str]) -> list[tuple[Entity, ...]]:
        """Return the entities of each text, in order of place; offsets are the text's own."""
        # The zone forgets the words met inside it: a daemon's vocabulary would grow for ever.
        with self._lock, self._model.memory_zone():
            cleaned = [for_entities(text) for text in texts]
            docs = [self._model.make_doc(clean) for clean in cleaned]
            for batch in batches(docs):
                self._recognize.set_annotations(batch, self._recognize.predict(batch))
            parts = zip(texts, cleaned, docs, strict=True)
            return [tuple(_entities(*part)) for part in parts]


def batches(docs: Sequence[Doc]) -> Iterable[list[Doc]]:
    """Yield the documents that have a word, so many at once as stay within BATCH_TOKENS."""
    batch: list[Doc] = []
    size = 0
    for doc in docs:
        if not doc.text.strip(_EDGES):
            continue
        if batch and size + len(doc) > BATCH_TOKENS:
            yield batch
            batch, size = [], 0
        batch.append(doc)
        size += len(doc)
    if batch:
        yield batch


def _entities(text: str, clean: str, doc: Doc) -> Iterable[Entity]:
    for span in doc.ents:
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
