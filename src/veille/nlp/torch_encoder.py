"""Any local Hugging Face encoder, run by torch in fp32 (extra `torch`): nothing is fetched."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import msgspec

from veille.domain.errors import ModelError
from veille.nlp.encoder import Encoded, Encoder
from veille.nlp.manifest import Choice, Manifest

HEADS_FILE = "veille_heads.safetensors"
FAMILIES = ("bert", "camembert", "distilbert", "roberta", "xlm-roberta")
OFFSET = frozenset({"camembert", "roberta", "xlm-roberta"})
"""Families whose positions begin after the padding's: that many fewer tokens fit."""
MAX_LENGTH = 256
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
LIMITS = {
    "config.json": 2**20,
    "tokenizer.json": 2**26,  # XLM-R's 250,000 pieces take 17 MB
    HEADS_FILE: 2**24,
    **dict.fromkeys(WEIGHTS, 2**32),  # XLM-R large takes 2.2 GB
}
"""Every file that is read of a directory, and the bytes it may have."""
REFUSED_FILES = {
    "adapter_config.json": "an adapter on another network: merge it, then save",
    "model.safetensors.index.json": "weights in several files: save them in one",
    "pytorch_model.bin.index.json": "weights in several files: save them in one",
}
# These make the library fetch kernels, of a hub too, or read other files; what is asked for in
# the call does not undo `_attn_implementation` (transformers 5.23).
_REFUSED_KEY = re.compile(
    r"_implementation(_internal)?$|kernel|^quantization_config$|^transformers_weights$"
)
REMEDY = (
    "pip install torch==2.13.0 first and exact (a range may fetch CUDA), then pip install "
    "'veille[torch]', or remove models.encoder"
)
NOT_CALIBRATED = "not calibrated: the checkpoint's own probabilities"
# What published sentiment models call their labels.
MEANINGS = {
    "negative": ("negative", "neg", "négatif", "negatif"),
    "neutral": ("neutral", "neu", "neutre"),
    "positive": ("positive", "pos", "positif"),
}


class Config(msgspec.Struct, frozen=True):
    """What we read of config.json; the rest is the library's."""

    model_type: str
    architectures: tuple[str, ...] = ()
    auto_map: Any = None  # Any: only its presence is looked at
    id2label: dict[str, str] = {}
    max_position_embeddings: int = 512
    pad_token_id: int | None = None


class Run(Protocol):
    """Token ids, shape (n, tokens), to logits and pooled vectors."""

    def __call__(self, ids: Any) -> tuple[Any, Any]: ...  # Any: tensors


class TorchSession:
    """A network of torch behind the one call of an ONNX session."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def run(self, _outputs: None, feeds: dict[str, Any]) -> list[Any]:  # Any: arrays
        """Return logits and vectors; each row is run alone, so that no text changes another's."""
        import numpy as np
        import torch

        with torch.inference_mode():
            texts = zip(feeds["ids"], feeds["lengths"], strict=True)
            rows = [self._run(torch.from_numpy(row[None, :length])) for row, length in texts]
        return [np.concatenate([row[at].numpy() for row in rows]) for at in (0, 1)]


class WithSentiment(Encoder):
    """An encoder whose sentiment another network says; all else is its own."""

    def __init__(self, shipped: Encoder, other: Encoder, places: Sequence[int]) -> None:
        self._shipped = shipped
        self._other = other
        self._places = places
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="sentiment")  # it only waits

    def submit(self, texts: Sequence[str]) -> list[Future[Encoded]]:
        """Start on the texts and return at once; each future holds one text's result."""
        pairs = zip(self._shipped.submit(texts), self._other.submit(texts), strict=True)
        return [self._pool.submit(self._joined, *pair) for pair in pairs]

    def reach(self, text: str) -> int:
        """Return how many code points of the text the shipped encoder reads."""
        return self._shipped.reach(text)

    def close(self) -> None:
        """Stop all threads."""
        for part in (self._pool.shutdown, self._other.close, self._shipped.close):
            part()

    def _joined(self, shipped: Future[Encoded], other: Future[Encoded]) -> Encoded:
        found = shipped.result()
        logits = list(found.logits)
        for at, value in zip(self._places, other.result().logits, strict=True):
            logits[at] = value
        return dataclasses.replace(found, logits=tuple(logits))


