"""Why a text got its labels: what their probability loses when words are taken out."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from veille.domain.analysis import Analysis
from veille.domain.explanation import Explanation, Weight
from veille.domain.topic import OTHER
from veille.nlp.heads import NO_SENTIMENT, UNDECIDED, Heads
from veille.nlp.prepare import TEXT_LIMIT, for_encoder

Shares = Mapping[str, Mapping[str, float]]
"""The probability of each label of each head."""
Read = Callable[[Sequence[str]], Sequence[Shares]]
"""What the model says of texts, in order, each whatever its neighbours."""
Span = tuple[int, int]  # of words, the end excluded

LEAST = 0.05
"""The least loss of probability that counts.

Taking one word out raises the label's probability nearly as often as it lowers it; nine such rises
in ten are below 0.05 (12,057 rises, 250 rows of training/sentences, all heads): below it a loss
cannot be told from what any removal does.
"""
SPANS = 3
PARTS = 32
"""Up to so many words each is taken out alone; of a longer text first so many parts of it."""
FINE = 2
"""Parts of a longer text that are then looked at word by word, for each head."""
WIDTHS = (1, 2, 4)
"""Words taken out together while fewer change nothing: a call for help says it more than once."""
LONGEST = 6
"""Words a span grows to."""
BATCH = 8
"""Texts asked for together, so that what else waits for the encoder's threads comes in between."""

REPORTED = 0.5
UNREAD: Shares = {
    "sentiment": NO_SENTIMENT.probabilities,
    "urgency": {"normal": 1.0},
    "hostility": {"none": 1.0},
}
"""What a text without letter or emoji says: the network does not read it."""

_WORD = re.compile(r"\S+")
_EDGES = "\"'«»“”‘’()[]{}<>*_.,;:!?…"


def words(text: str) -> list[Span]:
    """Return where the words of a text stand, without the punctuation around them.

    A run of nothing else, `!!!`, is a word. What an apostrophe joins stays one: `l'eau`.
    """
    return [_core(text, *found.span()) for found in _WORD.finditer(text)]


def explain(
    text: str, labels: Mapping[str, str], read: Read, *, reach: int
) -> tuple[Explanation, ...]:
    """Return for each head of `labels` the words that carried its label, in the order given.

    `reach`: code points of the prepared text that the encoder reads; the text is cut there first,
    so that a removal brings nothing new into view. Words are removed, not masked: the network
    learnt from short texts but from no mask (docs/models.md has the comparison). The same text
    gives the same answer.
    """
    text = text[:TEXT_LIMIT]
    places = words(text)
    places = places[: bisect_right(places, reach, key=lambda at: len(for_encoder(text[: at[1]])))]
    if not places:
        return tuple(Explanation(head=head, label=labels[head], spans=()) for head in labels)
    trial = _Trial(text[: places[-1][1]], places, read)
    trial.ask(_parts(len(places)))
    for head, label in labels.items():
        trial.refine(head, label)
    return tuple(
        Explanation(head=head, label=label, spans=tuple(trial.spans(head, label)))
        for head, label in labels.items()
    )


def labels_of(found: Analysis) -> dict[str, str]:
    """Return the label each head said; a head that abstained or has nothing to report is left out.

    `crisis` and `toxicity` have no label of their own: they are explained from 0.5 on.
    """
    said = {
        "sentiment": found.sentiment.label.value,
        "urgency": found.urgency.label.value,
        "hostility": found.hostility.label.value,
        "intent": found.intent.label.value,
        "topic": found.topics[0].id if found.topics else OTHER,
        "crisis": "crisis" if found.crisis >= REPORTED else UNDECIDED,
        "toxicity": "toxicity" if found.toxicity >= REPORTED else UNDECIDED,
    }
    return {head: label for head, label in said.items() if label not in {UNDECIDED, OTHER}}


def shares(heads: Heads, logits: Sequence[float], topics: Mapping[str, float]) -> Shares:
    """Return the probability of each label of each head; `topics` has those of its own head."""
    urgent = heads.score("urgency", logits)
    return {
        "sentiment": heads.shares("sentiment", logits),
        "urgency": {"urgent": urgent, "normal": 1 - urgent},
        "hostility": heads.shares("hostility", logits),
        "intent": heads.shares("intent", logits),
        "topic": topics,
        "crisis": {"crisis": heads.score("crisis", logits)},
        "toxicity": {"toxicity": heads.score("toxicity", logits)},
    }


