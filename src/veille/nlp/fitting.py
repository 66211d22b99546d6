"""Calibration from labelled texts: temperatures, Platt's two numbers, thresholds. Numpy alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from veille.nlp.metrics import Numbers, Whole

COOLEST, HOTTEST = 0.05, 20.0
"""Bounds of a temperature: separable texts would have it go to 0, random ones to infinity."""
_STEPS = 100  # golden section: 0.618 ** 100 of the interval
_GOLDEN = (math.sqrt(5) - 1) / 2
_NEWTON_STEPS = 100
_SMALL = 1e-10  # a step below it changes no figure that is shown
_RIDGE = 1e-9  # keeps Newton's matrix invertible where all logits are equal


def softmax(logits: Numbers, temperature: float = 1.0) -> Numbers:
    """Return probabilities, a row a text, each row summing to 1."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: Numbers = powers / powers.sum(axis=1, keepdims=True)
    return shares


def logistic(x: Numbers) -> Numbers:
    """Return 1 / (1 + e^-x), without overflow for any x."""
    found: Numbers = np.exp(-np.logaddexp(0.0, -x))
    return found


def temperature(logits: Numbers, gold: Whole) -> float:
    """Return the temperature in [0.05, 20] with the least negative log-likelihood.

    Guo, Pleiss, Sun and Weinberger, ICML 2017, section 4.2. The loss is convex in 1/T, so one
    minimum is found by golden section; texts that any temperature calls right give 0.05.
    """
    rows = np.arange(len(gold))

    def loss(coolness: float) -> float:
        scaled = logits * coolness
        return float(np.mean(np.logaddexp.reduce(scaled, axis=1) - scaled[rows, gold]))

    return 1 / _least(loss, 1 / HOTTEST, 1 / COOLEST)


def platt(scores: Numbers, gold: Whole, *, balanced: bool = False) -> tuple[float, float]:
    """Return scale and shift: probability = logistic(scale * score + shift).

    Targets are smoothed: (P + 1) / (P + 2) and 1 / (N + 2) for P positives and N negatives, so
    that separable texts and few of them have a finite answer (Platt 1999, "Probabilistic outputs
    for support vector machines", section 2.2). `balanced`: both classes weigh the same. ValueError
    unless both occur.
    """
    positives = int(np.sum(gold == 1))
    negatives = len(gold) - positives
    if not positives or not negatives:
        raise ValueError("platt needs texts of both kinds")
    target = np.where(gold == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    weight = np.where(gold == 1, 1 / positives, 1 / negatives) if balanced else np.ones(len(gold))
    return _newton(scores, target, weight / weight.sum())


def least_probability(confidence: Numbers, is_right: Whole, *, precision: float) -> float | None:
    """Return the smallest probability from which on at least this share is right.

    None when no probability reaches it: then nothing should be said. Among texts of equal
    probability all count.
    """
    order = np.argsort(-confidence, kind="stable")
    shares = np.cumsum(is_right[order]) / np.arange(1, len(order) + 1)
    found = confidence[order]
    good = np.flatnonzero((shares >= precision - 1e-12) & _is_last_of_equals(found))
    return float(found[good[-1]]) if len(good) else None


def least_for_coverage(confidence: Numbers, *, coverage: float) -> float:
    """Return the largest probability that at least this share of texts reaches."""
    return float(np.sort(confidence)[::-1][max(0, math.ceil(coverage * len(confidence)) - 1)])


def threshold_for_recall(scores: Numbers, gold: Whole, *, recall: float) -> float:
    """Return the highest threshold that calls at least this share of the positives.

    Half-way to the next score below, so that a text a hair under the last one found is called
    too. ValueError without positives.
    """
    positives = np.sort(scores[gold == 1])[::-1]
    if not len(positives):
        raise ValueError("a threshold for recall needs positive texts")
    cut = positives[max(0, math.ceil(recall * len(positives) - 1e-9) - 1)]
    below = scores[scores < cut]
    return float((cut + below.max()) / 2) if len(below) else float(cut)


def threshold_for_false_alarms(scores: Numbers, gold: Whole, *, rate: float) -> float:
    """Return the lowest threshold that calls at most this share of the negatives.

    Half-way between the last negative not called and the next score above it. ValueError without
    negatives.
    """
    negatives = np.sort(scores[gold == 0])[::-1]
    if not len(negatives):
        raise ValueError("a threshold for false alarms needs negative texts")
    allowed = math.floor(rate * len(negatives) + 1e-9)
    if allowed >= len(negatives):
        return float(scores.min())
    limit = negatives[allowed]
    above = scores[scores > limit]
    return float((limit + above.min()) / 2) if len(above) else float(np.nextafter(limit, np.inf))


def _is_last_of_equals(descending: Numbers) -> Whole:
    return np.append(descending[1:] != descending[:-1], True).astype(np.int64)


def _least(loss: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one minimum has it, by golden section on a logarithmic scale."""
    a, b = math.log(low), math.log(high)
    c, d = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
    at_c, at_d = loss(math.exp(c)), loss(math.exp(d))
    for _ in range(_STEPS):
        if at_c < at_d:  # a tie goes to the colder side: of equal losses the larger 1/T
            b, d, at_d = d, c, at_c
            c = b - _GOLDEN * (b - a)
            at_c = loss(math.exp(c))
        else:
            a, c, at_c = c, d, at_d
            d = a + _GOLDEN * (b - a)
            at_d = loss(math.exp(d))
    return math.exp((a + b) / 2)


def _newton(x: Numbers, target: Numbers, weight: Numbers) -> tuple[float, float]:
    """Return scale and shift of the weighted logistic fit; the loss is convex.

    Newton with step halving (Lin, Lin and Weng, Machine Learning 68, 2007).
    """
    design = np.stack([x, np.ones_like(x)], axis=1)

    def loss(p: Numbers) -> float:
        z = design @ p
        return float(np.sum(weight * (np.logaddexp(0.0, z) - target * z)))

    found: Numbers = np.array([0.0, 0.0])
    for _ in range(_NEWTON_STEPS):
        share = logistic(design @ found)
        slope = design.T @ (weight * (share - target))
        curve = (design.T * (weight * share * (1 - share))) @ design + _RIDGE * np.eye(2)
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while loss(found - size * step) > loss(found) and size > _SMALL:
            size /= 2
        found = found - size * step
        if float(np.max(np.abs(size * step))) < _SMALL:
            break
    return float(found[0]), float(found[1])
