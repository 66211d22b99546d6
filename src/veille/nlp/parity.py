"""How near two runtimes of one network are: reference sentences with the fp32 logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from veille.domain.errors import ModelError
from veille.nlp.heads import Heads
from veille.nlp.manifest import CHOICES, SCORES

MEAN_LIMIT = 0.03
"""The mean distance of a probability from fp32 that int8 may reach, over heads and sentences.

Five times what was measured on the twenty reference sentences (0.006, AVX-512 VNNI; 0.013 on 300
rows of training/sentences): one or two sentences may tip over, all heads of all sentences may not,
which is what arithmetic that saturates does.
"""


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sentence, and what the trained network in fp32 gives for all outputs."""

    text: str
    logits: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How far one head is off over `n` sentences.

    `mean` and `worst` are distances of probabilities, for each sentence the largest of its labels;
    `agreeing` counts the sentences with the same likeliest label (a score: the side of a half).
    """

    n: int
    mean: float
    worst: float
    agreeing: int


def decode_references(data: bytes, *, outputs: int) -> list[Reference]:
    """Return the lines of a reference.jsonl. Raises ModelError when they are not this network's."""
    try:
        found = [msgspec.json.decode(line, type=Reference) for line in data.splitlines()]
    except msgspec.DecodeError as error:
        raise ModelError(f"reference.jsonl: {error}: install the model again") from error
    if not found or any(len(each.logits) != outputs for each in found):
        raise ModelError(f"reference.jsonl does not have {outputs} logits a line")
    return found


def gaps(
    heads: Heads, ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]
) -> dict[str, Gap]:
    """Return for each head how far the logits of the same sentences are apart."""
    return {head: _gap(heads, head, ours, theirs) for head in (*CHOICES, *SCORES)}


def mean_gap(found: Mapping[str, Gap]) -> float:
    """Return the mean over heads; `MEAN_LIMIT` bounds it."""
    return sum(gap.mean for gap in found.values()) / len(found)


def _gap(
    heads: Heads, head: str, ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]
) -> Gap:
    pairs = [
        (_shares(heads, head, one), _shares(heads, head, other))
        for one, other in zip(ours, theirs, strict=True)
    ]
    far = [max(abs(one[label] - other[label]) for label in one) for one, other in pairs]
    agreeing = sum(max(a, key=a.__getitem__) == max(b, key=b.__getitem__) for a, b in pairs)
    return Gap(n=len(far), mean=sum(far) / len(far), worst=max(far), agreeing=agreeing)


def _shares(heads: Heads, head: str, logits: Sequence[float]) -> dict[str, float]:
    if head in CHOICES:
        return heads.shares(head, logits)
    score = heads.score(head, logits)
    return {"yes": score, "no": 1 - score}