class _Trial:
    """What was asked about one text: what the model says with each span of words removed."""

    def __init__(self, text: str, places: Sequence[Span], read: Read) -> None:
        self._text = text
        self._places = places
        self._read = read
        self._said: dict[Span, Shares] = {}
        self._whole = read([text])[0]

    def ask(self, spans: Sequence[Span]) -> None:
        """Have the model read the text without each span, once."""
        new = sorted({span for span in spans if span not in self._said})
        for at in range(0, len(new), BATCH):
            chunk = new[at : at + BATCH]
            said = self._read([self._without(span) for span in chunk])
            self._said.update(zip(chunk, said, strict=True))

    def drop(self, span: Span, head: str, label: str) -> float:
        """Return what the label's probability loses without the span."""
        without = self._said[span].get(head, {})
        return self._whole[head].get(label, 0.0) - without.get(label, 0.0)

    def refine(self, head: str, label: str) -> None:
        """Ask about each word of the parts that matter most."""
        parts = sorted(self._said, key=lambda span: -self.drop(span, head, label))
        coarse = [span for span in parts if span[1] - span[0] > 1][:FINE]
        self.ask([(at, at + 1) for start, end in coarse for at in range(start, end)])

    def spans(self, head: str, label: str) -> Iterator[Weight]:
        """Yield the spans that matter, the weightiest first."""
        taken: list[Span] = []
        for seed in self._seeds(head, label):
            if len(taken) == SPANS:
                break
            if not any(seed[0] <= end and start <= seed[1] for start, end in taken):
                taken.append(self._fitted(seed, head, label, taken))
        taken.sort(key=lambda span: (-self.drop(span, head, label), span))
        for span in taken:
            yield self._weight(span, self.drop(span, head, label))

    def _seeds(self, head: str, label: str) -> list[Span]:
        """Return the words that matter alone; where none does, the shortest runs that do."""
        count = len(self._places)
        for width in WIDTHS if count <= PARTS else WIDTHS[:1]:
            if width > 1:
                self.ask([(at, at + width) for at in range(count - width + 1)])
            asked = [span for span in self._said if span[1] - span[0] == width]
            worth = [span for span in asked if self.drop(span, head, label) >= LEAST]
            if worth:
                return sorted(worth, key=lambda span: (-self.drop(span, head, label), span))
        return []

    def _fitted(self, span: Span, head: str, label: str, taken: Sequence[Span]) -> Span:
        """Return the span without words at its ends that cost nothing, with neighbours that do."""
        span = self._shrunk(span, head, label)
        while span[1] - span[0] < LONGEST:
            wider = [(span[0] - 1, span[1]), (span[0], span[1] + 1)]
            wider = [one for one in wider if self._is_free(one, taken)]
            self.ask(wider)
            worth = [one for one in wider if self._adds(one, span, head, label)]
            if not worth:
                break
            span = max(worth, key=lambda one: self.drop(one, head, label))
        return span

    def _adds(self, wider: Span, span: Span, head: str, label: str) -> bool:
        """Whether the word more costs `LEAST` too, with the span or alone."""
        more = self.drop(wider, head, label) - self.drop(span, head, label)
        word = (wider[0], wider[0] + 1) if wider[0] < span[0] else (span[1], wider[1])
        matters = word in self._said and self.drop(word, head, label) >= LEAST
        return more >= LEAST or (matters and more >= 0)

    def _shrunk(self, span: Span, head: str, label: str) -> Span:
        """Return the span without idle words at its ends; what is left costs `LEAST` as it did."""
        while span[1] - span[0] > 1:
            fewer = [(span[0] + 1, span[1]), (span[0], span[1] - 1)]
            self.ask(fewer)
            best = max(fewer, key=lambda one: self.drop(one, head, label))
            left = self.drop(best, head, label)
            if left < LEAST or self.drop(span, head, label) - left >= LEAST:
                break
            span = best
        return span

    def _is_free(self, span: Span, taken: Sequence[Span]) -> bool:
        is_inside = span[0] >= 0 and span[1] <= len(self._places)
        return is_inside and not any(span[0] < end and start < span[1] for start, end in taken)

    def _ends(self, span: Span) -> Span:
        return self._places[span[0]][0], self._places[span[1] - 1][1]

    def _without(self, span: Span) -> str:
        start, end = self._ends(span)
        return self._text[:start] + " " + self._text[end:]

    def _weight(self, span: Span, drop: float) -> Weight:
        start, end = self._ends(span)
        return Weight(start=start, end=end, text=self._text[start:end], weight=drop)


def _parts(count: int) -> list[Span]:
    """Return spans that cover `count` words, at most `PARTS`, as equal as can be."""
    parts = min(count, PARTS)
    edges = [count * at // parts for at in range(parts + 1)]
    return list(pairwise(edges))


def _core(text: str, start: int, end: int) -> Span:
    first, last = start, end
    while first < last and text[first] in _EDGES:
        first += 1
    while last > first and text[last - 1] in _EDGES:
        last -= 1
    return (first, last) if first < last else (start, end)
