"""From logits to calibrated findings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from veille.domain.analysis import Sentiment, SentimentLabel, Urgency, UrgencyLabel
from veille.nlp.manifest import Calibration

LABELS = (SentimentLabel.NEGATIVE, SentimentLabel.NEUTRAL, SentimentLabel.POSITIVE)
CRISIS, URGENT = 3, 4  # places in the logits, after the three of sentiment
# What a text without letter or emoji says.
NO_SENTIMENT = Sentiment(
    label=SentimentLabel.NEUTRAL,
    score=0.0,
    probabilities={label.value: float(label is SentimentLabel.NEUTRAL) for label in LABELS},
)
NO_URGENCY = Urgency(label=UrgencyLabel.NORMAL, score=0.0)


def softmax(logits: Sequence[float]) -> list[float]:
    """Return probabilities that sum to 1."""
    top = max(logits)
    powers = [math.exp(x - top) for x in logits]
    total = math.fsum(powers)
    return [p / total for p in powers]


def logistic(x: float) -> float:
    """Return 1 / (1 + e^-x), without overflow for any x."""
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    power = math.exp(x)
    return power / (1 + power)


def sentiment_of(logits: Sequence[float], calibration: Calibration) -> Sentiment:
    """Return the sentiment; `score` is p(positive) - p(negative)."""
    cooled = [x / calibration.sentiment_temperature for x in logits[: len(LABELS)]]
    shares = softmax(cooled)
    best = max(range(len(LABELS)), key=shares.__getitem__)
    return Sentiment(
        label=LABELS[best],
        score=shares[2] - shares[0],
        probabilities={label.value: p for label, p in zip(LABELS, shares, strict=True)},
    )


def crisis_of(logits: Sequence[float], calibration: Calibration) -> float:
    """Return the probability that the text informs about an emergency or disaster."""
    return logistic(calibration.crisis_scale * logits[CRISIS] + calibration.crisis_shift)


def urgency_of(logits: Sequence[float], calibration: Calibration) -> Urgency:
    """Return the urgency; the label's threshold favours recall and is the model's own."""
    score = logistic(calibration.urgency_scale * logits[URGENT] + calibration.urgency_shift)
    urgent = score >= calibration.urgency_threshold
    return Urgency(label=UrgencyLabel.URGENT if urgent else UrgencyLabel.NORMAL, score=score)
