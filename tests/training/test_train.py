from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from training.conftest import needs_torch, write_sentences
from veille.domain.errors import ConfigError, ModelError
from veille.nlp.load import load_encoder, read_manifest
from veille.nlp.settings import ModelSettings
from veille.training.publish import targets
from veille.training.train import Options, train

RECIPE = """
version = "9.9"
licence = "MIT"
[abstain]
sentiment = { coverage = 0.9 }
hostility = { precision = 0.8 }
[[step]]
kind = "run"
name = "r0"
lr = 1e-3
seed = 1
heads = ["sentiment", "crisis", "urgency"]
repeats = { ours = 3, umsab = 1, deft = 1, t26 = 8 }
[[step]]
kind = "probe"
name = "probe"
start = "r0"
heads = ["hostility", "target", "intent", "topic", "toxicity"]
[[step]]
kind = "run"
name = "r1"
start = "probe"
lr = 1e-3
seed = 2
repeats = { ours = 3, toxifrench = 1 }
[[step]]
kind = "soup"
name = "shipped"
of = ["probe", "r1"]
[[step]]
kind = "distil"
name = "small"
start = "shipped"
layers = [1]
lr = 1e-3
seed = 3
repeats = { ours = 1 }
"""
REFERENCE = "La rue est sale.\nAu secours, le feu monte !\n"

pytestmark = [needs_torch, pytest.mark.timeout(180)]


@pytest.fixture
def options(tmp_path, corpus, encoder) -> Callable[[str], Options]:
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "reference_fr.txt").write_text(REFERENCE, encoding="utf-8")

    def make(name: str) -> Options:
        return Options(
            recipe=tmp_path / "recipe.toml",
            corpus=corpus,
            work=tmp_path / name / "work",
            out=tmp_path / name / "out",
            hf=None,
            encoder=encoder,
            profile="default",
            seed=0,
            threads=1,
            may_resume=True,
            processor="the processor of the test",
        )

    return make


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_training_killed_and_resumed_publishes_the_same_bytes(
    options, listener, monkeypatch
) -> None:
    monkeypatch.setattr("veille.training.fit.CHECKPOINT_EVERY", 2)
    whole, killed = options("whole"), options("killed")
    train(whole, listener.talk())
    for stop in (("r0", 1), ("r1", 5), ("onnx voices", 256)):
        listener.stop_at = stop
        with pytest.raises(KeyboardInterrupt):
            train(killed, listener.talk())
        assert not (killed.out / "model.toml").exists()
    listener.stop_at = None
    train(killed, listener.talk())
    assert _files(whole.out) == _files(killed.out)


def test_the_folder_published_is_one_the_daemon_loads(options, listener) -> None:
    wanted = options("a")
    train(wanted, listener.talk())
    manifest, encoder = load_encoder(ModelSettings(directory=str(wanted.out)))
    try:
        (said,) = encoder.encode(["la rue est sale"])
    finally:
        encoder.close()
    assert len(said.logits) == len(manifest.labels) == 53
    assert manifest.version == "9.9"
    assert manifest.processor == "the processor of the test"
    assert {each.name for each in manifest.training} >= {"sentences", "crisislex_t26"}
    assert {m.metric for m in manifest.measured} >= {"sentiment macro-F1", "toxicity AUROC"}
    assert manifest.calibration.sentiment.least
    assert manifest.calibration.urgency.threshold is not None
    reference = (wanted.out / "reference.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["text"] for line in reference] == REFERENCE.splitlines()
    assert "| sentences |" in (wanted.out / "README.md").read_text(encoding="utf-8")


def test_a_second_time_nothing_is_made_again(options, listener) -> None:
    wanted = options("a")
    train(wanted, listener.talk())
    first = _files(wanted.out)
    listener.said.clear()
    train(wanted, listener.talk())
    assert [line for line in listener.said if line.endswith(": done")] == []
    assert _files(wanted.out) == first


def test_more_sentences_make_again_what_learnt_from_them(options, listener) -> None:
    wanted = options("a")
    train(wanted, listener.talk())
    write_sentences(wanted.corpus.sentences, 126)
    listener.said.clear()
    train(wanted, listener.talk())
    assert "r0: done" in listener.said
    assert read_manifest(wanted.out).training[-1].rows == 100


def test_a_folder_of_other_things_or_in_use_is_refused_before_anything_is_trained(
    options, listener, tmp_path
) -> None:
    wanted = options("a")
    with pytest.raises(ConfigError, match="other things"):
        train(replace(wanted, out=wanted.corpus.sentences), listener.talk())
    with pytest.raises(ConfigError, match="two folders"):
        train(replace(wanted, hf=wanted.out), listener.talk())
    with targets(wanted.out), pytest.raises(ConfigError, match="in use"):
        train(replace(wanted, work=tmp_path / "w2"), listener.talk())
    assert not wanted.work.exists()


def test_another_seed_gives_other_weights(options, listener) -> None:
    train(options("a"), listener.talk())
    train(replace(options("b"), seed=7), listener.talk())
    first, second = (_files(options(name).out)["model.onnx"] for name in "ab")
    assert first != second


def test_the_fast_profile_publishes_the_smaller_network(options, listener) -> None:
    wanted = replace(options("a"), profile="fast", hf=options("a").work.parent / "hf")
    train(wanted, listener.talk())
    config = json.loads((wanted.hf / "config.json").read_text(encoding="utf-8"))
    assert config["num_hidden_layers"] == 1
    train(replace(wanted, profile="default", hf=wanted.work.parent / "hf2"), listener.talk())
    config = json.loads((wanted.work.parent / "hf2" / "config.json").read_text(encoding="utf-8"))
    assert config["num_hidden_layers"] == 2


def test_the_directory_holds_encoder_heads_tokenizer_and_records(options, listener) -> None:
    from safetensors import safe_open
    from transformers import AutoModel

    wanted = replace(options("a"), out=None, hf=options("a").work.parent / "hf")
    train(wanted, listener.talk())
    manifest = read_manifest(wanted.hf)
    assert set(manifest.files) == {
        "config.json", "model.safetensors", "tokenizer.json", "veille_heads.safetensors",
        "reference.jsonl",
    }  # fmt: skip
    AutoModel.from_pretrained(wanted.hf, add_pooling_layer=False, local_files_only=True)
    with safe_open(wanted.hf / "veille_heads.safetensors", "pt") as heads:
        assert heads.get_tensor("weight").shape == (53, 16)
        assert heads.get_tensor("bias").shape == (53,)


def test_an_encoder_that_is_no_bert_is_refused_before_anything_is_trained(
    options, listener, tmp_path
) -> None:
    from transformers import CamembertConfig, CamembertModel

    folder = tmp_path / "camembert"
    config = CamembertConfig(
        vocab_size=80, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=70,
    )  # fmt: skip
    CamembertModel(config, add_pooling_layer=False).save_pretrained(folder)
    shutil.copy(tmp_path / "tiny" / "tokenizer.json", folder)
    wanted = replace(options("a"), encoder=folder)
    with pytest.raises(ModelError, match="--hf"):
        train(wanted, listener.talk())
    train(replace(wanted, out=None, hf=tmp_path / "hf"), listener.talk())
    assert read_manifest(tmp_path / "hf").name == "camembert"


def test_a_directory_without_encoder_says_so(options, listener, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"no config\.json"):
        train(replace(options("a"), encoder=tmp_path / "data"), listener.talk())
    (tmp_path / "tiny" / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match="tiny"):
        train(options("b"), listener.talk())
