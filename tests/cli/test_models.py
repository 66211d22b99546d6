"""`veille models evaluate` and `calibrate` as their users run them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from veille.app.calibration import write
from veille.app.evaluation import Evaluation, Speed, logits_of
from veille.app.parts import model_settings
from veille.cli.figures import lines
from veille.cli.root import root
from veille.config import load
from veille.domain.analysis import (
    FEELINGS,
    Analysis,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.errors import InputError, ModelError
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.nlp.encoder import Encoded
from veille.nlp.evaluation import ChoiceFigures
from veille.nlp.load import load_manifest
from veille.nlp.metrics import Estimate
from veille.nlp.recalibrated import CalibrationFile, Heads
from veille.nlp.settings import ModelSettings
from veille.store import corrections, mentions, work
from veille.store.engine import connect

pytestmark = pytest.mark.timeout(120)  # loads the model

NOW = datetime(2026, 1, 18, tzinfo=UTC)
ROWS = (
    ("Au secours, la cave se remplit et mon père est en bas", "neg", 1, "distress", "none"),
    ("Le portail du cimetière grince depuis un mois", "neg", 0, "complaint", "none"),
    ("Merci aux jardiniers, les massifs sont splendides", "pos", 0, "thanks", "none"),
    ("La médiathèque ferme à dix-huit heures", "neu", 0, "information", "none"),
    ("Ce budget oublie les écoles, un étalement serait plus juste", "neg", 0, "criticism", "none"),
    ("!!!", "neu", 0, "", ""),
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('[veille]\nname = "Saint-Aubin"\n[[watch]]\nid = "mairie"\n')
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.tsv"
    rows = ["text\tsentiment\turgent\tintent\thostility"]
    rows += ["\t".join(map(str, row)) for row in ROWS]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def veille(*args: object) -> Result:
    return CliRunner().invoke(root, ["models", *map(str, args)])


def test_evaluate_says_all_of_each_head_in_tables_and_in_json_and_no_text(data: Path) -> None:
    answer = veille("evaluate", "--data", data, "--json")
    assert answer.exit_code == 0, answer.output
    found = msgspec.json.decode(answer.output, type=dict[str, Any])
    assert (found["n"], found["left_out"]) == (5, {"neither letter nor emoji": 1})
    heads = {head["head"]: head for head in found["heads"]}
    assert list(heads) == ["sentiment", "urgency", "hostility", "intent"]
    assert heads["urgency"]["positives"] == 1
    assert sum(map(sum, heads["intent"]["confusion"])) == 5
    assert [each["n"] for each in found["mistakes"]] == [1, 1]
    assert not any(row[0] in answer.output for row in ROWS[:-1])


def test_tables_show_intervals_both_readings_of_undecided_and_what_is_not_defined() -> None:
    share = Estimate(value=0.5, low=0.25, high=0.75)
    none = Estimate(value=math.nan, low=math.nan, high=math.nan)
    same = dict.fromkeys(("accuracy", "macro_f1", "macro_f1_abstaining", "undecided", "ece"), share)
    head = ChoiceFigures(
        head="intent", n=2, labels=("thanks", "irony"), decided_accuracy=none, classes=(),
        confusion=((1, 0, 0), (0, 0, 1)), reliability=(), brier=None, **same,
    )  # fmt: skip
    speed = Speed(n=2, texts_per_s=9.0, processor_ms_per_text=8.0, threads=2, processor="x")
    said = "\n".join(
        lines(Evaluation(model="m", n=2, left_out={}, heads=(head,), mistakes=(), speed=speed))
    )
    assert "macro-F1           0.500 [0.250, 0.750] of the likeliest label" in said
    assert "0.500 [0.250, 0.750] when undecided counts as wrong" in said
    assert "decided, accuracy  not defined" in said
    assert "nan" not in said


def test_of_many_labels_only_the_confusions_that_occur_are_said_and_undecided_last() -> None:
    share = Estimate(value=0.5, low=0.25, high=0.75)
    labels = ("public_transport", "road_safety", "c", "d", "e", "f", "g")
    table = [[0] * 8 for _ in labels]
    table[0][0], table[0][1], table[1][0], table[2][7] = 9, 1, 3, 5
    same = ("accuracy", "macro_f1", "macro_f1_abstaining", "undecided", "decided_accuracy", "ece")
    head = ChoiceFigures(
        head="topic", n=18, labels=labels, classes=(), confusion=tuple(map(tuple, table)),
        reliability=(), brier=None, **dict.fromkeys(same, share),
    )  # fmt: skip
    speed = Speed(n=2, texts_per_s=9.0, processor_ms_per_text=8.0, threads=2, processor="x")
    found = Evaluation(model="m", n=18, left_out={}, heads=(head,), mistakes=(), speed=speed)
    said = list(lines(found))
    at = said.index("  confusion: true label → said: texts")
    assert said[at + 1 : at + 4] == [
        "  road_safety → public_transport: 3",
        "  public_transport → road_safety: 1",
        "  c → undecided: 5",
    ]
    assert max(len(line) for line in said[at:-3]) < 80


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text\tsentiment\nUn trou\tgris\n", 'line 2: "gris" is no sentiment'),
        ('{"text": "a", "label": 1}\n', "say --head urgency"),
    ],
)
def test_a_file_that_cannot_be_read_is_wrong_usage(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text(content)
    found = veille("evaluate", "--data", path)
    assert found.exit_code == 2
    assert message in found.output


def test_evaluate_of_a_folder_without_model_says_so(data: Path, tmp_path: Path) -> None:
    found = veille("evaluate", "--data", data, "--model", tmp_path / "none")
    assert found.exit_code == 1
    assert "no readable model.toml" in found.output


def judge(config: Path, count: int, *, distinct: int = 1_000) -> None:
    """Store texts the machine called neutral; people call them anything, a third of it neutral."""
    found = Analysis(
        lang="fr",
        sentiment=Sentiment(label=SentimentLabel.NEUTRAL, score=0.0, probabilities={}),
        crisis=0.0,
        urgency=Urgency(label=UrgencyLabel.NORMAL, score=0.0),
        analyzers={"sentiment": "m-1", "urgency": "m-1"},
    )
    db = connect(config.parent / "data" / "veille.db", is_durable=False)
    given = [
        MaskedMention(
            key=f"{number:032x}", source="s", watches=("mairie",), kind=MentionKind.POST,
            text=f"{ROWS[number % 5][0]}, rue numéro {number % distinct}",
            created_at=NOW, received_at=NOW,
            content_hash=str(number), identity=Identity(native_id=str(number)),
        )
        for number in range(count)
    ]  # fmt: skip
    mentions.add(db, mentions=given, tombstones=[], now=NOW)
    jobs = work.claim(db, limit=count, now=NOW, lease=timedelta(minutes=1))
    work.save(db, [(job, found) for job in jobs], now=NOW)
    for number, mention in enumerate(given):
        label = FEELINGS[number % 3].value
        corrections.add(db, mention.key, {"sentiment": label}, actor="Ana", at=NOW)
    db.close()


def test_calibrate_refuses_a_queue_nobody_judged(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.toml"
    found = veille("calibrate", "--config", config, "--out", out)
    assert found.exit_code == 1
    assert "0 of 100 judged texts" in found.output
    assert "nothing to write" in found.output
    assert not out.exists()


def test_a_calibration_is_written_where_asked_and_used_once_it_is_named(
    config: Path, tmp_path: Path
) -> None:
    judge(config, 120)
    out = tmp_path / "c.toml"
    found = veille("calibrate", "--config", config, "--out", out)
    assert found.exit_code == 0, found.output
    assert "sentiment: 120 judged, 40 of them as the machine had said" in found.output
    assert "surely better" in found.output
    assert "rue numéro" not in found.output
    before = load_manifest(model_settings(load(config)))
    config.write_text(config.read_text() + '[models]\ncalibration = "c.toml"\n')
    after = load_manifest(model_settings(load(config)))
    assert after.version.startswith(f"{before.version}+cal.")
    assert after.calibration.sentiment.temperature > before.calibration.sentiment.temperature
    assert after.calibration.intent == before.calibration.intent


def test_copies_of_a_text_are_one_judgement(config: Path, tmp_path: Path) -> None:
    judge(config, 120, distinct=30)
    found = veille("calibrate", "--config", config, "--out", tmp_path / "c.toml")
    assert found.exit_code == 1
    assert "30 of 100 judged texts" in found.output


def test_a_sentiment_another_classifier_says_is_not_calibrated(
    config: Path, tmp_path: Path
) -> None:
    judge(config, 120)
    (tmp_path / "other").mkdir()
    config.write_text(config.read_text() + '[models]\nencoder = "other"\n')
    out = tmp_path / "c.toml"
    found = veille("calibrate", "--config", config, "--out", out)
    assert found.exit_code == 1
    assert "[models] encoder says it" in found.output
    assert not out.exists()


def test_topics_of_the_towns_own_file_are_measured(config: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    topics = (
        "topics:\n- {id: 5g, name: Antennes, words: [antenne, 5g]}\n- {id: other, name: Autre}\n"
    )
    (rules / "topics.yml").write_text(topics)
    config.write_text(config.read_text() + f'[rules]\ndirectory = "{rules}"\n')
    data = tmp_path / "data.tsv"
    data.write_text("text\ttopic\nEncore une antenne sur le clocher\t5g\nBonjour\tother\n")
    found = veille("evaluate", "--data", data, "--config", config, "--json")
    assert found.exit_code == 0, found.output
    (head,) = msgspec.json.decode(found.output, type=dict[str, Any])["heads"]
    assert "5g" in head["labels"]
    assert head["accuracy"]["value"] == 1.0


def test_outputs_that_are_no_numbers_are_an_error_with_a_remedy() -> None:
    class Broken:
        manifest = load_manifest(ModelSettings())

        @property
        def encoder(self) -> Broken:
            return self

        def encode(self, texts: Sequence[str]) -> list[Encoded]:
            vector = np.zeros(384, dtype=np.float32)
            return [Encoded(logits=(0.0, math.nan), vector=vector) for _ in texts]

    with pytest.raises(ModelError, match="outputs that are no numbers"):
        logits_of(Broken(), ["Bonjour"], lambda _: None)  # type: ignore[arg-type]


def test_a_calibration_never_overwrites_a_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    file = CalibrationFile(model="m-1", made_at="2026", calibration=Heads())
    write(path, file)
    assert msgspec.toml.decode(path.read_bytes(), type=CalibrationFile) == file
    with pytest.raises(InputError, match="exists"):
        write(path, file)
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "none" / "c.toml", file)


def test_check_refuses_a_calibration_of_another_model(config: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('model = "x-1"\nmade_at = "2026"\n[calibration]\n')
    config.write_text(config.read_text() + '[models]\ncalibration = "c.toml"\n')
    found = CliRunner().invoke(root, ["check", "--config", str(config)])
    assert found.exit_code == 1
    assert "calibrates x-1, the model is veille-e5-fr-" in found.output
