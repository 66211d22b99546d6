"""Calibration turns any logits into probabilities, in the order of the logits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.analysis import (
    FEELINGS,
    HostilityLabel,
    IntentLabel,
    SentimentLabel,
    Target,
    UrgencyLabel,
)
from veille.domain.errors import ModelError
from veille.nlp.heads import Heads, logistic
from veille.nlp.manifest import CHOICES, SCORES, Calibration, Choice, Manifest, Score

INTENTS = [label for label in IntentLabel if label is not IntentLabel.UNDECIDED]
LABELS = (
    *(f"sentiment:{label}" for label in FEELINGS),
    "crisis",
    "urgency",
    *(f"hostility:{label}" for label in ("none", "uncivil", "threat")),
    *(f"target:{label}" for label in ("none", *Target)),
    *(f"intent:{label}" for label in INTENTS),
    "topic:flood",
    "topic:other",
    "toxicity",
)
LOGITS = st.lists(st.floats(-1e6, 1e6), min_size=len(LABELS), max_size=len(LABELS))


def manifest(labels: tuple[str, ...] = LABELS, **least: float) -> Manifest:
    """Return a manifest whose sentiment needs `least`; urgency is said from 0.4 on."""
    choices = {name: Choice(temperature=0.5, origin="test") for name in CHOICES}
    choices["sentiment"] = Choice(temperature=0.5, least=least, origin="test")
    scores = {name: Score(scale=2.0, shift=-1.0, threshold=0.4, origin="test") for name in SCORES}
    return Manifest(
        name="test",
        version="0",
        licence="MIT",
        labels=labels,
        max_length=8,
        processor="none",
        files={},
        calibration=Calibration(**choices, **scores),
        training=(),
    )


HEADS = Heads(manifest())


def logits(**values: float) -> list[float]:
    """Return logits of 0 but for those named `head__label`."""
    given = {name.replace("__", ":"): value for name, value in values.items()}
    assert given.keys() <= set(LABELS)
    return [given.get(name, 0.0) for name in LABELS]


@given(found=LOGITS)
def test_scores_are_in_range_for_any_logits(found: list[float]) -> None:
    sentiment, hostility = HEADS.sentiment(found), HEADS.hostility(found)
    assert -1 <= sentiment.score <= 1
    assert sum(sentiment.probabilities.values()) == pytest.approx(1)
    if sentiment.label is not SentimentLabel.UNDECIDED:
        best = max(sentiment.probabilities.values())
        assert sentiment.probabilities[sentiment.label] == best
    assert 0 <= hostility.score <= 1
    assert (hostility.target is None) == (hostility.label is HostilityLabel.NONE)
    assert 1 / len(INTENTS) <= HEADS.intent(found).score + 1e-9 <= 1 + 1e-9
    assert all(0 <= HEADS.score(name, found) <= 1 for name in SCORES)
    assert sum(HEADS.shares("topic", found).values()) == pytest.approx(1)


@pytest.mark.parametrize("label", FEELINGS)
def test_the_label_is_the_likeliest(label: SentimentLabel) -> None:
    assert HEADS.sentiment(logits(**{f"sentiment__{label}": 2.0})).label is label


@pytest.mark.parametrize("label", INTENTS)
def test_each_intent_can_be_said(label: IntentLabel) -> None:
    assert HEADS.intent(logits(**{f"intent__{label}": 3.0})).label is label


def test_a_label_that_is_not_likely_enough_is_undecided() -> None:
    found = logits(sentiment__positive=1.0)
    sure = HEADS.sentiment(found).probabilities["positive"]
    assert 0.5 < sure < 0.9
    strict = Heads(manifest(positive=0.9)).sentiment(found)
    assert strict.label is SentimentLabel.UNDECIDED
    assert strict.probabilities == HEADS.sentiment(found).probabilities
    assert Heads(manifest(negative=0.9)).sentiment(found).label is SentimentLabel.POSITIVE


def test_praise_that_may_be_irony_is_undecided_and_a_reproach_is_not() -> None:
    ironic = {"intent__irony": 3.0}
    praise = HEADS.sentiment(logits(sentiment__positive=2.0, **ironic))
    assert praise.label is SentimentLabel.UNDECIDED
    assert praise.probabilities == HEADS.sentiment(logits(sentiment__positive=2.0)).probabilities
    reproach = HEADS.sentiment(logits(sentiment__negative=2.0, **ironic))
    assert reproach.label is SentimentLabel.NEGATIVE
    plain = HEADS.sentiment(logits(sentiment__positive=2.0, intent__thanks=3.0))
    assert plain.label is SentimentLabel.POSITIVE


def test_hostility_is_whatever_is_not_none_and_names_the_likeliest_target() -> None:
    found = HEADS.hostility(
        logits(hostility__threat=2.0, target__none=9.0, target__staff=2.0, target__policy=1.0)
    )
    assert (found.label, found.target) == (HostilityLabel.THREAT, Target.STAFF)
    assert found.score > 0.9
    calm = HEADS.hostility(logits(hostility__none=3.0, target__staff=2.0))
    assert (calm.label, calm.target) == (HostilityLabel.NONE, None)


def test_urgent_starts_at_the_models_threshold() -> None:
    assert HEADS.urgency(logits(urgency=0.4)).label is UrgencyLabel.URGENT
    assert HEADS.urgency(logits(urgency=0.2)).label is UrgencyLabel.NORMAL


def test_outputs_are_found_by_name_in_any_order() -> None:
    turned = Heads(manifest(LABELS[::-1]))
    found = logits(sentiment__negative=2.0, crisis=1.0, intent__thanks=2.0)
    assert turned.sentiment(found[::-1]) == HEADS.sentiment(found)
    assert turned.score("crisis", found[::-1]) == HEADS.score("crisis", found)
    assert turned.intent(found[::-1]) == HEADS.intent(found)


def test_a_network_without_a_head_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="no output for intent"):
        Heads(manifest(tuple(name for name in LABELS if not name.startswith("intent:"))))


@given(x=st.floats(-1e308, 1e308))
def test_the_logistic_function_takes_any_number(x: float) -> None:
    assert 0 <= logistic(x) <= 1
    assert logistic(x) + logistic(-x) == pytest.approx(1)
