"""Figures of classifiers, each with what says how sure it is. Pure functions of arrays."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]
Metric = Callable[..., float]

RESAMPLES = 1_000
SEED = 20261122
BINS = 10
FALSE_ALARMS = 0.05
ABSTAINED = -1
"""As a label that was said: none. It is right of no text, and a false alarm of none."""
_Z95 = 1.959963984540054  # 97.5th percentile of the normal distribution


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and its 95 % interval; NaN where it is not defined, for instance of no text."""

    value: float
    low: float
    high: float


class PerClass(msgspec.Struct, frozen=True, kw_only=True):
    """One label: `support` texts have it; what is undefined (never said, never true) is 0."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """One bin of a reliability table: mean probability, and the share that was so."""

    n: int
    confidence: float
    observed: float


def confusion(gold: Whole, said: Whole, count: int) -> Whole:
    """Return how often each of `count` labels (row) was called each (column).

    The last column counts what was not called anything.
    """
    columns = np.where(said == ABSTAINED, count, said)
    flat = np.bincount(gold * (count + 1) + columns, minlength=count * (count + 1))
    return flat.reshape(count, count + 1).astype(np.int64)


def per_class(table: Whole) -> tuple[Numbers, Numbers, Numbers]:
    """Return precision, recall and F1 of each label of a confusion matrix."""
    hits = np.diagonal(table).astype(np.float64)
    said = table[:, : len(table)].sum(axis=0)
    true = table.sum(axis=1)
    return (
        hits / np.maximum(said, 1),
        hits / np.maximum(true, 1),
        2 * hits / np.maximum(said + true, 1),
    )


def macro_f1(gold: Whole, said: Whole) -> float:
    """Return the mean of F1 over the labels that some text truly has.

    F1 = 2 TP / (2 TP + FP + FN) (van Rijsbergen, Information Retrieval, 1979, chapter 7). An
    abstention is a miss of the true label: it lowers recall and no label's precision.
    """
    if not len(gold):
        return math.nan
    table = confusion(gold, said, int(max(gold.max(), said.max())) + 1)
    return float(per_class(table)[2][table.sum(axis=1) > 0].mean())


def accuracy(gold: Whole, said: Whole) -> float:
    """Return the share that is right; an abstention is not."""
    return float(np.mean(gold == said)) if len(gold) else math.nan


def auroc(gold: Whole, score: Numbers) -> float:
    """Return the chance that a positive scores above a negative, ties counting half.

    From ranks: Mann and Whitney, Annals of Mathematical Statistics 18 (1947). NaN without both.
    """
    values, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    positives = int(np.sum(gold == 1))
    negatives = len(gold) - positives
    if not len(values) or not positives or not negatives:
        return math.nan
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    above = float(np.sum(ranks[gold == 1])) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def recall_at(gold: Whole, score: Numbers, *, false_alarms: float = FALSE_ALARMS) -> Estimate:
    """Return the largest recall of a threshold that calls at most this share of negatives.

    A threshold calls what reaches it; texts of equal score are called together. The interval is
    Wilson's: it takes the threshold as given.
    """
    positives, negatives = score[gold == 1], np.sort(score[gold == 0])[::-1]
    allowed = math.floor(false_alarms * len(negatives) + 1e-9)
    bar = negatives[allowed] if allowed < len(negatives) else -math.inf
    return wilson(int(np.sum(positives > bar)), len(positives))


def brier(shares: Numbers, gold: Whole) -> float:
    """Return the mean over texts of the squared error of all labels' probabilities, 0 to 2.

    Brier, Monthly Weather Review 78 (1950). `shares` has a row a text and a column a label.
    """
    return float(np.mean(np.sum((shares - np.eye(shares.shape[1])[gold]) ** 2, axis=1)))


def nll(shares: Numbers, gold: Whole) -> float:
    """Return the mean negative logarithm of the true label's probability, in nats."""
    true = shares[np.arange(len(gold)), gold]
    return float(-np.mean(np.log(np.maximum(true, np.finfo(np.float64).tiny))))


def reliability(confidence: Numbers, happened: Numbers, *, bins: int = BINS) -> tuple[Bin, ...]:
    """Return bins of as equal size as can be, least confident first.

    Equal probabilities are alike wherever a bin ends: each counts as their mean outcome.
    """
    order, happened = np.argsort(confidence, kind="stable"), _levelled(confidence, happened)
    return tuple(
        Bin(
            n=len(part),
            confidence=float(np.mean(confidence[part])),
            observed=float(np.mean(happened[part])),
        )
        for part in np.array_split(order, bins)
        if len(part)
    )


def ece(confidence: Numbers, happened: Numbers) -> float:
    """Return the mean gap of probability and frequency over 10 bins of equal mass.

    Naeini, Cooper and Hauskrecht, AAAI 2015, with the bins of Nguyen and O'Connor, EMNLP 2015.
    It is never 0 of few texts: a perfect model that is right of 85 % has about 0.09 on 100 texts
    and 0.03 on 1,000 (mean absolute error of a share of 10 and of 100). The order of the texts
    does not matter: equal probabilities each count as their mean outcome.
    """
    if not len(confidence):
        return math.nan
    order = np.argsort(confidence, kind="stable")
    gaps = (confidence - _levelled(confidence, happened))[order]
    return float(sum(abs(part.sum()) for part in np.array_split(gaps, BINS)) / len(gaps))


def _levelled(confidence: Numbers, happened: Numbers) -> Numbers:
    """Return for each text the mean outcome of those with its probability."""
    _, group, size = np.unique(confidence, return_inverse=True, return_counts=True)
    means: Numbers = np.bincount(group, weights=happened, minlength=len(size)) / size
    return means[group]


def bootstrap(
    metric: Metric, *columns: NDArray[np.generic], resamples: int = RESAMPLES
) -> Estimate:
    """Return the metric, and the 2.5th and 97.5th percentiles of it over resampled texts.

    Efron, Annals of Statistics 7 (1979), percentile method, fixed seed. Resamples on which the
    metric is not defined are left out. An end never passes the figure itself, as resamples of a
    calibration error would on few texts: all of them are calibrated worse than the whole.
    """
    size = len(columns[0])
    if not size:
        return Estimate(value=math.nan, low=math.nan, high=math.nan)
    rng = np.random.default_rng(SEED)
    picks = (rng.integers(0, size, size) for _ in range(resamples))
    found = np.array([metric(*(column[pick] for column in columns)) for pick in picks])
    found = found[~np.isnan(found)]
    low, high = np.percentile(found, [2.5, 97.5]) if len(found) else (math.nan, math.nan)
    value = metric(*columns)
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))


def wilson(hits: int, n: int) -> Estimate:
    """Return the share with its score interval (Wilson, JASA 22, 1927), right for few texts too."""
    if not n:
        return Estimate(value=math.nan, low=math.nan, high=math.nan)
    share, z2 = hits / n, _Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return Estimate(value=share, low=max(0.0, middle - half), high=min(1.0, middle + half))
