"""A local Hugging Face directory serves as encoder or is refused with what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from veille.domain.errors import ModelError
from veille.nlp import torch_encoder
from veille.nlp.encoder import Encoder
from veille.nlp.load import load_encoder, model_folder, read_references
from veille.nlp.manifest import Manifest
from veille.nlp.settings import ModelSettings
from veille.nlp.torch_encoder import meanings_of, read_config

TEXTS = ["l'eau monte", "merci beaucoup", "ok", "où est la mairie ? " * 40]
THREE = {"0": "Negative", "1": "neutre", "2": "pos"}


def write_config(folder: Path, **fields: object) -> Path:
    values = {"model_type": "bert", "architectures": ["BertForSequenceClassification"], **fields}
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"auto_map": {"AutoModel": "evil.Model"}}, "never runs"),
        ({"model_type": "gpt2"}, "not one veille can run"),
        ({"model_type": 7}, "model_type"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config"),
        ({"transformers_weights": "../other.bin"}, "transformers_weights"),
        ({"attn_implementation": "someone/kernel"}, "attn_implementation"),
        ({"_attn_implementation": "someone/kernel"}, "_attn_implementation"),
        ({"_attn_implementation_internal": "someone/kernel"}, "_attn_implementation_internal"),
        ({"kernel_config": {}}, "kernel_config"),
    ],
)
def test_what_cannot_be_run_is_refused(
    tmp_path: Path, fields: dict[str, object], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        read_config(write_config(tmp_path, **fields))


@pytest.mark.parametrize("name", ["adapter_config.json", "model.safetensors.index.json"])
def test_a_file_that_makes_the_library_read_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    (write_config(tmp_path) / name).write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match=name):
        read_config(tmp_path)


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "avis"
    folder.mkdir()
    (write_config(folder) / "real").write_bytes(b"x")
    (folder / "tokenizer.json").symlink_to(folder / "real")
    assert read_config(folder).model_type == "bert"
    (tmp_path / "weights").write_bytes(b"x")
    (folder / "model.safetensors").symlink_to(tmp_path / "weights")
    with pytest.raises(ModelError, match="link out of the folder"):
        read_config(folder)


def test_files_too_large_to_be_read_are_refused_by_their_size(tmp_path: Path) -> None:
    with (write_config(tmp_path) / "model.safetensors").open("wb") as file:
        file.truncate(2**32 + 1)  # sparse: nothing is written
    with pytest.raises(ModelError, match="up to 4,294,967,296 bytes"):
        read_config(tmp_path)


def test_a_folder_that_is_no_directory_of_that_form_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"models\.encoder"):
        load_encoder(ModelSettings(encoder=str(tmp_path / "absent")))


@pytest.mark.parametrize(
    ("id2label", "labels", "said"),
    [
        (THREE, (), None),
        (
            {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"},
            ("negative", "neutral", "positive"),
            None,
        ),
        ({"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}, (), "encoder_labels = "),
        ({"0": "neg", "1": "pos"}, (), "no output means neutral"),
        (THREE, ("negative",), "has 1 labels"),
        ({}, (), "no output means"),
    ],
)
def test_the_outputs_of_a_classifier_are_understood_or_asked_about(
    tmp_path: Path, id2label: dict[str, str], labels: tuple[str, ...], said: str | None
) -> None:
    config = read_config(write_config(tmp_path, id2label=id2label))
    if said is None:
        assert meanings_of(tmp_path, config, labels) == ("negative", "neutral", "positive")
    else:
        with pytest.raises(ModelError, match=said):
            meanings_of(tmp_path, config, labels)


def test_an_encoder_without_heads_names_the_command_that_makes_them(tmp_path: Path) -> None:
    config = read_config(write_config(tmp_path, architectures=["BertModel"]))
    with pytest.raises(ModelError, match="veille models train --encoder"):
        meanings_of(tmp_path, config, ())


def test_without_torch_the_extra_and_the_command_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    write_config(tmp_path, id2label=THREE)
    with pytest.raises(ModelError, match=r"pip install torch==2\.13\.0 first"):
        load_encoder(ModelSettings(encoder=str(tmp_path)))


# What follows runs where the extra `torch` is installed.


@pytest.fixture(scope="module")
def torch() -> Any:
    pytest.importorskip("transformers", reason="the torch runtime was NOT checked: no transformers")
    return pytest.importorskip("torch", reason="the torch runtime was NOT checked: no torch")


def tiny(transformers: Any, **fields: object) -> Any:
    return transformers.BertConfig(
        vocab_size=40_000,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        **fields,
    )


def complete(folder: Path) -> Path:
    shutil.copy(model_folder(ModelSettings()) / "tokenizer.json", folder / "tokenizer.json")
    return folder


@pytest.fixture
def classifier(torch: Any, tmp_path: Path) -> Path:
    import transformers

    torch.manual_seed(1)
    names = {at: name for at, name in enumerate(THREE.values())}
    network = transformers.BertForSequenceClassification(tiny(transformers, id2label=names))
    network.save_pretrained(tmp_path / "avis")
    return complete(tmp_path / "avis")


@pytest.fixture
def headed(torch: Any, tmp_path: Path) -> Path:
    """A directory as `veille models train` leaves it: an encoder with our heads."""
    import transformers
    from safetensors.torch import save_file

    torch.manual_seed(2)
    folder = tmp_path / "notre"
    transformers.BertModel(tiny(transformers), add_pooling_layer=False).save_pretrained(folder)
    heads = {"weight": torch.randn(53, 16), "bias": torch.randn(53)}
    save_file(heads, folder / torch_encoder.HEADS_FILE)
    lines = (model_folder(ModelSettings()) / "model.toml").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(('"model.onnx"', '"reference.jsonl"'))]
    (folder / "model.toml").write_text("\n".join(kept), encoding="utf-8")
    return complete(folder)


@pytest.fixture
def opened() -> Iterator[list[Encoder]]:
    encoders: list[Encoder] = []
    yield encoders
    for encoder in encoders:
        encoder.close()


def load(opened: list[Encoder], folder: Path, **fields: Any) -> tuple[Manifest, Encoder]:
    manifest, encoder = load_encoder(ModelSettings(encoder=str(folder), **fields))
    opened.append(encoder)
    return manifest, encoder


def test_an_encoder_with_our_heads_replaces_the_shipped_one(
    headed: Path, opened: list[Encoder]
) -> None:
    manifest, encoder = load(opened, headed)
    found = encoder.encode(TEXTS)
    assert [len(each.logits) for each in found] == [len(manifest.labels)] * len(TEXTS)
    assert found[0].vector.shape == (16,)
    assert found[0].logits != found[1].logits
    assert encoder.reach(TEXTS[-1]) < len(TEXTS[-1])  # 64 positions
    assert read_references(ModelSettings(encoder=str(headed)), manifest) == []


def test_a_text_has_the_same_scores_whatever_its_neighbours(
    headed: Path, opened: list[Encoder]
) -> None:
    _, encoder = load(opened, headed)
    together = [each.logits for each in encoder.encode(TEXTS * 5)]
    assert together == [encoder.encode([text])[0].logits for text in TEXTS] * 5


def test_a_classifier_says_the_sentiment_and_the_shipped_model_the_rest(
    classifier: Path, opened: list[Encoder]
) -> None:
    shipped, plain = load_encoder(ModelSettings())
    opened.append(plain)
    manifest, encoder = load(opened, classifier)
    ours, theirs = plain.encode(TEXTS), encoder.encode(TEXTS)
    assert all(a.logits[:3] != b.logits[:3] for a, b in zip(ours, theirs, strict=True))
    assert all(a.logits[3:] == b.logits[3:] for a, b in zip(ours, theirs, strict=True))
    assert manifest.name == f"{shipped.name}+avis"
    assert manifest.version.startswith(f"{shipped.version}+")
    assert manifest.calibration.sentiment.least == {}
    assert manifest.calibration.urgency == shipped.calibration.urgency


def test_stars_that_mean_the_same_are_added_up(classifier: Path, opened: list[Encoder]) -> None:
    with pytest.raises(ModelError, match="no output means positive"):
        load(opened, classifier, encoder_labels=("negative", "negative", "neutral"))
    _, encoder = load(opened, classifier, encoder_labels=("positive", "neutral", "negative"))
    _, named = load(opened, classifier)
    (swapped,), (plain,) = encoder.encode(TEXTS[:1]), named.encode(TEXTS[:1])
    assert swapped.logits[:3] == pytest.approx(plain.logits[2::-1])


def test_weights_that_lack_a_layer_are_refused(classifier: Path, opened: list[Encoder]) -> None:
    path = classifier / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "num_hidden_layers": 3}), encoding="utf-8")
    with pytest.raises(ModelError, match="the weights lack"):
        load(opened, classifier)


def test_broken_weights_and_tokenizers_are_refused(headed: Path, opened: list[Encoder]) -> None:
    (headed / torch_encoder.HEADS_FILE).write_bytes(b"\x08\0\0\0\0\0\0\0garbage!")
    with pytest.raises(ModelError, match=r"veille_heads\.safetensors cannot be read"):
        load(opened, headed)
    (headed / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(opened, headed)
