"""What a model says of labelled texts, as figures. How each is made: docs/models.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from veille.nlp import metrics
from veille.nlp.fitting import logistic, softmax
from veille.nlp.heads import feeling, said
from veille.nlp.labelled import SCORES, YES, Example
from veille.nlp.manifest import Calibration, Choice, Manifest, Score
from veille.nlp.metrics import ABSTAINED, Bin, Estimate, Numbers, PerClass, Whole

EVEN = 0.5  # a score without a threshold of its own is called from here on


class ChoiceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A head that chooses a label.

    `accuracy`, `macro_f1`, `classes`, `ece` and `brier` take the likeliest label of every text;
    `macro_f1_abstaining` counts `undecided` as wrong, `decided_accuracy` leaves it out.
    `confusion` has a row a true label and a column a label said, `undecided` last. `brier` is None
    for topics, which have no probability for all labels.
    """

    head: str
    n: int
    labels: tuple[str, ...]
    accuracy: Estimate
    macro_f1: Estimate
    macro_f1_abstaining: Estimate
    undecided: Estimate
    decided_accuracy: Estimate
    classes: tuple[PerClass, ...]
    confusion: tuple[tuple[int, ...], ...]
    ece: Estimate
    reliability: tuple[Bin, ...]
    brier: float | None


class ScoreFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A head of one probability; it calls a text from `threshold` on, 0.5 where it has none.

    `recall`, `precision` and `false_alarms` are at `threshold`; `recall_at_5` is at the threshold
    with 5 % false alarms on these texts. `confusion` has rows and columns no, yes.
    """

    head: str
    n: int
    positives: int
    threshold: float
    accuracy: Estimate
    macro_f1: Estimate
    auroc: Estimate
    recall_at_5: Estimate
    recall: Estimate
    precision: Estimate
    false_alarms: Estimate
    confusion: tuple[tuple[int, ...], ...]
    ece: Estimate
    reliability: tuple[Bin, ...]
    brier: float


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """A confusion that hurts: of `n` texts of an intent, how many were read as something else."""

    name: str
    hits: int
    n: int
    share: Estimate


# name, intent, head, labels that are the mistake
_HURTING = (
    ("criticism called hostile", "criticism", "hostility", ("uncivil", "threat")),
    ("thanks called negative", "thanks", "sentiment", ("negative",)),
    ("irony called positive", "irony", "sentiment", ("positive",)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was said of each of some texts: `forced` is the likeliest label, `said` may abstain.

    `shares` has a column a label, none for topics.
    """

    labels: tuple[str, ...]
    forced: Whole
    said: Whole
    confidence: Numbers
    shares: Numbers


def columns(manifest: Manifest, head: str) -> tuple[tuple[str, ...], list[int]]:
    """Return a head's labels and where they stand in the outputs."""
    places = manifest.places[head]
    return tuple(places), list(places.values())


def choice_found(manifest: Manifest, head: str, logits: Numbers) -> Found:
    """Return what a head that chooses says, a row of all outputs a text."""
    labels, at = columns(manifest, head)
    numbers = choice_of(manifest.calibration, head)
    shares = softmax(logits[:, at], numbers.temperature)
    rows = [dict(zip(labels, row, strict=True)) for row in shares.tolist()]
    if head == "sentiment":
        irony = _irony(manifest, logits)
        decided = [feeling(row, share, numbers) for row, share in zip(rows, irony, strict=True)]
    else:
        decided = [said(row, numbers) for row in rows]
    return Found(
        labels=labels,
        forced=shares.argmax(axis=1).astype(np.int64),
        said=_numbers(decided, labels),
        confidence=shares.max(axis=1),
        shares=shares,
    )


def _irony(manifest: Manifest, logits: Numbers) -> list[float]:
    labels, at = columns(manifest, "intent")
    shares = softmax(logits[:, at], manifest.calibration.intent.temperature)
    found: list[float] = shares[:, labels.index("irony")].tolist()
    return found


def score_found(manifest: Manifest, head: str, logits: Numbers) -> Numbers:
    """Return the probability a head of one gives each text."""
    numbers = score_of(manifest.calibration, head)
    return logistic(numbers.scale * logits[:, manifest.places[head][""]] + numbers.shift)


def choice_of(calibration: Calibration, head: str) -> Choice:
    """Return the numbers of a head that chooses."""
    found: Choice = getattr(calibration, head)
    return found


def score_of(calibration: Calibration, head: str) -> Score:
    """Return the numbers of a head of one probability."""
    found: Score = getattr(calibration, head)
    return found


