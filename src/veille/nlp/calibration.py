"""Calibration on what people judged: fitted, and tried on texts held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from veille.nlp import evaluation, fitting, metrics
from veille.nlp.manifest import Choice, Manifest, Score
from veille.nlp.metrics import ABSTAINED, Estimate, Numbers, Whole

LEAST_TEXTS = 100
"""With 96 texts a share is known to 10 points at best (Wilson interval of one half)."""
LEAST_OF_EACH = 10
"""Of the rarer outcome, for each fitted number (Peduzzi et al., J Clin Epidemiol 49, 1996)."""
FOLDS = 5
_URGENT = "urgent"
_PLATT_NUMBERS = 2


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One calibration on judged texts. `nll` in nats; `accuracy` is of what is decided.

    `undecided` is None for urgency, `recall` and `false_alarms` for all others.
    """

    nll: Estimate
    ece: Estimate
    accuracy: Estimate
    undecided: Estimate | None = None
    recall: Estimate | None = None
    false_alarms: Estimate | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A head before and after; `after` is of texts a fit had not seen, `numbers` of all texts.

    `gain` is by how much the negative log-likelihood falls, text by text. `is_better`: its whole
    95 % interval is above 0.
    """

    head: str
    n: int
    confirmed: int
    before: Side
    after: Side
    gain: Estimate
    is_better: bool
    numbers: Choice | Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgements:
    """Judged texts of one head: outputs, the person's label, how often the machine had said it.

    `gold` counts the head's labels in their order; for urgency 1 is urgent.
    """

    head: str
    logits: Numbers
    gold: Whole
    confirmed: int


def gold_of(manifest: Manifest, head: str, labels: Sequence[str]) -> Whole:
    """Return labels as numbers in the order of the head's outputs."""
    if head == "urgency":
        return np.array([label == _URGENT for label in labels], dtype=np.int64)
    names, _ = evaluation.columns(manifest, head)
    return np.array([names.index(label) for label in labels], dtype=np.int64)


def why_not(head: str, gold: Whole, confirmed: int) -> str | None:
    """Return why these judgements are too few to fit anything, None when they suffice."""
    n = len(gold)
    if n < LEAST_TEXTS:
        return (
            f"{n} of {LEAST_TEXTS} judged texts: with fewer, not even the accuracy is known to "
            "10 points"
        )
    if head == "urgency":
        yes, needed, what = int(gold.sum()), LEAST_OF_EACH * _PLATT_NUMBERS, "urgent"
        remedy = "both urgent and calm ones are needed"
    else:
        yes, needed, what = confirmed, LEAST_OF_EACH, "confirmed"
        remedy = "judge also what the machine gets right: else it seems to be always wrong"
    if min(yes, n - yes) < needed:
        which = what if yes < needed else f"not {what}"
        return f"{min(yes, n - yes)} of {needed} texts {which}: {remedy}"
    return None


def fit(manifest: Manifest, judged: Judgements, *, origin: str) -> Choice | Score:
    """Return the head's numbers as these texts have them.

    A choice gets another temperature; the probability a label needs to be said stays. Urgency gets
    Platt's numbers, and the highest threshold that finds at least as many of the urgent texts as
    the present one does.
    """
    if judged.head != "urgency":
        _, at = evaluation.columns(manifest, judged.head)
        warmth = fitting.temperature(judged.logits[:, at], judged.gold)
        old = evaluation.choice_of(manifest.calibration, judged.head)
        return msgspec.structs.replace(old, temperature=round(warmth, 4), origin=origin)
    raw = judged.logits[:, manifest.places["urgency"][""]]
    scale, shift = (round(x, 4) for x in fitting.platt(raw, judged.gold))
    _, called = _said(manifest, judged.head, judged.logits)
    recall = float(np.mean(called[judged.gold == 1]))
    scores = fitting.logistic(scale * raw + shift)
    threshold = fitting.threshold_for_recall(scores, judged.gold, recall=recall)
    return Score(scale=scale, shift=shift, threshold=_floor(threshold), origin=origin)


