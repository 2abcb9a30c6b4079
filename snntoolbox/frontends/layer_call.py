"""One layer on its way into the graph: the values, refusals, sizes and axes that all frontends share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from snntoolbox.errors import GraphError
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.node import Array, Origin, Shape

MOST_VALUES = 2**27
"""Of one tensor, per sample: far above any real network, far below any machine's memory."""

LARGEST = 2**24
"""Of an axis, and of a kernel, a stride, a dilation or a padding along it."""

TREAT_ALONE = "let every sample be computed alone: leave the first axis, which is the batch, as it is"

# -- values ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Activation:
    """A value that depends on the input: the name of a node of the graph, and which of its axes is the batch.

    That is the first one, but for sequences that go through a recurrent layer with their steps in front; `moved_by`
    is the operation that put them there.
    """

    name: str
    batch_axis: int = 0
    moved_by: Origin | None = None


class Lost:
    """A value behind a refused layer, of which nothing is known: what reads it cannot be examined."""


LOST = Lost()

Operand = Activation | Array
"""What arithmetic works on: a node of the graph, or a constant."""

# -- refusals -------------------------------------------------------------------------------------------------------


class Refusal(Exception):  # noqa: N818 - no error: it is caught and listed
    """Why a layer cannot be taken, in a short phrase, and what to do about it; `refusals_noted` catches it."""

    def __init__(self, reason: str, *, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


@contextmanager
def refusals_noted(builder: GraphBuilder, origin: Origin) -> Iterator[None]:
    """Notes why the code inside cannot take a layer, and goes on behind it; `builder.finish` reports all together."""
    try:
        yield
    except Refusal as refusal:
        builder.refuse(origin, refusal.reason, hint=refusal.hint)
    except GraphError as error:
        builder.refuse(origin, error.message)


def stand_in(builder: GraphBuilder, origin: Origin, shape: Sequence[int] | None) -> Activation | Lost:
    """An input in the place of a refused layer's output, so that what follows is examined; LOST without a shape."""
    if shape is None or math.prod(shape) > MOST_VALUES or max(shape, default=0) > LARGEST:
        return LOST
    return Activation(builder.input(origin.name, tuple(shape)))


GATED = "a recurrent layer with gates"
MASK = "a mask over the steps of a sequence"
EMBEDDING = "an embedding"
CONTROL_FLOW = "control flow"
QUANTISED = "quantised arithmetic"
BY_ITSELF = "this normalisation by the sample's own values"
CHOICE = "the choice of the largest values"
_KINDS: Mapping[str, tuple[str, ...]] = {
    GATED: (
        *("LSTM", "GRU", "LSTMCell", "GRUCell", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"),
        *("lstm", "gru", "lstm_cell", "gru_cell", "CuDNNLSTM", "CuDNNGRU", "LSTMLayer", "GRULayer"),
    ),
    MASK: ("Masking", "_pack_padded_sequence", "_pad_packed_sequence"),
    BY_ITSELF: (
        *("LayerNormalization", "GroupNormalization", "InstanceNormalization", "RMSNormalization"),
        *("UnitNormalization", "MeanVarianceNormalization", "LpNormalization", "LRN", "MVN", "Normalize"),
        *("LocalResponseNormalization2DLayer", "StandardizationLayer"),
        *("layer_norm", "group_norm", "instance_norm", "rms_norm", "native_layer_norm", "native_group_norm"),
    ),
    "attention": (
        *("MultiHeadAttention", "GroupQueryAttention", "AdditiveAttention"),
        "MultiheadAttention",
    ),
    "a saturating activation": ("Softsign", "softsign"),
    EMBEDDING: ("Embedding", "embedding", "Embed", "EmbeddingLayer"),
    CHOICE: ("ArgMax", "ArgMin", "TopK", "ZipMap", "NonMaxSuppression", "argmax", "argmin", "topk"),
    CONTROL_FLOW: ("If", "Loop", "Scan", "SequenceMap"),
    QUANTISED: (
        *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"),
        *("MatMulInteger", "ConvInteger"),
    ),
}
_DESCRIBED = {kind: words for words, kinds in _KINDS.items() for kind in kinds}
_BEHIND = (
    "leave the table outside and give its rows as the input: keras.Model(embedding.output, model.output) in Keras, a "
    "module that begins behind the table in PyTorch, input_tensor for an ONNX file"
)
PRODUCTS = (
    "train it with attention whose scores are products in its place: Attention(score_mode='dot') or MultiHeadAttention"
)
COMPLEX = "complex numbers"
_HINTS = {
    GATED: "LSTM and GRU of Keras, PyTorch and ONNX convert in windows, where they are not convolutions: build the "
    "model there, or train a recurrent layer of rectifiers, SimpleRNN(activation='relu') in Keras, in its place",
    BY_ITSELF: "put batch normalisation in its place and train again: it becomes part of the weights; in Keras, "
    "PyTorch and ONNX normalisation of layers, groups, single channels or by the root mean square converts in windows",
    MASK: "give all sequences the same length, filled up with values that the model was trained on",
    QUANTISED: "give the model as it was before its quantisation, or quantised by grids that do not follow the sample: "
    "QuantizeLinear and DequantizeLinear of ONNX, fake quantisation and PT2E exports of PyTorch, or of weights alone "
    "in Keras: model.quantize(config=Int8QuantizationConfig(activation_quantizer=None))",
    EMBEDDING: _BEHIND,
    "attention": PRODUCTS,
    CHOICE: "let the model end with the values that are compared: the result of a run has the class of each sample",
}


def not_supported(kind: str, otherwise: str = "this layer") -> Refusal:
    """The refusal of a layer or operation of this kind, in the field's words where it is a well-known one."""
    words = _DESCRIBED.get(kind, otherwise)
    return Refusal(f"{words} is not supported", hint=_HINTS.get(words))


def hint_for(reason: str) -> str | None:
    """What to do about a layer that was refused in the words of `not_supported`, where more is known."""
    return _HINTS.get(reason.removesuffix(" is not supported"))


def real(array: Array) -> Array:
    """The array; Refusal where it holds complex numbers, of which a conversion to float would keep the real part."""
    if array.dtype.kind == "c":
        raise Refusal(f"{COMPLEX} are not supported", hint="make two real layers of it: real and imaginary part")
    return array


# -- sizes ----------------------------------------------------------------------------------------------------------


def check_size(shape: Sequence[int]) -> None:
    """Refuse an output that no real network has, before it is made."""
    if math.prod(shape) > MOST_VALUES or max(shape, default=0) > LARGEST:
        raise Refusal(f"its output of shape {tuple(shape)} is too large")


def per_axis(what: str, value: Any, rank: int, *, least: int = 0) -> tuple[int, ...]:
    """An integer, or a list of one or `rank` of them, as one for each of `rank` axes; none is below `least`."""
    numbers = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    if any(isinstance(n, bool) or not isinstance(n, int) or n < least for n in numbers):
        raise Refusal(f"{what} = {value}: expected are integers from {least} on")
    if any(n > LARGEST for n in numbers):
        raise Refusal(f"{what} = {value} is too large")
    if len(numbers) not in (1, rank):
        raise Refusal(f"{what} = {value} does not fit {rank} spatial axes")
    return numbers * rank if len(numbers) == 1 else numbers


def broadcast_shape(shapes: Sequence[Shape]) -> Shape:
    """The shape that all broadcast to, by numpy's rules."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise Refusal(f"its inputs of shapes {', '.join(map(str, shapes))} do not fit one another") from None


# -- the layer ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerCall:
    """One use of a layer or operation, as the function gets it that puts it into the graph.

    `name` is the stem of the nodes to add, `origin` the layer in the user's model; `sources` are the nodes that it
    reads. Shapes and axes are those of a sample; `batch` is the number of samples that the model insists on, if any.
    `batch_axis` is where the batch lies in all that it reads.
    """

    builder: GraphBuilder
    name: str
    origin: Origin
    sources: tuple[str, ...] = ()
    batch: int | None = None
    batch_axis: int = 0

    def named(self, name: str) -> Self:
        """The same layer, its nodes called otherwise."""
        return replace(self, name=name)

    def source(self) -> str:
        """The only node that the layer reads."""
        if len(self.sources) != 1:
            raise Refusal(f"reads {len(self.sources)} tensors instead of one")
        return self.sources[0]

    def shape(self, source: str | None = None) -> Shape:
        """The shape of a node, by default of the one that the layer reads."""
        return self.builder.shape(self.source() if source is None else source)

    def axis(self, axis: Any, source: str | None = None, *, added: int = 0) -> int:
        """The axis of a sample for one that is counted with the batch, as frameworks do.

        It is one of `source` (by default the node that the layer reads), with `added` axes more.
        """
        rank = len(self.shape(source)) + 1 + added
        if isinstance(axis, list | tuple) and len(axis) == 1:
            (axis,) = axis
        if not isinstance(axis, int):
            raise Refusal(f"axis {axis}: one axis is expected")
        if not -rank <= axis < rank:
            raise Refusal(f"has no axis {axis}: the tensor has {rank} with the batch")
        place = int(axis % rank)
        if place == self.batch_axis:
            raise Refusal(f"works along axis {place}, the batch, and mixes samples", hint=TREAT_ALONE)
        return place - 1 if place > self.batch_axis else place

    def axes(self, axes: Any, source: str | None = None) -> tuple[int, ...]:
        """Several such axes, in order; none given means all of them, the batch too."""
        numbers = [axes] if isinstance(axes, int) else list(axes or ())
        if not numbers:
            raise Refusal("works along all axes, the batch too, and mixes samples", hint=TREAT_ALONE)
        return tuple(sorted({self.axis(n, source) for n in numbers}))

    def per_sample(self, constant: Array, rank: int) -> Array:
        """A constant as it meets samples of this rank: without its batch axis, along which it must not vary."""
        if constant.ndim > rank + 1:
            raise Refusal(f"its constant of shape {constant.shape} has more axes than the data")
        axis = self.batch_axis - (rank + 1 - constant.ndim)
        return constant if axis < 0 else self.one_sample(constant, axis)

    def one_sample(self, constant: Array, axis: int) -> Array:
        """A constant without this axis, which is the batch's: along it it must not vary."""
        first = constant.take([0], axis)
        size = constant.shape[axis]
        if size != 1 and (size != self.batch or np.any(constant != first)):
            raise Refusal(f"its constant of shape {constant.shape} varies over the batch", hint=TREAT_ALONE)
        sample: Array = first.squeeze(axis)
        return sample

    def broadcast(self, source: str, shape: Shape) -> str:
        """`source` with axes of length one repeated to `shape`."""
        check_size(shape)
        if len(self.shape(source)) != len(shape):
            raise Refusal(f"broadcasts {self.shape(source)} to {shape} across the batch axis", hint=TREAT_ALONE)
        for axis, (have, want) in enumerate(zip(self.shape(source), shape, strict=True)):
            if have != want and have != 1:
                raise Refusal(f"cannot broadcast {self.shape(source)} to {shape}")
            if have != want:
                source = self.builder.take(f"{self.name}_broadcast", source, axis, (0,) * want, self.origin)
        return source

    def broadcast_together(self, operands: Sequence[Operand]) -> tuple[list[str], list[Array]]:
        """Activations repeated to the shape that all operands have in common, and the constants, each in order."""
        names = [o.name for o in operands if isinstance(o, Activation)]
        shapes = [self.shape(name) for name in names]
        if len({len(shape) for shape in shapes}) > 1:
            shown = ", ".join(map(str, shapes))
            raise Refusal(f"broadcasts the batch axis: its inputs have the shapes {shown}", hint=TREAT_ALONE)
        rank = len(shapes[0])
        constants = [self.per_sample(o, rank) for o in operands if not isinstance(o, Activation)]
        shape = broadcast_shape([*shapes, *(c.shape for c in constants)])
        return [self.broadcast(name, shape) for name in names], constants
