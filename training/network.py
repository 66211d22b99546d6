"""The trained network: a BertModel, mean pooling over tokens, one linear layer for all heads."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertModel

from rebuild import config_of

MAX_LENGTH = 96
# Columns of the head's output.
SENTIMENT, CRISIS, URGENT, OUTPUTS = slice(0, 3), 3, 4, 5


class Network(nn.Module):
    """Map token ids to (logits of all heads, pooled vector)."""

    def __init__(self, header: dict[str, int], *, dropout: float = 0.1) -> None:
        super().__init__()
        config = config_of(header, header["rows"])
        config._attn_implementation = "eager"  # noqa: SLF001  the fused CPU backward is slower
        # Inside the layers dropout costs 40 % of a CPU step: only the input and the head keep it.
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
        self.encoder = BertModel(config, add_pooling_layer=False)
        self.encoder.embeddings.dropout.p = dropout
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(header["hidden"], OUTPUTS)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weight).sum(1) / weight.sum(1)
        return self.head(self.dropout(pooled)), pooled


def fresh(work: Path) -> Network:
    """Return the network with e5's encoder and a random head."""
    saved = torch.load(work / "trimmed.pt")
    network = Network(saved["header"])
    missing, unexpected = network.encoder.load_state_dict(saved["state"], strict=False)
    if unexpected or set(missing) - {"embeddings.position_ids"}:
        warnings.warn(f"{missing} {unexpected}", stacklevel=1)
        raise SystemExit("the rebuilt weights do not fit the network")
    return network


def load(work: Path, run: Path) -> Network:
    network = fresh(work)
    network.load_state_dict(torch.load(run))
    return network


def tokenizer_of(work: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_LENGTH)
    return tokenizer


def collate(ids: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Return padded ids and their mask."""
    width = max(map(len, ids))
    padded = torch.tensor([row + [1] * (width - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
    return padded, mask