def compare(manifest: Manifest, judged: Judgements, *, origin: str) -> Comparison:
    """Return the head before and after, by cross-validation in 5 parts of alike mixture."""
    part_of = _parts(judged.gold)
    shares = np.empty((len(judged.gold), 0))
    labels = np.empty(len(judged.gold), dtype=np.int64)
    for part in range(FOLDS):
        out = part_of == part
        numbers = fit(manifest, _rows(judged, ~out), origin=origin)
        found, said = _said(_with(manifest, judged.head, numbers), judged.head, judged.logits[out])
        if not shares.size:
            shares = np.empty((len(judged.gold), found.shape[1]))
        shares[out], labels[out] = found, said
    old_shares, old_labels = _said(manifest, judged.head, judged.logits)
    gain = metrics.bootstrap(_mean, _losses(old_shares, judged.gold) - _losses(shares, judged.gold))
    numbers = fit(manifest, judged, origin=origin)
    is_sane = isinstance(numbers, Choice) or numbers.scale > 0
    return Comparison(
        head=judged.head,
        n=len(judged.gold),
        confirmed=judged.confirmed,
        before=_side(judged.head, old_shares, old_labels, judged.gold),
        after=_side(judged.head, shares, labels, judged.gold),
        gain=gain,
        is_better=is_sane and gain.low > 0,
        numbers=numbers,
    )


def _side(head: str, shares: Numbers, said: Whole, gold: Whole) -> Side:
    decided = said != ABSTAINED
    confidence, happened = shares.max(axis=1), (shares.argmax(axis=1) == gold).astype(np.float64)
    if head == "urgency":
        confidence, happened = shares[:, 1], gold.astype(np.float64)
    right = int(np.sum(said[decided] == gold[decided]))
    is_urgency = head == "urgency"
    called = said == 1
    return Side(
        nll=metrics.bootstrap(_mean, _losses(shares, gold)),
        ece=metrics.bootstrap(metrics.ece, confidence, happened),
        accuracy=metrics.wilson(right, int(decided.sum())),
        undecided=None if is_urgency else metrics.wilson(int((~decided).sum()), len(gold)),
        recall=_share(called[gold == 1]) if is_urgency else None,
        false_alarms=_share(called[gold == 0]) if is_urgency else None,
    )


def _said(manifest: Manifest, head: str, logits: Numbers) -> tuple[Numbers, Whole]:
    """Return probabilities of all labels (calm, urgent for urgency) and the labels said."""
    if head != "urgency":
        found = evaluation.choice_found(manifest, head, logits)
        return found.shares, found.said
    scores = evaluation.score_found(manifest, head, logits)
    cut = manifest.calibration.urgency.threshold or evaluation.EVEN
    return np.stack([1 - scores, scores], axis=1), (scores >= cut).astype(np.int64)


def _with(manifest: Manifest, head: str, numbers: Choice | Score) -> Manifest:
    calibration = msgspec.structs.replace(manifest.calibration, **{head: numbers})
    return msgspec.structs.replace(manifest, calibration=calibration)


def _rows(judged: Judgements, wanted: NDArray[np.bool_]) -> Judgements:
    return replace(judged, logits=judged.logits[wanted], gold=judged.gold[wanted])


def _parts(gold: Whole) -> Whole:
    """Return the part of each text, the same each time: labels are dealt out like cards."""
    shuffled = np.random.default_rng(metrics.SEED).permutation(len(gold))
    order = shuffled[np.argsort(gold[shuffled], kind="stable")]
    parts = np.empty(len(gold), dtype=np.int64)
    parts[order] = np.arange(len(gold)) % FOLDS
    return parts


def _losses(shares: Numbers, gold: Whole) -> Numbers:
    true = shares[np.arange(len(gold)), gold]
    losses: Numbers = -np.log(np.maximum(true, np.finfo(np.float64).tiny))
    return losses


def _mean(values: Numbers) -> float:
    return float(values.mean())


def _share(called: NDArray[np.bool_]) -> Estimate:
    return metrics.wilson(int(called.sum()), len(called))


def _floor(threshold: float) -> float:
    """Return four decimals, never above: rounding up could lose an urgent text."""
    return max(math.floor(threshold * 10_000) / 10_000, 0.0001)
