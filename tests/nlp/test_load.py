"""A model that is not exactly the recorded one is refused, and says why."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from veille.domain.errors import ModelError
from veille.nlp.load import load_encoder, model_folder, read_manifest
from veille.nlp.settings import ModelSettings

NAME = "veille-e5-fr"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(model_folder(ModelSettings()), tmp_path / NAME)
    return tmp_path


def load_from(directory: Path) -> None:
    load_encoder(ModelSettings(directory=str(directory), threads=1))


def test_nothing_is_kept_at_home_to_be_sent_to_the_maker_of_the_runtime(tmp_path: Path) -> None:
    code = "from pathlib import Path; from veille.nlp.load import _session; _session(b'', Path())"
    env = {k: v for k, v in os.environ.items() if k not in {"ORT_DISABLE_TELEMETRY", "CI"}}
    env |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=False)
    assert b"model.onnx cannot be run" in run.stderr  # the runtime began
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "reference.jsonl"])
def test_one_changed_byte_is_refused(copied: Path, name: str) -> None:
    path = copied / NAME / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=f"{name} has SHA-256"):
        load_from(copied)


def test_a_missing_file_is_refused(copied: Path) -> None:
    (copied / NAME / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"model\.onnx is missing"):
        load_from(copied)


def test_a_missing_folder_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"\[models\] directory"):
        load_from(tmp_path)


def test_a_profile_whose_model_is_not_there_names_the_folder(tmp_path: Path) -> None:
    settings = ModelSettings(directory=str(tmp_path), profile="fast")
    with pytest.raises(ModelError, match=r"veille-e5-fr-fast: no readable model\.toml"):
        load_encoder(settings)


@pytest.mark.parametrize("content", ["name = ", 'name = "x"\n', "\xff", 'unknown = 1\nname = "x"'])
def test_a_malformed_manifest_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "model.toml").write_bytes(content.encode("latin-1"))
    with pytest.raises(ModelError, match=r"model\.toml"):
        load_from(tmp_path)


def test_a_manifest_without_weights_is_refused(copied: Path) -> None:
    path = copied / NAME / "model.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if "model.onnx" not in line]
    path.write_text("\n".join(kept), encoding="utf-8")
    with pytest.raises(ModelError, match=r"does not list model\.onnx"):
        load_from(copied)


def test_the_model_permits_redistribution() -> None:
    manifest = read_manifest(model_folder(ModelSettings()))
    assert manifest.licence == "MIT"
    assert all("NC" not in item.licence and item.licence for item in manifest.training)
    assert all(item.n > 0 and item.low <= item.value <= item.high for item in manifest.measured)


@pytest.mark.parametrize("value", [{"threads": 0}, {"profile": "huge"}, {"thread": 2}])
def test_a_wrong_setting_is_an_error(value: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(value, ModelSettings)


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ('"target:group", ', "", r'labels of target .*"group";'),
        ('"target:group"', '"target:groups"', r'labels of target .*"group", "groups"'),
        ('"hostility:threat"', '"hostility:uncivil"', "two outputs named hostility:uncivil"),
        ('"crisis"', '"crisis:high"', "labels of crisis"),
        ("[calibration.intent]\ntemperature = ", "[calibration.intent]\ntemperature = 0", None),
        ("[calibration.intent]\ntemperature = ", "[calibration.intent]\ntemperature = -", None),
        ("[calibration.urgency]\nscale = ", "[calibration.urgency]\nscale = inf # ", None),
    ],
)
def test_a_manifest_the_heads_cannot_be_read_by_is_refused_at_load(
    tmp_path: Path, written: str, instead: str, said: str | None
) -> None:
    text = (model_folder(ModelSettings()) / "model.toml").read_text(encoding="utf-8")
    assert written in text
    if instead.endswith("= 0"):
        instead += " # "
    (tmp_path / "model.toml").write_text(text.replace(written, instead, 1), encoding="utf-8")
    with pytest.raises(ModelError, match=said or r"calibration\.(intent|urgency)"):
        _ = read_manifest(tmp_path).places
