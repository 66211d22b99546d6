"""The trained network: an encoder, the mean of its token vectors, one linear layer for all heads.

A Hugging Face directory holds it: `config.json`, `model.safetensors` and `tokenizer.json` are the
encoder's, `veille_heads.safetensors` (`weight`, `bias`) is ours.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veille.domain.errors import ModelError
from veille.nlp.torch_encoder import HEADS_FILE, WEIGHTS, read_config
from veille.training.labels import OUTPUTS

if TYPE_CHECKING:
    from torch import Tensor

MAX_LENGTH = 96  # tokens in training: 99 % of the sentences are shorter
BATCH = 32
REMEDY = (
    "training needs more than reading: pip install torch==2.13.0 first and exact (a range may "
    "fetch CUDA), then pip install 'veille[torch]'"
)
_LAYER = re.compile(r"^(encoder\.(?:encoder|transformer)\.layer\.)(\d+)(\..+)$")

State = dict[str, Any]  # Any: tensors; torch is not there when types are checked
Read = Callable[[Sequence[str]], NDArray[np.float64]]
"""Texts, as `for_encoder` leaves them, to logits: a row a text, a column an output."""


def require_torch() -> None:
    """Do nothing where all that training needs is installed. Raises ModelError, with the remedy."""
    try:
        import emoji  # noqa: F401
        import onnx  # noqa: F401
        import safetensors  # noqa: F401
        import sklearn  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
        import wordfreq  # noqa: F401
    except ImportError as error:
        raise ModelError(f"{error.name} is not installed: {REMEDY}") from error


class Network:
    """Maps token ids to the logits of all heads and the pooled vector."""

    def __init__(self, folder: Path, *, layers: int | None = None, dropout: float = 0.1) -> None:
        """Open the encoder of a Hugging Face directory, its heads drawn at random.

        `layers`: how many of its layers to have; None is all. Nothing is fetched, and no code of
        the directory runs. Raises ModelError when it holds no encoder that can be trained.
        """
        import torch
        from transformers import AutoConfig, AutoModel

        read_config(folder)  # refuses code of its own, adapters, files that lie elsewhere
        try:
            config = AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            # Inside the layers dropout costs 40 % of a CPU step: input and heads alone keep it.
            for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout",
                         "attention_dropout"):  # fmt: skip
                if hasattr(config, name):
                    setattr(config, name, 0.0)
            if layers is not None:
                config.num_hidden_layers = layers
            self.encoder = AutoModel.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                trust_remote_code=False,
                weights_only=True,
                use_safetensors=(folder / WEIGHTS[0]).is_file(),
                dtype=torch.float32,
                attn_implementation="eager",  # the fused CPU backward is slower
            )
        except (OSError, ValueError) as error:
            raise ModelError(f"{folder}: no encoder of Hugging Face's form: {error}") from error
        if hasattr(self.encoder, "pooler"):
            self.encoder.pooler = None  # the mean of the tokens is what is read
        self.encoder.embeddings.dropout.p = dropout
        self.dropout = torch.nn.Dropout(dropout)
        self.head = torch.nn.Linear(config.hidden_size, len(OUTPUTS))
        self.pad = 1 if config.pad_token_id is None else int(config.pad_token_id)

    def __call__(self, ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Return the logits and the pooled vectors of the texts of one batch."""
        import torch

        width = max(map(len, ids))
        padded = torch.tensor([[*row, *[self.pad] * (width - len(row))] for row in ids])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        hidden = self.encoder(input_ids=padded, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weight).sum(1) / weight.sum(1)
        return self.head(self.dropout(pooled)), pooled

    @property
    def layers(self) -> Any:  # Any: a ModuleList
        """The encoder's layers, lowest first."""
        inner = getattr(self.encoder, "encoder", None) or getattr(self.encoder, "transformer", None)
        if inner is None or not hasattr(inner, "layer"):
            kind = self.encoder.config.model_type
            raise ModelError(f"an encoder of type {kind!r} has no layers that veille can train")
        return inner.layer

    def train(self, *, is_on: bool) -> None:
        """Have dropout drawn, or not."""
        self.encoder.train(is_on)
        self.dropout.train(is_on)

    def parameters(self) -> list[Any]:  # Any: parameters
        """Return all weights."""
        return [*self.encoder.parameters(), *self.head.parameters()]

    def state(self) -> State:
        """Return the weights by name, not copied."""
        encoder = {f"encoder.{k}": v for k, v in self.encoder.state_dict().items()}
        return encoder | {f"head.{k}": v for k, v in self.head.state_dict().items()}

    def load(self, state: Mapping[str, Any]) -> None:  # Any: tensors
        """Take the weights. Raises ModelError when they are another network's."""
        parts: dict[str, State] = {"encoder": {}, "head": {}}
        for name, value in state.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        try:
            self.encoder.load_state_dict(parts["encoder"])
            self.head.load_state_dict(parts["head"])
        except RuntimeError as error:
            raise ModelError(f"these weights are of another network: {error}") from error


def thinned(state: Mapping[str, Any], layers: Sequence[int]) -> State:  # Any: tensors
    """Return the weights of a network that has only these layers, in this order."""
    found: State = {}
    for name, value in state.items():
        match = _LAYER.match(name)
        if match is None:
            found[name] = value
        elif int(match[2]) in layers:
            found[f"{match[1]}{layers.index(int(match[2]))}{match[3]}"] = value
    return found


def averaged(states: Sequence[State], shares: Sequence[float] = ()) -> State:
    """Return the mean of weights that began alike; `shares` say how much each counts."""
    weights = shares or [1 / len(states)] * len(states)
    return {
        name: sum(w * state[name] for w, state in zip(weights, states, strict=True))
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }


def tokenizer_of(folder: Path) -> Any:  # Any: tokenizers ships no types
    """Return the directory's tokenizer, cutting at MAX_LENGTH."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"{path} is missing: save the tokenizer in its fast form")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(MAX_LENGTH)
    tokenizer.no_padding()
    return tokenizer


def outputs_of(
    net: Network, ids: Sequence[Sequence[int]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return logits and pooled vectors in the order of `ids`, without dropout."""
    import torch

    net.train(is_on=False)
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    logits = np.zeros((len(ids), len(OUTPUTS)), np.float32)
    vectors = np.zeros((len(ids), net.head.in_features), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            chunk = order[start : start + BATCH]
            found = net([ids[i] for i in chunk])
            logits[chunk], vectors[chunk] = found[0].numpy(), found[1].numpy()
    return logits, vectors


def reader(net: Network, tokenizer: Any) -> Read:  # Any: untyped
    """Return the function from texts to the network's logits."""

    def read(texts: Sequence[str]) -> NDArray[np.float64]:
        ids = [item.ids for item in tokenizer.encode_batch(list(texts))]
        return outputs_of(net, ids)[0].astype(np.float64)

    return read


def save_directory(net: Network, tokenizer_from: Path, folder: Path) -> None:
    """Write the Hugging Face directory of the network."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    net.encoder.save_pretrained(folder)
    shutil.copyfile(tokenizer_from / "tokenizer.json", folder / "tokenizer.json")
    heads = {"weight": net.head.weight.detach(), "bias": net.head.bias.detach()}
    save_file(heads, folder / HEADS_FILE)