def read_config(folder: Path) -> Config:
    """Return what `folder` holds. Raises ModelError when it is no encoder that can be served."""
    path = folder / "config.json"
    _check_files(folder)
    try:
        raw = path.read_bytes()
        config = msgspec.json.decode(raw, type=Config)
    except OSError as error:
        raise ModelError(
            f"{folder}: no readable config.json: models.encoder names a Hugging Face directory "
            "with config.json, model.safetensors and tokenizer.json"
        ) from error
    except msgspec.DecodeError as error:
        raise ModelError(f"{path}: {error}") from error
    if config.auto_map is not None:
        raise ModelError(f"{path} asks for code of its own (auto_map), which veille never runs")
    for name in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]):
        if _REFUSED_KEY.search(name):
            raise ModelError(f"{path} has {name}: save the network whole, in fp32, without it")
    if config.model_type not in FAMILIES:
        raise ModelError(
            f"{path}: an encoder of type {config.model_type!r} is not one veille can run: use "
            f"{', '.join(FAMILIES)}"
        )
    return config


def _check_files(folder: Path) -> None:
    """Raise ModelError for what is too large, lies elsewhere or makes the library look there."""
    for name, remedy in REFUSED_FILES.items():
        if (folder / name).exists():
            raise ModelError(f"{folder / name}: {remedy}")
    for name, limit in LIMITS.items():
        path = folder / name
        if not path.exists():
            continue
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ModelError(f"{path} is a link out of the folder: copy the files, cp -rL")
        if not path.is_file() or path.stat().st_size > limit:
            raise ModelError(f"{path} is no file of up to {limit:,} bytes")


def load_heads(folder: Path, manifest: Manifest, *, threads: int) -> Encoder:
    """Return the directory's encoder with our heads on it. Raises ModelError."""
    config = read_config(folder)
    require_torch()
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = _network("AutoModel", folder)
    try:
        heads = load_file(folder / HEADS_FILE)
        weight, bias = heads["weight"].float(), heads["bias"].float()
    except (OSError, KeyError, SafetensorError) as error:
        raise ModelError(f"{folder / HEADS_FILE} cannot be read: {error}") from error
    if tuple(weight.shape) != (len(manifest.labels), network.config.hidden_size):
        raise ModelError(
            f"{folder / HEADS_FILE} has shape {tuple(weight.shape)}, not "
            f"{len(manifest.labels)} outputs of {network.config.hidden_size}: train it again"
        )

    def run(ids: Any) -> tuple[Any, Any]:  # Any: tensors
        pooled = network(input_ids=ids).last_hidden_state.mean(1)
        return pooled @ weight.T + bias, pooled

    tokenizer = _tokenizer(folder, config, network, manifest.max_length)
    return Encoder(tokenizer, TorchSession(run), threads=threads)


def load_sentiment(
    folder: Path, labels: Sequence[str], shipped: tuple[Manifest, Encoder], *, threads: int
) -> tuple[Manifest, Encoder]:
    """Return the shipped model with its sentiment said by the directory's classifier.

    `labels`: what each output of the checkpoint means, where its names do not say so; a feeling
    may stand several times (five stars). Nothing calibrates it: it is never undecided. Raises
    ModelError.
    """
    config = read_config(folder)
    meanings = meanings_of(folder, config, labels)
    require_torch()
    manifest, encoder = shipped
    network = _network("AutoModelForSequenceClassification", folder)
    feelings = tuple(manifest.places["sentiment"])
    columns = [[at for at, said in enumerate(meanings) if said == name] for name in feelings]

    def run(ids: Any) -> tuple[Any, Any]:  # Any: tensors
        import torch

        logits = network(input_ids=ids).logits
        joined = torch.stack([logits[:, at].logsumexp(1) for at in columns], dim=1)
        return joined, joined  # no vector: nobody reads it

    tokenizer = _tokenizer(folder, config, network, MAX_LENGTH)
    other = Encoder(tokenizer, TorchSession(run), threads=threads)
    places = list(manifest.places["sentiment"].values())
    return _renamed(manifest, folder), WithSentiment(encoder, other, places)


