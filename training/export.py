"""Export trained weights to ONNX and quantise them to int8.

Attention is written out by hand: one text a run needs no mask, and the exporter meets no traced
mask code. Weights are int8 per channel, activations int8 with a scale taken at each run; the
FFN-down products of the layers in FRAGILE stay fp32, since their inputs hold the outliers that
int8 loses (nlp.md, section 6).
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

import network

FRAGILE = (0, 1, 4)
OPSET = 17


class PlainAttention(nn.Module):
    """A BERT layer without mask or dropout, sharing the trained layer's weights."""

    def __init__(self, layer: nn.Module, heads: int) -> None:
        super().__init__()
        attention = layer.attention
        self.q, self.k, self.v = (getattr(attention.self, n) for n in ("query", "key", "value"))
        self.out, self.norm1 = attention.output.dense, attention.output.LayerNorm
        self.up, self.down = layer.intermediate.dense, layer.output.dense
        self.norm2 = layer.output.LayerNorm
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-1] // self.heads
        q, k, v = (
            part(x).reshape(1, -1, self.heads, size).transpose(1, 2)
            for part in (self.q, self.k, self.v)
        )
        weight = (q @ k.transpose(2, 3) / math.sqrt(size)).softmax(-1)
        mixed = (weight @ v).transpose(1, 2).reshape(1, -1, self.heads * size)
        x = self.norm1(x + self.out(mixed))
        return self.norm2(x + self.down(nn.functional.gelu(self.up(x))))


class Exported(nn.Module):
    """Ids of one text, shape (1, n), to logits (1, 5) and pooled vector (1, 384)."""

    def __init__(self, net: network.Network) -> None:
        super().__init__()
        config = net.encoder.config
        self.embeddings = net.encoder.embeddings
        layers = net.encoder.encoder.layer
        self.layers = nn.ModuleList(PlainAttention(x, config.num_attention_heads) for x in layers)
        self.head = net.head

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        tables = self.embeddings
        places = torch.arange(ids.shape[1])
        kind = tables.token_type_embeddings.weight[0]
        x = tables.word_embeddings(ids) + tables.position_embeddings(places) + kind
        x = tables.LayerNorm(x)
        for layer in self.layers:
            x = layer(x)
        pooled = x.mean(1)
        return self.head(pooled), pooled


def export_fp32(net: network.Network, path: Path) -> None:
    torch.onnx.export(
        Exported(net).eval(),
        (torch.arange(4, 16)[None],),
        str(path),
        input_names=["ids"],
        output_names=["logits", "vector"],
        dynamic_axes={"ids": {1: "tokens"}},
        opset_version=OPSET,
        dynamo=False,
    )


def fragile_nodes(path: Path, feed: int, hidden: int) -> list[str]:
    """Return the names of the FFN-down products of the FRAGILE layers."""
    graph = onnx.load(str(path)).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    down = [
        node.name
        for node in graph.node
        if node.op_type == "MatMul" and shapes.get(node.input[1]) == (feed, hidden)
    ]
    return [down[layer] for layer in FRAGILE]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the model.onnx to write")
    args = parser.parse_args()
    net = network.load(args.work, args.run)
    config = net.encoder.config
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "fp32.onnx"
        export_fp32(net, full)
        quantize_dynamic(
            full,
            args.out,
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gather"],
            nodes_to_exclude=fragile_nodes(full, config.intermediate_size, config.hidden_size),
            extra_options={"DefaultTensorType": 1, "MatMulConstBOnly": True},
        )
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
