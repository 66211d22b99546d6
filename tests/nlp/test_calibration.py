"""Calibration on judged texts: honest before and after, refused when texts are too few."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from veille.domain.errors import ModelError
from veille.nlp import evaluation, fitting
from veille.nlp.calibration import Judgements, compare, why_not
from veille.nlp.labelled import Example
from veille.nlp.load import model_folder, read_manifest
from veille.nlp.manifest import Choice, Manifest, Score
from veille.nlp.recalibrated import CalibrationFile, identity, recalibrated
from veille.nlp.settings import ModelSettings

ORIGIN = "texts of this test"


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    """The shipped heads with numbers of this test's own."""
    shipped = read_manifest(model_folder(ModelSettings()))
    plain = {name: Choice(temperature=1.0, origin="test") for name in ("sentiment", "intent")}
    numbers = msgspec.structs.replace(
        shipped.calibration,
        **plain,
        urgency=Score(scale=1.0, shift=0.0, threshold=0.3, origin="test"),
    )
    return msgspec.structs.replace(shipped, version="1.0.0", calibration=numbers)


def judged(manifest: Manifest, n: int, *, temperature: float) -> Judgements:
    """Sentiments drawn with another temperature than the manifest's."""
    rng = np.random.default_rng(8)
    logits = rng.normal(size=(n, len(manifest.labels))) * 3
    shares = fitting.softmax(logits[:, list(manifest.places["sentiment"].values())], temperature)
    gold = np.array([rng.choice(3, p=row) for row in shares])
    confirmed = int(np.sum(shares.argmax(axis=1) == gold))
    return Judgements(head="sentiment", logits=logits, gold=gold, confirmed=confirmed)


