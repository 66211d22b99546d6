"""Calibration turns any logits into probabilities, in the order of the logits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.analysis import SentimentLabel, UrgencyLabel
from veille.nlp.heads import crisis_of, sentiment_of, urgency_of
from veille.nlp.manifest import Calibration

CALIBRATION = Calibration(
    sentiment_temperature=0.5,
    crisis_scale=1.0,
    crisis_shift=0.0,
    urgency_scale=2.0,
    urgency_shift=-1.0,
    urgency_threshold=0.4,
    origin="test",
)
LOGITS = st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5)


@given(logits=LOGITS)
def test_scores_are_in_range_for_any_logits(logits: list[float]) -> None:
    sentiment = sentiment_of(logits, CALIBRATION)
    assert -1 <= sentiment.score <= 1
    assert sum(sentiment.probabilities.values()) == pytest.approx(1)
    assert sentiment.probabilities[sentiment.label] == max(sentiment.probabilities.values())
    assert 0 <= crisis_of(logits, CALIBRATION) <= 1
    assert 0 <= urgency_of(logits, CALIBRATION).score <= 1


def test_the_label_is_the_likeliest() -> None:
    assert sentiment_of([2, 0, -1, 0, 0], CALIBRATION).label is SentimentLabel.NEGATIVE
    assert sentiment_of([0, 2, -1, 0, 0], CALIBRATION).label is SentimentLabel.NEUTRAL
    assert sentiment_of([0, 0, 1, 0, 0], CALIBRATION).label is SentimentLabel.POSITIVE


def test_urgent_starts_at_the_models_threshold() -> None:
    assert urgency_of([0, 0, 0, 0, 0.5], CALIBRATION).label is UrgencyLabel.URGENT
    assert urgency_of([0, 0, 0, 0, 0.2], CALIBRATION).label is UrgencyLabel.NORMAL
