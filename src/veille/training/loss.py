"""What a batch costs: labels by head, and a teacher's answers where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from veille.training.corpus import Row
from veille.training.labels import HEADS, SPANS, is_score

if TYPE_CHECKING:
    from torch import Tensor

UNKNOWN = -1
SMOOTHING = 0.1
# Opinion tweets are assumed neither urgent nor of a crisis; an assumption weighs less than a label.
ASSUMED, ASSUMED_WEIGHT = {"crisis": 0, "urgency": 0}, 0.25
ASSUMED_OF = frozenset({"umsab", "deft"})
TARGET_WEIGHT = 0.3  # nine texts of ten have none: at full weight it would lead the others
VECTOR_WEIGHT = 1.0  # of the distance to the teacher's pooled vector, beside its answers


def labels_loss(logits: Tensor, rows: Sequence[Row], heads: Sequence[str], *, batch: int) -> Tensor:
    """Return the loss of all heads; a text without a head's label costs nothing there."""
    total = logits.new_zeros(())
    for head in heads:
        gold, weight = _gold(logits, rows, head)
        total = total + (_each(logits[:, SPANS[head]], gold, head) * weight).sum() / batch
    return total


def teacher_loss(logits: Tensor, vectors: Tensor, taught: tuple[Tensor, Tensor]) -> Tensor:
    """Return how far the student's probabilities and vectors are from the teacher's.

    Cross-entropy with the teacher's probabilities (Hinton, Vinyals and Dean 2015, at temperature
    1), and 1 - cosine of the vectors, which topics are compared by.
    """
    from torch.nn import functional

    theirs, theirs_vectors = taught
    total = VECTOR_WEIGHT * (1 - functional.cosine_similarity(vectors, theirs_vectors)).mean()
    for head in HEADS:
        ours, wanted = logits[:, SPANS[head]], theirs[:, SPANS[head]]
        if is_score(head):
            total = total + functional.binary_cross_entropy_with_logits(ours, wanted.sigmoid())
        else:
            total = total + functional.cross_entropy(ours, wanted.softmax(-1))
    return total


def _gold(logits: Tensor, rows: Sequence[Row], head: str) -> tuple[Tensor, Tensor]:
    gold = [row.labels.get(head, _assumed(row, head)) for row in rows]
    sure = TARGET_WEIGHT if head == "target" else 1.0
    weight = [
        0.0 if label == UNKNOWN else sure if head in row.labels else ASSUMED_WEIGHT
        for label, row in zip(gold, rows, strict=True)
    ]
    known = [max(label, 0) for label in gold]  # any label does where its weight is 0
    return logits.new_tensor(known), logits.new_tensor(weight)


def _assumed(row: Row, head: str) -> int:
    return ASSUMED.get(head, UNKNOWN) if row.origin in ASSUMED_OF else UNKNOWN


def _each(logits: Tensor, gold: Tensor, head: str) -> Tensor:
    from torch.nn import functional

    if is_score(head):
        return functional.binary_cross_entropy_with_logits(logits[:, 0], gold, reduction="none")
    return functional.cross_entropy(
        logits, gold.long(), label_smoothing=SMOOTHING, reduction="none"
    )