def topics_found(main: Sequence[tuple[str, float]], gold: Sequence[str]) -> Found:
    """Return the same of main topics as (id, score), over all ids that occur."""
    labels = tuple(sorted({*gold, *(id for id, _ in main)}))
    forced = _numbers([id for id, _ in main], labels)
    scores = np.array([score for _, score in main], dtype=np.float64)
    none = np.empty((len(main), 0))
    return Found(labels=labels, forced=forced, said=forced, confidence=scores, shares=none)


def choice_figures(head: str, found: Found, gold: Sequence[str]) -> ChoiceFigures:
    """Return the figures of a head that chooses."""
    true = _numbers(gold, found.labels)
    right = (found.forced == true).astype(np.float64)
    decided = found.said != ABSTAINED
    table = metrics.confusion(true, found.said, len(found.labels))
    forced = metrics.confusion(true, found.forced, len(found.labels))
    return ChoiceFigures(
        head=head,
        n=len(true),
        labels=found.labels,
        accuracy=metrics.wilson(int(right.sum()), len(true)),
        macro_f1=metrics.bootstrap(metrics.macro_f1, true, found.forced),
        macro_f1_abstaining=metrics.bootstrap(metrics.macro_f1, true, found.said),
        undecided=metrics.wilson(int(np.sum(~decided)), len(true)),
        decided_accuracy=metrics.wilson(
            int(np.sum(found.said[decided] == true[decided])), int(np.sum(decided))
        ),
        classes=_classes(found.labels, forced),
        confusion=tuple(tuple(int(x) for x in row) for row in table),
        ece=metrics.bootstrap(metrics.ece, found.confidence, right),
        reliability=metrics.reliability(found.confidence, right),
        brier=metrics.brier(found.shares, true) if found.shares.size else None,
    )


def score_figures(head: str, scores: Numbers, gold: Whole, threshold: float | None) -> ScoreFigures:
    """Return the figures of a head of one probability; `gold` is 1 where it should call."""
    cut = EVEN if threshold is None else threshold
    called = (scores >= cut).astype(np.int64)
    table = metrics.confusion(gold, called, 2)[:, :2]
    (calm, alarms), (missed, hits) = table.tolist()
    return ScoreFigures(
        head=head,
        n=len(gold),
        positives=hits + missed,
        threshold=cut,
        accuracy=metrics.wilson(calm + hits, len(gold)),
        macro_f1=metrics.bootstrap(metrics.macro_f1, gold, called),
        auroc=metrics.bootstrap(metrics.auroc, gold, scores),
        recall_at_5=metrics.recall_at(gold, scores),
        recall=metrics.wilson(hits, hits + missed),
        precision=metrics.wilson(hits, hits + alarms),
        false_alarms=metrics.wilson(alarms, alarms + calm),
        confusion=tuple(tuple(int(x) for x in row) for row in table),
        ece=metrics.bootstrap(metrics.ece, scores, gold.astype(np.float64)),
        reliability=metrics.reliability(scores, gold.astype(np.float64)),
        brier=float(np.mean((scores - gold) ** 2)),
    )


def figures(
    manifest: Manifest, head: str, logits: Numbers, examples: Sequence[Example]
) -> ChoiceFigures | ScoreFigures:
    """Return the figures of any head but topics; `logits` has a row of all outputs an example."""
    gold = [each.labels[head] for each in examples]
    if head not in SCORES:
        return choice_figures(head, choice_found(manifest, head, logits), gold)
    true = np.array([label == YES for label in gold], dtype=np.int64)
    threshold = score_of(manifest.calibration, head).threshold
    return score_figures(head, score_found(manifest, head, logits), true, threshold)


def mistakes(
    manifest: Manifest, logits: Numbers, examples: Sequence[Example]
) -> tuple[Mistake, ...]:
    """Return the confusions that hurt, as veille says them, of the intents that are labelled."""
    found = []
    for name, intent, head, wrong in _HURTING:
        rows = [i for i, each in enumerate(examples) if each.labels.get("intent") == intent]
        if rows:
            labels, _ = columns(manifest, head)
            said_there = choice_found(manifest, head, logits[rows]).said
            hits = int(np.isin(said_there, [labels.index(label) for label in wrong]).sum())
            share = metrics.wilson(hits, len(rows))
            found.append(Mistake(name=name, hits=hits, n=len(rows), share=share))
    return tuple(found)


def _classes(labels: Sequence[str], table: Whole) -> tuple[PerClass, ...]:
    precision, recall, f1 = metrics.per_class(table)
    return tuple(
        PerClass(
            label=label,
            precision=float(precision[at]),
            recall=float(recall[at]),
            f1=float(f1[at]),
            support=int(table[at].sum()),
        )
        for at, label in enumerate(labels)
    )


def _numbers(names: Sequence[str], labels: Sequence[str]) -> Whole:
    at: Mapping[str, int] = {label: number for number, label in enumerate(labels)}
    return np.array([at.get(name, ABSTAINED) for name in names], dtype=np.int64)
