"""Calibration is found again where it is known, and stays finite where texts are separable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.nlp import fitting


def drawn(shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.array([rng.choice(len(row), p=row) for row in shares])


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_the_labels_were_drawn_with_is_found(true: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(4_000, 4)) * 3
    gold = drawn(fitting.softmax(logits, true), rng)
    assert fitting.temperature(logits, gold) == pytest.approx(true, rel=0.08)


def test_a_temperature_is_bounded_where_no_text_bounds_it() -> None:
    logits = np.eye(3) * 5
    assert fitting.temperature(logits, np.array([0, 1, 2])) == pytest.approx(0.05, rel=1e-3)
    assert fitting.temperature(logits, np.array([1, 2, 0])) == pytest.approx(20.0, rel=1e-3)


@pytest.mark.parametrize(("scale", "shift"), [(0.7, -1.0), (2.0, 0.5)])
def test_platts_numbers_are_found_again(scale: float, shift: float) -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=20_000) * 2
    gold = (rng.random(20_000) < fitting.logistic(scale * scores + shift)).astype(np.int64)
    assert fitting.platt(scores, gold) == pytest.approx((scale, shift), abs=0.12)


def test_balanced_classes_move_the_shift_by_the_odds_of_the_mixture() -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(size=20_000)
    gold = (rng.random(20_000) < fitting.logistic(scores - 2)).astype(np.int64)
    odds = np.log((len(gold) - gold.sum()) / gold.sum())
    plain, even = fitting.platt(scores, gold), fitting.platt(scores, gold, balanced=True)
    assert even[1] - plain[1] == pytest.approx(odds, abs=0.1)


def test_separable_texts_have_platts_smoothed_answer() -> None:
    # one text of each kind, targets 2/3 and 1/3: logistic(scale) = 2/3, so scale = ln 2
    assert fitting.platt(np.array([-1.0, 1.0]), np.array([0, 1])) == pytest.approx(
        (np.log(2), 0.0), abs=1e-9
    )
    with pytest.raises(ValueError, match="both kinds"):
        fitting.platt(np.array([1.0, 2.0]), np.array([1, 1]))


def test_logits_far_out_or_all_equal_give_finite_numbers() -> None:
    for scores in ([1e4, -1e4, 3.0], [1.0, 1.0, 1.0]):
        assert np.all(np.isfinite(fitting.platt(np.array(scores), np.array([0, 1, 1]))))
    assert fitting.logistic(np.array([-1e6, 1e6])).tolist() == [0.0, 1.0]


def test_the_least_probability_keeps_the_precision_wanted() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.array([1, 1, 0, 1, 0])
    assert fitting.least_probability(confidence, right, precision=1.0) == 0.8
    assert fitting.least_probability(confidence, right, precision=0.75) == 0.6
    assert fitting.least_probability(confidence, 1 - right, precision=0.9) is None
    # equal probabilities are said together, or not at all
    level = np.array([0.9, 0.9])
    assert fitting.least_probability(level, np.array([1, 0]), precision=1.0) is None
    assert fitting.least_for_coverage(confidence, coverage=0.6) == 0.7


@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=2, max_size=40).filter(
        lambda rows: len({flag for _, flag in rows}) == 2
    ),
    st.sampled_from([0.5, 0.9, 1.0]),
    st.sampled_from([0.0, 0.05, 0.3]),
)
def test_thresholds_keep_what_they_promise(
    rows: list[tuple[int, bool]], recall: float, rate: float
) -> None:
    scores = np.array([value / 30 for value, _ in rows])
    gold = np.array([int(flag) for _, flag in rows])
    cut = fitting.threshold_for_recall(scores, gold, recall=recall)
    assert np.mean(scores[gold == 1] >= cut) >= recall - 1e-9
    cut = fitting.threshold_for_false_alarms(scores, gold, rate=rate)
    assert np.mean(scores[gold == 0] >= cut) <= rate + 1e-9
