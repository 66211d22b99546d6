"""What a text is about: its keywords, its nearness to written examples, the network's guess."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from veille.domain.analysis import Topic
from veille.domain.ids import content_hash
from veille.domain.topic import OTHER, TopicSpec, keyword
from veille.nlp.heads import softmax
from veille.nlp.keywords import Keyword, Keywords
from veille.nlp.prepare import TEXT_LIMIT, for_encoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Embed = Callable[[Sequence[str]], Sequence[NDArray[np.float32]]]

FURTHER = 0.2
"""The score from which a topic that is not the main one is named too."""
NEAREST = 3
"""How many examples of a topic a text is compared with: those nearest to it."""

# Weights of a conditional logistic regression on the dev voices of training/sentences (837 rows:
# the network learnt the others), `_SHARE` the best of 0.4 to 1.2 on them. `_BEATEN` is set by hand
# so that a fête too loud is noise, however sure the network is: of the 1,369 dev rows of today
# 874 are right with -1.5, 876 with -1, 870 with -3. docs/topics.md has figures.
_WORDS, _PHRASES, _HINTS, _ANY = 2.05, 2.2, 0.45, 1.3
_BEATEN = -1.5
_NEAR = 2.7
_SHARE = 0.6
_OTHER = 0.6  # fitted 0.15: rarer in training/ (1 in 54) than among what people write
_UNTRAINED = 0.04
"""The share of a topic that the network does not know; docs/topics.md says what it was tried on."""
_LEAST_SHARE = 1e-4


class Topics:
    """The topics of one file, ready to be found in texts.

    `embed` gives the pooled vectors of texts made ready by `for_encoder`; it is called once, here.
    `version` changes with any topic.
    """

    def __init__(self, specs: Sequence[TopicSpec], embed: Embed) -> None:
        self._ids = [spec.id for spec in specs if spec.id != OTHER]
        self.version = f"topics.v1-{content_hash(repr(tuple(specs)))[:8]}"
        specs = [spec for spec in specs if spec.id != OTHER]
        places = {name: at for at, name in enumerate(self._ids)}
        keywords = _keywords(specs)
        self._keywords = Keywords(keywords)
        shared = Counter(one.parts for one in keywords)
        # a keyword of several topics says less of each
        self._worth = {parts: 1 / math.sqrt(count) for parts, count in shared.items()}
        self._over = [[places[name] for name in spec.over if name in places] for spec in specs]
        self._near = _Nearness([spec.examples for spec in specs], embed)

    def find(
        self, text: str, vector: NDArray[np.float32], shares: Mapping[str, float]
    ) -> tuple[Topic, ...]:
        """Return the main topic, then others from a score of FURTHER on; `other` stands alone.

        `text` as written, `vector` as the encoder pools it, `shares` the network's topics by id;
        a topic it was not trained on is judged by the rest. Scores of all topics sum to 1.
        """
        near = self._near.to(vector)
        said = self._said(text)
        logits = [
            said[at] + _NEAR * near[at] + _SHARE * self._share(name, shares)
            for at, name in enumerate(self._ids)
        ]
        logits.append(_OTHER + _SHARE * self._share(OTHER, shares))
        scores = softmax(logits)
        main = scores.index(max(scores))
        if main == len(self._ids):
            return (Topic(id=OTHER, score=scores[main]),)
        further = [at for at in range(len(self._ids)) if scores[at] >= FURTHER and at != main]
        further.sort(key=scores.__getitem__, reverse=True)
        return tuple(Topic(id=self._ids[at], score=scores[at]) for at in (main, *further))

    def _said(self, text: str) -> list[float]:
        """Return what the keywords say for each topic."""
        worth: dict[int, dict[tuple[str, ...], Keyword]] = defaultdict(dict)
        for found in self._keywords.find(text[:TEXT_LIMIT]):
            worth[found.keyword.topic][found.keyword.parts] = found.keyword
        said = [0.0] * len(self._ids)
        for at, keywords in worth.items():
            said[at] = self._weight(keywords.values())
        strong = {at for at, found in worth.items() if not all(k.is_hint for k in found.values())}
        for at in {other for one in strong for other in self._over[one]} & worth.keys():
            said[at] += _BEATEN
        return said

    def _weight(self, keywords: Iterable[Keyword]) -> float:
        sums = [0.0, 0.0, 0.0]
        for one in keywords:
            kind = 2 if one.is_hint else int(len(one.parts) > 1)
            sums[kind] += self._worth[one.parts]
        singles, phrases, hints = map(math.log1p, sums)
        return _ANY + _WORDS * singles + _PHRASES * phrases + _HINTS * hints

    def _share(self, name: str, shares: Mapping[str, float]) -> float:
        if not shares:
            return 0.0
        return math.log(max(shares.get(name, _UNTRAINED), _LEAST_SHARE))


class _Nearness:
    """How near a text is to the examples of each topic."""

    def __init__(self, examples: Sequence[Sequence[str]], embed: Embed) -> None:
        import numpy as np  # heavy

        texts = [for_encoder(text) for written in examples for text in written]
        self._places = np.full((len(examples), max(map(len, examples), default=0)), len(texts))
        first = 0
        for at, written in enumerate(examples):
            self._places[at, : len(written)] = range(first, first + len(written))
            first += len(written)
        vectors = np.stack(embed(texts)) if texts else np.zeros((0, 1), np.float32)
        # e5 puts all French in a narrow cone (cosines of 0.75 to 0.95): only what sets a text
        # apart from the middle of all examples tells topics apart
        self._middle = vectors.mean(axis=0) if texts else np.zeros(1, np.float32)
        self._known = [bool(written) for written in examples]
        self._examples = _unit(vectors - self._middle)

    def to(self, vector: NDArray[np.float32]) -> list[float]:
        """Return for each topic the mean cosine of its NEAREST examples; 0 where it has none."""
        import numpy as np  # heavy

        if not any(self._known):
            return [0.0] * len(self._known)
        cosines = np.append(self._examples @ _unit(vector - self._middle), -np.inf)
        best = np.sort(cosines[self._places], axis=1)[:, -NEAREST:]
        held = np.isfinite(best)
        sums = np.where(held, best, 0.0).sum(axis=1)
        return [float(x) for x in sums / np.maximum(held.sum(axis=1), 1)]


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np  # heavy

    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), dtype=np.float32)


def _keywords(specs: Sequence[TopicSpec]) -> list[Keyword]:
    """Return each keyword of each topic once; one that is a word and a hint is a word."""
    found: dict[tuple[int, tuple[str, ...]], Keyword] = {}
    for at, spec in enumerate(specs):
        for written, is_hint in ((spec.words, False), (spec.hints, True)):
            for parts in filter(None, map(keyword, written)):
                found.setdefault((at, parts), Keyword(at, parts, is_hint))
    return list(found.values())
