"""Write trained weights as one int8 ONNX graph that reads several texts without mixing them.

The graph takes ids (texts, width), padded with anything, and the length of each text. The tokens
of all texts lie packed as rows for every product with weights; they are spread over
(texts, width) for attention alone. Each row is quantised by its own scale, so nothing a text gets
depends on the texts beside it, and an outlier costs its own token only: no layer stays fp32.
LayerNorm, Gelu and softmax work row by row too. A text's last bits do depend on `width`, which
the reader therefore derives from the text alone (src/veille/nlp/encoder.py).

Activations are uint8 around 128 (after Gelu around 16, since Gelu is never under -0.17), weights
int8 per output column: u8 x s8 is the only pair ONNX Runtime runs on VNNI (measured: u8 x u8 and
MatMulNBits are three times slower, s8 x s8 fifteen). Without VNNI (before AVX512-VNNI or
AVX-VNNI) its kernels add pairs of products in int16, which saturates when two neighbouring
weights are large and of one sign: scores then differ a little from one processor kind to another,
as for every u8 x s8 model. The reference sentences of `veille doctor` tell when it is too much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from veille.domain.errors import ModelError
from veille.training.network import Network

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto
    from torch import Tensor, nn

KIND = "bert"  # positions from 0, one token type, Gelu: what the written-out layers are

OPSET, IR_VERSION = 20, 9
INT64, FLOAT = 7, 1  # onnx.TensorProto.DataType
MICROSOFT = "com.microsoft"
# What the middle of a row of activations is stored as, and the steps above it.
EVEN = (128, 127)
GELU = (16, 239)
GELU_LEAST = 0.17  # Gelu's minimum is -0.16997
MASKED = -10_000.0  # its exponential is nothing beside any score's
TINY = 1e-6  # a row of zeros stays zeros

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Names of quantised rows: their uint8 values, what stands for zero, the scale of each."""

    values: str
    zero: str
    scale: str