def meanings_of(folder: Path, config: Config, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the feeling each output of a classifier stands for.

    Raises ModelError, with what to write, when they cannot be told or one is missing.
    """
    names = [config.id2label[key] for key in sorted(config.id2label, key=_number)]
    if not any("SequenceClassification" in name for name in config.architectures):
        raise ModelError(
            f"{folder}: an encoder without heads says nothing: train them with veille models train "
            f"--encoder {folder} --hf DIR, then write encoder = DIR"
        )
    known = {name: feeling for feeling, names in MEANINGS.items() for name in names}
    found = tuple(labels) or tuple(known.get(name.casefold(), "") for name in names)
    if len(found) != len(names):
        raise ModelError(
            f"models.encoder_labels has {len(found)} labels, {folder} has {len(names)} outputs: "
            f"{', '.join(names)}"
        )
    if "" in found:
        raise ModelError(
            f"{folder}: outputs named {', '.join(names)} say no feeling: write one for each, such "
            'as encoder_labels = ["negative", "neutral", "positive"]'
        )
    if missing := sorted(MEANINGS.keys() - set(found)):
        raise ModelError(f"{folder}: no output means {', '.join(missing)}: it cannot be served")
    return found


def require_torch() -> None:
    """Do nothing where torch is installed. Raises ModelError, with the command, elsewhere."""
    try:
        import safetensors  # noqa: F401
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"models.encoder needs {error.name}, which is not installed: {REMEDY}"
        ) from error
    torch.set_num_threads(1)  # texts run side by side, each on one core


def _network(kind: str, folder: Path) -> Any:  # Any: a network of torch
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        network, info = getattr(transformers, kind).from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
            use_safetensors=(folder / WEIGHTS[0]).is_file(),
            attn_implementation="sdpa",
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # the library raises its own kinds, and torch's, for broken files
        raise ModelError(f"{folder}: cannot be loaded: {error}") from error
    # what is missing would be drawn at random; of the pooler nothing is read
    missing = sorted(name for name in info["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise ModelError(f"{folder}: the weights lack {', '.join(missing[:3])}: save it again")
    return network.eval()


def _tokenizer(folder: Path, config: Config, network: Any, longest: int) -> Any:  # Any: untyped
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise ModelError(f"{path}: {error}: save the tokenizer in its fast form") from error
    if tokenizer.get_vocab_size() > network.config.vocab_size:
        raise ModelError(f"{path} has more pieces than the network: they are of different models")
    offset = 1 + (config.pad_token_id or 0) if config.model_type in OFFSET else 0
    tokenizer.no_padding()
    tokenizer.enable_truncation(min(longest, config.max_position_embeddings - offset))
    return tokenizer


def _renamed(manifest: Manifest, folder: Path) -> Manifest:
    """Return the manifest with a name and version of its own, and no numbers of another network."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    calibration = msgspec.structs.replace(
        manifest.calibration, sentiment=Choice(temperature=1.0, origin=NOT_CALIBRATED)
    )
    return msgspec.structs.replace(
        manifest,
        name=f"{manifest.name}+{folder.name}",
        version=f"{manifest.version}+{digest.hexdigest()[:8]}",
        calibration=calibration,
        measured=(),
    )


def _number(key: str) -> float:
    return int(key) if key.isdecimal() else math.inf