def alarms(manifest: Manifest, n: int, *, shift: float) -> Judgements:
    rng = np.random.default_rng(9)
    logits = rng.normal(size=(n, len(manifest.labels))) * 2
    raw = logits[:, manifest.places["urgency"][""]]
    gold = (rng.random(n) < fitting.logistic(raw + shift)).astype(np.int64)
    return Judgements(head="urgency", logits=logits, gold=gold, confirmed=n // 2)


def test_an_overconfident_head_gets_warmer_and_surely_better(manifest: Manifest) -> None:
    found = compare(manifest, judged(manifest, 400, temperature=3.0), origin=ORIGIN)
    assert isinstance(found.numbers, Choice)
    assert 2 < found.numbers.temperature < 4.5
    assert found.is_better
    assert found.gain.low > 0
    assert found.after.ece.value < found.before.ece.value
    assert found.after.accuracy == found.before.accuracy  # a temperature changes no order


def test_a_head_that_is_right_already_is_left_alone(manifest: Manifest) -> None:
    found = compare(manifest, judged(manifest, 400, temperature=1.0), origin=ORIGIN)
    assert not found.is_better


def test_urgency_keeps_its_recall_on_the_texts_it_is_fitted_on(manifest: Manifest) -> None:
    texts = alarms(manifest, 600, shift=-2.0)
    found = compare(manifest, texts, origin=ORIGIN)
    assert isinstance(found.numbers, Score)
    assert found.numbers.shift == pytest.approx(-2.0, abs=0.5)
    assert found.is_better
    new = msgspec.structs.replace(
        manifest, calibration=msgspec.structs.replace(manifest.calibration, urgency=found.numbers)
    )
    urgent = texts.gold == 1
    was = evaluation.score_found(manifest, "urgency", texts.logits) >= 0.3
    now = evaluation.score_found(new, "urgency", texts.logits) >= (found.numbers.threshold or 1)
    assert np.sum(now & urgent) >= np.sum(was & urgent)


def test_after_is_measured_on_texts_the_fit_has_not_seen(manifest: Manifest) -> None:
    """Labels without any relation to the outputs: seen texts would look better, unseen cannot."""
    texts = alarms(manifest, 120, shift=0.0)
    noise = replace(texts, gold=np.random.default_rng(1).integers(0, 2, 120))
    found = compare(manifest, noise, origin=ORIGIN)
    assert found.after.nll.value > np.log(2) - 0.02  # no better than a coin


def test_too_few_or_one_sided_judgements_are_refused_with_the_reason() -> None:
    some = np.arange(100) % 3
    assert why_not("sentiment", some, 50) is None
    assert "99 of 100" in str(why_not("sentiment", some[:99], 50))
    assert "3 of 10 texts confirmed" in str(why_not("sentiment", some, 3))
    assert "0 of 10 texts not confirmed" in str(why_not("sentiment", some, 100))
    calm = (np.arange(120) < 19).astype(np.int64)
    assert "19 of 20 texts urgent" in str(why_not("urgency", calm, 60))
    assert "19 of 20 texts not urgent" in str(why_not("urgency", 1 - calm, 60))


FILE = """model = "{model}"
made_at = "2026-01-18T02:00:00+00:00"
[calibration.sentiment]
temperature = {temperature}
origin = "120 texts"
least = {{ negative = 0.5 }}
[calibration.urgency]
scale = {scale}
shift = -0.2
threshold = 0.25
origin = "120 texts"
"""


def written(manifest: Manifest, **changes: object) -> bytes:
    values = {"model": identity(manifest), "temperature": 1.7, "scale": 1.1, **changes}
    return FILE.format(**values).encode()


def test_a_file_replaces_its_heads_and_is_seen_in_the_version(manifest: Manifest) -> None:
    raw = written(manifest)
    found = recalibrated(manifest, raw, name="a.toml")
    assert found.calibration.sentiment.temperature == 1.7
    assert found.calibration.urgency.threshold == 0.25
    assert found.calibration.intent == manifest.calibration.intent
    assert found.version.startswith("1.0.0+cal.")
    assert identity(found) == identity(manifest)
    other = recalibrated(manifest, written(manifest, temperature=1.8), name="a.toml")
    assert other.version != found.version
    # on top of another one it replaces that, as at the next start
    assert recalibrated(found, raw, name="a.toml").version == found.version
    assert msgspec.toml.decode(raw, type=CalibrationFile).calibration.hostility is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "veille-e5-fr-0.1.0"}, "calibrates veille-e5-fr-0.1.0, the model is"),
        ({"temperature": 0.0}, r"temperature 0 is no .*calibration\.sentiment"),
        ({"temperature": "nan"}, r"temperature nan is no .*calibration\.sentiment"),
        ({"scale": -1.0}, "calibration.urgency: scale must be above 0"),
        ({"temperature": '"warm"'}, "make it again"),
    ],
)
def test_numbers_no_fit_gives_are_refused(
    manifest: Manifest, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        recalibrated(manifest, written(manifest, **changes), name="a.toml")


def test_the_confusions_that_hurt_are_counted_as_said(manifest: Manifest) -> None:
    sentiment = manifest.places["sentiment"]
    logits = np.zeros((3, len(manifest.labels)))
    logits[0, sentiment["positive"]] = logits[1, sentiment["negative"]] = 9.0
    logits[2, sentiment["negative"]] = 9.0
    rows = [Example(text="x", labels={"intent": i}) for i in ("irony", "irony", "thanks")]
    found = {each.name: (each.hits, each.n) for each in evaluation.mistakes(manifest, logits, rows)}
    assert found == {"irony called positive": (1, 2), "thanks called negative": (1, 1)}


def test_figures_of_a_choice_state_both_readings_of_undecided(manifest: Manifest) -> None:
    head = msgspec.structs.replace(
        manifest.calibration.sentiment, least=dict.fromkeys(("negative", "positive"), 0.9)
    )
    numbers = msgspec.structs.replace(manifest.calibration, sentiment=head)
    careful = msgspec.structs.replace(manifest, calibration=numbers)
    logits = np.zeros((4, len(manifest.labels)))
    at = manifest.places["sentiment"]
    logits[[0, 1], at["negative"]] = (5.0, 1.0)  # sure, and unsure
    logits[[2, 3], at["positive"]] = (5.0, 5.0)
    gold = ("negative", "negative", "positive", "negative")
    rows = [Example(text="x", labels={"sentiment": label}) for label in gold]
    found = evaluation.figures(careful, "sentiment", logits, rows)
    assert isinstance(found, evaluation.ChoiceFigures)
    assert found.accuracy.value == 0.75
    assert found.undecided.value == 0.25
    assert found.decided_accuracy.value == pytest.approx(2 / 3)
    assert found.macro_f1_abstaining.value < found.macro_f1.value
    assert found.confusion[found.labels.index("negative")] == (1, 0, 1, 1)