class Graph:
    """ONNX nodes and constants, numbered as they come."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def constant(self, value: NDArray[np.generic] | np.generic) -> str:
        """Return the name of a constant."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def real(self, value: float) -> str:
        """Return the name of an fp32 number."""
        return self.constant(np.float32(value))

    def whole(self, value: int) -> str:
        """Return the name of a whole number."""
        return self.constant(np.int64(value))

    def ints(self, *values: int) -> str:
        """Return the name of whole numbers in a row."""
        return self.constant(np.array(values, np.int64))

    def add(self, kind: str, *inputs: str, domain: str = "", **options: object) -> str:
        """Append a node and return the name of its output."""
        from onnx import helper

        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, domain=domain, **options))
        return name

    def model(self, logits: str, vector: str) -> ModelProto:
        """Return the whole model; its outputs are named `logits` and `vector`."""
        from onnx import TensorProto, helper

        value, whole, real = helper.make_tensor_value_info, TensorProto.INT64, TensorProto.FLOAT
        named = [
            helper.make_node("Identity", [inner], [outer])
            for inner, outer in ((logits, "logits"), (vector, "vector"))
        ]
        graph = helper.make_graph(
            [*self.nodes, *named],
            "veille",
            [value("ids", whole, ["texts", "width"]), value("lengths", whole, ["texts"])],
            [value(name, real, ["texts", None]) for name in ("logits", "vector")],
            list(self.constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def array(weights: Tensor) -> Array:
    """Return weights as fp32."""
    found: Array = weights.detach().numpy().astype(np.float32)
    return found


def linear(layer: nn.Module) -> tuple[Array, Array]:
    """Return a linear layer's weights, a row an input, and its bias."""
    return array(layer.weight).T, array(layer.bias)


def int8(weights: Array) -> tuple[NDArray[np.int8], Array]:
    """Return the weights as int8 and the scale of each column."""
    top = np.abs(weights).max(0)
    scale = np.where(top > 0, top / np.float32(127), np.float32(1))
    return np.round(weights / scale).astype(np.int8), scale


class Writer:
    """Write the network into a graph, part after part."""

    def __init__(self, net: Network) -> None:
        config = net.encoder.config
        self.net, self.graph = net, Graph()
        self.hidden, self.heads = config.hidden_size, config.num_attention_heads
        self.size = self.hidden // self.heads
        self.epsilon = float(config.layer_norm_eps)

    def write(self) -> ModelProto:
        """Return the whole network; called once."""
        self.places()
        x = self.embeddings()
        for layer in self.net.layers:
            x = self.layer(layer, x)
        return self.graph.model(*self.head(x))

    def places(self) -> None:
        """Say which cells of (texts, width) hold a token, and where each token lies packed."""
        g = self.graph
        self.shape = g.add("Shape", "ids")
        width = g.add("Gather", self.shape, g.whole(1))
        self.column = g.add("Range", g.whole(0), width, g.whole(1))
        self.lengths = g.add("Unsqueeze", "lengths", g.ints(1))
        self.used = g.add("Less", self.column, self.lengths)
        flat = g.add("Reshape", self.used, g.ints(-1))
        self.kept = g.add("Reshape", g.add("NonZero", flat), g.ints(-1))
        rank = g.add("CumSum", g.add("Cast", flat, to=INT64), g.whole(0))
        # A cell without a token holds its text's last one, so that it too is the text's own.
        self.spread = g.add("Sub", rank, g.whole(1))
        self.mask = g.add(
            "Unsqueeze",
            g.add("Where", self.used, g.real(0), g.real(MASKED)),
            g.ints(1, 2),
        )

    def cells(self, rows: str, *shape: int) -> str:
        """Return packed rows spread over (texts, width, *shape)."""
        g = self.graph
        target = g.add("Concat", self.shape, g.ints(*shape), axis=0)
        return g.add("Reshape", g.add("Gather", rows, self.spread), target)

    def embeddings(self) -> str:
        g, tables = self.graph, self.net.encoder.embeddings
        words, scale = int8(array(tables.word_embeddings.weight).T)
        spots = array(tables.position_embeddings.weight) + array(
            tables.token_type_embeddings.weight[0]
        )
        ids = g.add("Gather", g.add("Reshape", "ids", g.ints(-1)), self.kept)
        column = g.add("Reshape", g.add("Expand", self.column, self.shape), g.ints(-1))
        word = g.add("Gather", g.constant(words.T), ids)
        x = g.add(
            "Mul",
            g.add("Cast", word, to=FLOAT),
            g.add("Gather", g.constant(scale[:, None]), ids),
        )
        spot = g.add("Gather", g.constant(spots), g.add("Gather", column, self.kept))
        return self.norm(tables.LayerNorm, g.add("Add", x, spot))

    def norm(self, layer: nn.Module, x: str) -> str:
        g = self.graph
        weights = g.constant(array(layer.weight)), g.constant(array(layer.bias))
        return g.add("LayerNormalization", x, *weights, axis=-1, epsilon=self.epsilon)

    def quantised(self, x: str) -> Rows:
        """Return each row over its own greatest magnitude."""
        g = self.graph
        top = g.add("ReduceMax", g.add("Abs", x), g.ints(-1), keepdims=1)
        return self.scaled(x, g.add("Max", top, g.real(TINY)), *EVEN)

    def quantised_gelu(self, x: str) -> Rows:
        """Return each row over its maximum, or what lets the zero hold Gelu's minimum."""
        g = self.graph
        zero, steps = GELU
        top = g.add("ReduceMax", x, g.ints(-1), keepdims=1)
        return self.scaled(x, g.add("Max", top, g.real(GELU_LEAST * steps / zero)), *GELU)

    def scaled(self, x: str, top: str, zero: int, steps: int) -> Rows:
        g = self.graph
        spread = g.add("Mul", x, g.add("Div", g.real(steps), top))
        zero_point = g.constant(np.uint8(zero))
        return Rows(
            values=g.add("QuantizeLinear", spread, g.real(1), zero_point),
            zero=zero_point,
            scale=g.add("Mul", top, g.real(1 / steps)),
        )

    def product(self, rows: Rows, weights: Array) -> str:
        """Return rows times weights in fp32, without bias."""
        g = self.graph
        values, scale = int8(weights)
        zeros = g.constant(np.zeros(len(scale), np.int8))
        inputs = (rows.values, g.constant(values), g.real(1), g.constant(scale), rows.zero, zeros)
        y = g.add("MatMulIntegerToFloat", *inputs, domain=MICROSOFT)
        return g.add("Mul", y, rows.scale)

    def layer(self, layer: nn.Module, x: str) -> str:
        """Return what a BERT layer makes of packed rows."""
        g, attention = self.graph, layer.attention
        mixed, value_bias = self.attention(attention.self, self.quantised(x))
        weights, bias = linear(attention.output.dense)
        y = self.product(self.quantised(mixed), weights)
        # The shares of a softmax sum to 1: the values' bias passes through to the output.
        y = g.add("Add", y, g.constant(bias + value_bias @ weights))
        x = self.norm(attention.output.LayerNorm, g.add("Add", x, y))
        weights, bias = linear(layer.intermediate.dense)
        y = g.add("Add", self.product(self.quantised(x), weights), g.constant(bias))
        y = g.add("Gelu", y, domain=MICROSOFT)
        weights, bias = linear(layer.output.dense)
        y = g.add("Add", self.product(self.quantised_gelu(y), weights), g.constant(bias))
        return self.norm(layer.output.LayerNorm, g.add("Add", x, y))

    def attention(self, layer: nn.Module, rows: Rows) -> tuple[str, Array]:
        """Return the packed mix of values, without their bias, and that bias."""
        g, root = self.graph, np.float32(math.sqrt(self.size))
        weights, bias = linear(layer.query)
        query = g.add("Add", self.product(rows, weights / root), g.constant(bias / root))
        # The keys' bias adds one number to all scores of a query: softmax does not see it.
        key = self.product(rows, linear(layer.key)[0])
        weights, bias = linear(layer.value)
        value = self.product(rows, weights)
        cells = [self.cells(part, self.heads, self.size) for part in (query, key, value)]
        query, value = (g.add("Transpose", cells[i], perm=[0, 2, 1, 3]) for i in (0, 2))
        key = g.add("Transpose", cells[1], perm=[0, 2, 3, 1])
        scores = g.add("Add", g.add("MatMul", query, key), self.mask)
        mixed = g.add("MatMul", g.add("Softmax", scores, axis=-1), value)
        flat = g.add("Transpose", mixed, perm=[0, 2, 1, 3])
        flat = g.add("Reshape", flat, g.ints(-1, self.hidden))
        return g.add("Gather", flat, self.kept), bias

    def head(self, x: str) -> tuple[str, str]:
        """Return logits and the mean of the token vectors, a product of its own for each text."""
        g, linear_ = self.graph, self.net.head
        share = g.add("Cast", self.used, to=FLOAT)
        share = g.add("Div", share, g.add("Cast", self.lengths, to=FLOAT))
        mean = g.add("MatMul", g.add("Unsqueeze", share, g.ints(1)), self.cells(x, self.hidden))
        weights, bias = linear(linear_)
        # Spread over the texts: one product for all would choose its kernel by their number.
        texts = g.add("Concat", g.add("Shape", "lengths"), g.ints(1, 1), axis=0)
        each = g.add("Expand", g.constant(weights[None]), texts)
        logits = g.add("Squeeze", g.add("MatMul", mean, each), g.ints(1))
        return g.add("Add", logits, g.constant(bias)), g.add("Squeeze", mean, g.ints(1))


def check_exportable(net: Network) -> None:
    """Do nothing for a network that ONNX can be made of. Raises ModelError for others."""
    kind = net.encoder.config.model_type
    if kind != KIND:
        raise ModelError(f"ONNX is made of BERT encoders, not of {kind!r}: leave --out, give --hf")


def export_onnx(net: Network, path: Path) -> None:
    """Write the network, of any number of layers, as an ONNX file."""
    import onnx

    check_exportable(net)
    net.train(is_on=False)
    model = Writer(net).write()
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
