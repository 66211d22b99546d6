"""Figures of a model as tables for people; no text is ever among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from veille.app.calibration import Calibrated
    from veille.app.evaluation import Evaluation
    from veille.nlp.calibration import Comparison
    from veille.nlp.evaluation import ChoiceFigures, ScoreFigures
    from veille.nlp.metrics import Bin, Estimate

_WIDE = 6
"""A matrix of more labels says what occurs instead: it would not fit in 80 columns."""


def lines(found: Evaluation) -> Iterator[str]:
    """Yield the lines `veille models evaluate` prints."""
    from veille.nlp.evaluation import ScoreFigures

    yield f"{found.model}, {found.n} texts"
    for why, count in found.left_out.items():
        yield f"left out: {count} ({why})"
    for head in found.heads:
        yield ""
        yield from _score(head) if isinstance(head, ScoreFigures) else _choice(head)
    if found.mistakes:
        yield ""
        yield "confusions that hurt"
        for each in found.mistakes:
            yield f"  {each.name:<24} {each.hits} of {each.n} = {estimate(each.share)}"
    speed = found.speed
    yield ""
    yield (
        f"speed, whole analysis of {speed.n} texts: {speed.texts_per_s:.0f} texts/s, "
        f"{speed.processor_ms_per_text:.1f} ms of processor time a text, {speed.threads} threads, "
        f"{speed.processor}"
    )
    yield "intervals: 95 %, bootstrap of 1,000 resamples, Wilson for shares"


def estimate(found: Estimate) -> str:
    """Return `0.812 [0.790, 0.834]`, or that it is not defined."""
    if found.value != found.value:  # NaN
        return "not defined: no such text"
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _choice(found: ChoiceFigures) -> Iterator[str]:
    yield f"{found.head}: {found.n} texts"
    brier = "" if found.brier is None else f"; Brier score {found.brier:.3f}"
    yield from _pairs(
        ("accuracy", estimate(found.accuracy)),
        ("macro-F1", f"{estimate(found.macro_f1)} of the likeliest label"),
        ("", f"{estimate(found.macro_f1_abstaining)} when undecided counts as wrong"),
        ("undecided", estimate(found.undecided)),
        ("decided, accuracy", estimate(found.decided_accuracy)),
        ("calibration error", estimate(found.ece) + brier),
    )
    width = max(len(label) for label in found.labels)
    yield f"  {'label':<{width}}  precision  recall     F1  texts   (likeliest label)"
    for each in found.classes:
        yield (
            f"  {each.label:<{width}}  {each.precision:9.3f}  {each.recall:6.3f}  {each.f1:5.3f}"
            f"  {each.support:5}"
        )
    yield from _table((*found.labels, "undecided"), found.labels, found.confusion)
    yield from _reliability(found.reliability)


def _score(found: ScoreFigures) -> Iterator[str]:
    yield f"{found.head}: {found.n} texts, {found.positives} of them yes"
    yield from _pairs(
        ("AUROC", estimate(found.auroc)),
        ("recall", f"{estimate(found.recall_at_5)} at 5 % false alarms on these texts"),
        ("", f"{estimate(found.recall)} from {found.threshold:.3f} on, as shipped"),
        ("false alarms", estimate(found.false_alarms)),
        ("precision", estimate(found.precision)),
        ("accuracy", estimate(found.accuracy)),
        ("macro-F1", estimate(found.macro_f1)),
        ("calibration error", f"{estimate(found.ece)}; Brier score {found.brier:.3f}"),
    )
    yield from _table(("no", "yes"), ("no", "yes"), found.confusion)
    yield from _reliability(found.reliability)


def _pairs(*pairs: tuple[str, str]) -> Iterator[str]:
    for name, value in pairs:
        yield f"  {name:<18} {value}"


def _table(
    said: Sequence[str], true: Sequence[str], table: Sequence[Sequence[int]]
) -> Iterator[str]:
    """Yield a confusion matrix, or of more than six labels each confusion that occurs."""
    if len(true) > _WIDE:
        yield from _confusions(said, true, table)
        return
    first, width = max(map(len, true)), max(map(len, said))
    yield "  confusion: true label by row, said by column"
    yield f"  {'':<{first}} " + " ".join(f"{name:>{width}}" for name in said)
    for label, row in zip(true, table, strict=True):
        yield f"  {label:<{first}} " + " ".join(f"{count:>{width}}" for count in row)


def _confusions(
    said: Sequence[str], true: Sequence[str], table: Sequence[Sequence[int]]
) -> Iterator[str]:
    """Yield what was called something else, the most frequent first, `undecided` last."""
    last = len(said) - 1
    wrong = [
        (at == last, -count, f"{label} → {said[at]}: {count}")
        for row, label in enumerate(true)
        for at, count in enumerate(table[row])
        if at != row and count
    ]
    yield "  confusion: true label → said: texts" if wrong else "  confusion: none"
    for _, _, line in sorted(wrong):
        yield f"  {line}"


def _reliability(bins: Sequence[Bin]) -> Iterator[str]:
    yield "  reliability: bins of equal size   said  observed  texts"
    for each in bins:
        yield f"  {'':<32} {each.confidence:5.3f}  {each.observed:8.3f}  {each.n:5}"


def calibrated(found: Calibrated) -> Iterator[str]:
    """Yield the lines `veille models calibrate` prints."""
    yield f"{found.model}, texts judged by people here"
    for each in found.outcomes:
        yield ""
        yield f"{each.head}: {each.n} judged, {each.confirmed} of them as the machine had said"
        if each.comparison is None:
            yield f"  {each.refused}"
            continue
        yield from _sides(each.comparison)
    yield ""
    yield (
        "after: on texts the fit had not seen (5 parts). People judge what is wrong more often than"
    )
    yield "what is right: confirm as you correct, else these figures are too dark."
    if found.file is None:
        yield "No calibration is surely better than the present one: nothing to write."


def _sides(found: Comparison) -> Iterator[str]:
    before, after = found.before, found.after
    yield f"  {'':<22} {'before':<24} after"
    pairs = [
        ("log-likelihood loss", before.nll, after.nll),
        ("calibration error", before.ece, after.ece),
        ("accuracy when decided", before.accuracy, after.accuracy),
        ("undecided", before.undecided, after.undecided),
        ("recall", before.recall, after.recall),
        ("false alarms", before.false_alarms, after.false_alarms),
    ]
    for name, old, new in pairs:
        if old is not None and new is not None:
            yield f"  {name:<22} {estimate(old):<24} {estimate(new)}"
    verdict = "surely better" if found.is_better else "not surely better: left as it is"
    yield f"  loss falls by {estimate(found.gain)}: {verdict}"
