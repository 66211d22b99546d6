from __future__ import annotations

import numpy as np
import pytest

from training.conftest import sentence
from veille.domain.errors import ConfigError
from veille.training.calibrate import CALM, FITTED_ON, DevSet, calibration, measures
from veille.training.corpus import Row
from veille.training.labels import HEADS, OUTPUTS, SPANS, is_score
from veille.training.recipe import Abstain

ABSTAIN = {"sentiment": Abstain(coverage=0.9), "hostility": Abstain(precision=0.9)}


def _set(name: str, *, doubt: float = 1.5, count: int = 400) -> DevSet:
    """Return a set whose logits are right but noisy, four times too sure of themselves."""
    rng = np.random.default_rng(len(name))
    heads = [head for head, sets in FITTED_ON.items() if name in sets]
    rows, logits = [], rng.normal(0, doubt, (count, len(OUTPUTS)))
    for number in range(count):
        labels = {}
        for head in heads:
            if head == "crisis" and name in CALM:
                continue
            size = 2 if is_score(head) else len(HEADS[head])
            labels[head] = int(rng.integers(size))
            if is_score(head):
                logits[number, SPANS[head]] += 2 * labels[head] - 1
            else:
                logits[number, SPANS[head].start + labels[head]] += 3
        rows.append(Row(text=sentence(number), labels=labels, origin=name))
    return DevSet(name=name, rows=rows, logits=4 * logits)


@pytest.fixture
def sets() -> dict[str, DevSet]:
    return {name: _set(name) for name in {n for names in FITTED_ON.values() for n in names}}


def test_numbers_that_are_too_sure_are_cooled(sets) -> None:
    found = calibration(sets, ABSTAIN)
    assert found.intent.temperature > 2
    assert found.toxicity.scale < 0.5
    errors = {m.metric: m.value for m in measures(sets, found) if m.dataset == "voices"}
    assert errors["intent ECE"] < 0.1
    assert errors["urgency ECE"] < 0.1


def test_abstention_keeps_the_coverage_or_the_precision_asked_for(sets) -> None:
    found = calibration(sets, ABSTAIN)
    assert len(set(found.sentiment.least.values())) == 1
    assert set(found.hostility.least) == set(HEADS["hostility"])
    assert found.intent.least == {}
    assert "coverage of 0.9" in found.sentiment.origin


def test_opinion_tweets_count_as_no_crisis(sets) -> None:
    logits, gold = sets["umsab"].of("crisis")
    assert len(logits) == 400
    assert set(gold) == {0}


def test_the_urgent_threshold_has_the_false_alarms_asked_for(sets) -> None:
    found = calibration(sets, ABSTAIN).urgency
    calls, calm = 0, 0
    for name in FITTED_ON["urgency"]:
        logits, gold = sets[name].of("urgency")
        scores = 1 / (1 + np.exp(-(found.scale * logits[:, 0] + found.shift)))
        calls += int(np.sum(scores[gold == 0] >= found.threshold))
        calm += int(np.sum(gold == 0))
    assert calls / calm <= 0.05


def test_a_head_that_no_development_text_has_is_named(sets) -> None:
    empty = DevSet(name="toxifrench", rows=(), logits=np.zeros((0, len(OUTPUTS))))
    with pytest.raises(ConfigError, match="toxicity"):
        calibration({**sets, "toxifrench": empty}, ABSTAIN)
