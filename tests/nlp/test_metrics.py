"""Figures against values worked out by hand, and against scikit-learn where it is installed."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.nlp import metrics
from veille.nlp.metrics import ABSTAINED

GOLD = np.array([0, 0, 0, 1, 1, 2])
SAID = np.array([0, 0, 1, 1, 2, 2])


def test_confusion_counts_true_by_row_and_puts_abstentions_last() -> None:
    table = metrics.confusion(GOLD, np.array([0, ABSTAINED, 1, 1, 2, 2]), 3)
    assert table.tolist() == [[1, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 0]]


def test_macro_f1_is_the_mean_over_true_labels() -> None:
    # F1: 2*2/(3+2) = 0.8, 2*1/(2+2) = 0.5, 2*1/(1+2) = 2/3
    assert metrics.macro_f1(GOLD, SAID) == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    # a label nobody has does not count as one with F1 0
    assert metrics.macro_f1(np.array([0, 0]), np.array([0, 3])) == pytest.approx(2 / 3)


def test_an_abstention_costs_recall_and_no_precision() -> None:
    precision, recall, _ = metrics.per_class(
        metrics.confusion(np.array([0, 0, 1]), np.array([0, ABSTAINED, 1]), 2)
    )
    assert precision.tolist() == [1.0, 1.0]
    assert recall.tolist() == [0.5, 1.0]
    # the same as calling it the other label in recall, better in precision
    abstained = metrics.macro_f1(np.array([0, 0, 1]), np.array([0, ABSTAINED, 1]))
    assert abstained > metrics.macro_f1(np.array([0, 0, 1]), np.array([0, 1, 1]))


def test_auroc_counts_ties_half() -> None:
    gold = np.array([1, 1, 0, 0])
    # pairs: 0.9 above both; 0.5 above 0.1 and level with 0.5 -> 3.5 of 4
    assert metrics.auroc(gold, np.array([0.9, 0.5, 0.5, 0.1])) == 3.5 / 4
    assert math.isnan(metrics.auroc(np.array([1, 1]), np.array([0.1, 0.2])))


def test_recall_at_a_false_alarm_rate_takes_equal_scores_together() -> None:
    gold = np.array([1] * 4 + [0] * 20)
    calm = np.linspace(0.0, 0.19, 20)
    all_four = metrics.recall_at(gold, np.append([0.9, 0.8, 0.7, 0.185], calm))  # one alarm
    assert all_four == metrics.wilson(4, 4)
    assert metrics.recall_at(gold, np.append([0.9, 0.8, 0.7, 0.18], calm)) == metrics.wilson(3, 4)
    assert math.isnan(metrics.recall_at(np.array([0, 0]), np.array([0.1, 0.2])).value)


def test_a_recall_of_all_of_few_texts_is_not_said_to_be_certain() -> None:
    gold = np.array([1] * 20 + [0] * 20)
    found = metrics.recall_at(gold, gold.astype(np.float64))
    assert found.value == found.high == 1
    assert found.low < 0.85


def test_ece_is_the_gap_of_probability_and_frequency_over_equal_bins() -> None:
    confidence = np.repeat([0.6, 0.8], 50)
    happened = np.concatenate([np.tile([1, 0], 25), np.ones(50)])  # 0.5 and 1.0
    assert metrics.ece(confidence, happened) == pytest.approx((0.1 + 0.2) / 2, abs=0.02)
    sure = np.ones(40)
    assert metrics.ece(sure, sure) == 0.0
    assert metrics.ece(sure, np.zeros(40)) == 1.0


def test_reliability_bins_differ_by_one_text_at_most() -> None:
    rng = np.random.default_rng(3)
    bins = metrics.reliability(rng.random(104), np.ones(104))
    assert sum(b.n for b in bins) == 104
    assert {b.n for b in bins} == {10, 11}
    assert [b.confidence for b in bins] == sorted(b.confidence for b in bins)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=60), st.randoms())
def test_the_order_of_the_texts_changes_no_figure_of_calibration(
    pairs: list[tuple[int, bool]], chance: random.Random
) -> None:
    """Probabilities of one decimal are often equal; a file may be sorted by its labels."""

    def figures(rows: list[tuple[int, bool]]) -> tuple[object, object]:
        confidence = np.array([tenths / 5 for tenths, _ in rows])
        happened = np.array([float(so) for _, so in rows])
        return metrics.ece(confidence, happened), metrics.reliability(confidence, happened)

    shuffled = chance.sample(pairs, len(pairs))
    assert figures(sorted(pairs, key=lambda pair: pair[1])) == figures(shuffled)


def test_texts_of_one_probability_that_is_right_on_the_whole_are_calibrated() -> None:
    assert metrics.ece(np.full(100, 0.8), np.repeat([1.0, 0.0], [80, 20])) == pytest.approx(0)


def test_brier_and_nll_by_hand() -> None:
    shares = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    gold = np.array([0, 1])
    first, second = 0.09 + 0.04 + 0.01, 0.01 + 0.81 + 0.64
    assert metrics.brier(shares, gold) == pytest.approx((first + second) / 2)
    assert metrics.nll(shares, gold) == pytest.approx(-(math.log(0.7) + math.log(0.1)) / 2)
    assert math.isfinite(metrics.nll(np.array([[1.0, 0.0]]), np.array([1])))


def test_wilson_interval_of_published_examples() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81/263 and 0/20
    found = metrics.wilson(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    assert (metrics.wilson(0, 20).low, round(metrics.wilson(0, 20).high, 4)) == (0.0, 0.1611)
    assert math.isnan(metrics.wilson(0, 0).value)


def test_bootstrap_is_the_same_each_time_and_holds_its_value() -> None:
    gold, said = np.tile(GOLD, 20), np.tile(SAID, 20)
    found = metrics.bootstrap(metrics.macro_f1, gold, said)
    assert found == metrics.bootstrap(metrics.macro_f1, gold, said)
    assert found.low < found.value < found.high
    assert math.isnan(metrics.bootstrap(metrics.macro_f1, GOLD[:0], SAID[:0]).value)


def test_an_interval_holds_its_value_even_where_resamples_all_lie_above_it() -> None:
    # half of the texts at 0.5 happened: every resample is calibrated worse than the whole
    confidence, happened = np.full(20, 0.5), np.tile([0.0, 1.0], 10)
    found = metrics.bootstrap(metrics.ece, confidence, happened)
    assert found.value == 0
    assert found.low == 0 < found.high


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 3)), min_size=1, max_size=60))
def test_f1_stays_between_0_and_1_and_is_1_only_when_all_is_right(
    pairs: list[tuple[int, int]],
) -> None:
    gold, said = (np.array(column) for column in zip(*pairs, strict=True))
    found = metrics.macro_f1(gold, said)
    assert 0 <= found <= 1
    assert (found == 1) == bool(np.all(gold == said))


def test_scikit_learn_says_the_same() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in extra torch")
    rng = np.random.default_rng(5)
    gold, said, score = rng.integers(0, 4, 300), rng.integers(0, 4, 300), rng.random(300)
    assert metrics.macro_f1(gold, said) == pytest.approx(
        sklearn.f1_score(gold, said, average="macro")
    )
    binary = (gold > 1).astype(np.int64)
    assert metrics.auroc(binary, score) == pytest.approx(sklearn.roc_auc_score(binary, score))
