"""Builds a graph node by node: what every frontend needs to lower a model, and how it refuses a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from snntoolbox.errors import GraphError, Unsupported, UnsupportedError
from snntoolbox.ir.foreign import shortened, shown
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, LinearNode, Node, Origin, Shape
from snntoolbox.ir.nodes import Concat, Dense, Elementwise, Input, MaxPool, Mean, Pad, Permute, Reshape, Scale, Take
from snntoolbox.ir.nodes.elementwise import FUNCTIONS
from snntoolbox.ir.ways_out import WINDOWS

_REPLACE = "replace these layers, or add a handler for them (docs: writing a frontend)"

MOST_MADE = 2**26

_UNTRAINED = "the training diverged or the file is damaged: save the model with finite weights"


class GraphBuilder:
    """Collects nodes in order with unique names, knows each node's shape, and lists what it had to refuse.

    Every method that adds a node returns its name. Shapes and axes are those of the sample, without batch.
    """

    def __init__(self, framework: str) -> None:
        self.framework = framework
        self._nodes: dict[str, Node] = {}
        self._shapes: dict[str, Shape] = {}
        self._refused: list[Unsupported] = []
        self._hints: list[str] = []
        self._made = 0
        self.compared: dict[str, Origin] = {}

    def shape(self, name: str) -> Shape:
        """The shape of a node added before."""
        return self._shapes[name]

    def node(self, name: str) -> Node:
        """A node added before."""
        return self._nodes[name]

    def fresh(self, stem: str) -> str:
        """`stem`, or `stem` with a number behind it where that name is taken."""
        stem = self.plain(stem)
        name, i = stem, 2
        while name in self._nodes:
            name, i = f"{stem}_{i}", i + 1
        return name

    @staticmethod
    def plain(name: str) -> str:
        """A name of the user's as that of a node."""
        return shortened(shown(name.strip("/").replace("/", "."))) or "node"

    def add(self, node: Node) -> str:
        """Add a node, renamed where its name is taken; GraphError where its inputs' shapes do not fit."""
        node = node.renamed(self.fresh(node.name))
        shape = node.output_shape(*(self._shapes[i] for i in node.inputs))
        if isinstance(node, LinearNode) and node.bias is not None and node.bias.ndim != len(shape):
            raise node.misfit(f"bias of shape {node.bias.shape} has not the rank of output {shape}")
        self._nodes[node.name], self._shapes[node.name] = node, shape
        return node.name

    def spend(self, values: int) -> None:
        """Note that so many values are about to be made for a map that the model does not hold; GraphError beyond all.

        Matrices of resizing and pooling, indices, weights for each step of a sequence: a small file may ask for many.
        """
        self._made += values
        if self._made > MOST_MADE:
            what = "the matrices made for resizing, pooling and steps of sequences"
            raise GraphError(f"{what} would hold more than {MOST_MADE:,} values")

    def origin(self, kind: str, name: str) -> Origin:
        """An origin in this builder's framework."""
        return Origin(self.framework, kind, name)

    def input(self, name: str, shape: Shape) -> str:
        """Add an input of the graph."""
        return self.add(Input(name=name, shape=tuple(shape), origin=self.origin("Input", name)))

    @property
    def nodes(self) -> Mapping[str, Node]:
        """All nodes that were added, in order."""
        return self._nodes

    def take_truths(self, name: str, by: Origin | None = None) -> None:
        """Note that an input takes 0 and 1 alone; `by` which layer where its type does not say so."""
        node = self._nodes[name]
        assert isinstance(node, Input)
        if by is not None and not node.truths:
            self.compared[name] = by
        self._nodes[name] = replace(node, truths=True)

    # -- refusing -----------------------------------------------------------------------------------------------

    def refuse(
        self, origin: Origin, reason: str, shape: Shape | None = None, *, hint: str | None = None
    ) -> str | None:
        """Note an offender; with its output's shape, add a stand-in so that the rest can still be examined.

        `hint` says what to do about it where that is more than to replace the layer.
        """
        self._refused.append(Unsupported(str(origin), reason))
        if hint is not None:
            self._hints.append(hint)
        return None if shape is None else self.add(Input(name=origin.name, shape=shape, origin=origin))

    def check(self) -> None:
        """Raise one UnsupportedError that lists every offender, if there is any."""
        if self._refused:
            hints = list(dict.fromkeys(self._hints)) or [_REPLACE]
            hint = "; ".join([*hints, *self._smooth()])
            raise UnsupportedError(f"the {self.framework} frontend", self._refused, hint=hint)

    def _smooth(self) -> list[str]:
        """What to do about smooth functions, which are read, but come next where a conversion has not been told."""
        labels: dict[str, list[str]] = {}
        for node in self._nodes.values():
            if isinstance(node, Elementwise) and node.function in FUNCTIONS:
                labels.setdefault(node.function, []).append(node.label)
        more = {name: f" and {len(found) - 1} more" if len(found) > 1 else "" for name, found in labels.items()}
        ways = f"will then need {WINDOWS}, or [conversion] approximate"
        return [f"{found[0]}{more[name]} {ways} = {name}" for name, found in labels.items()]

    def finish(self, outputs: Sequence[str], name: str) -> Graph:
        """The graph; UnsupportedError if anything was refused, or weights are no finite numbers."""
        self.check()
        if odd := [n for n in self._nodes.values() if not _of_numbers(n)]:
            offenders = [Unsupported(n.label, "its weights are complex numbers, or none at all") for n in odd]
            raise UnsupportedError(f"the {self.framework} frontend", offenders, hint=_REPLACE)
        if broken := [n for n in self._nodes.values() if isinstance(n, LinearNode) and not _finite(n)]:
            reason = "its weights hold NaN, infinite values, or such as float32 has no place for"
            offenders = [Unsupported(n.label, reason) for n in broken]
            raise UnsupportedError(f"the {self.framework} frontend", offenders, hint=_UNTRAINED)
        return Graph(self._nodes.values(), outputs, name=shortened(shown(name)))

    # -- lowerings that several frameworks share ----------------------------------------------------------------

    def permute(self, name: str, source: str, axes: Sequence[int], origin: Origin | None = None) -> str:
        """Reorder axes; nothing is added for the identity."""
        if tuple(axes) == tuple(range(len(axes))):
            return source
        return self.add(Permute(name=name, inputs=(source,), axes=tuple(axes), origin=origin))

    def channels_first(self, name: str, source: str, origin: Origin | None = None) -> str:
        """(*space, channels) -> (channels, *space)."""
        rank = len(self.shape(source))
        return self.permute(name, source, (rank - 1, *range(rank - 1)), origin)

    def channels_last(self, name: str, source: str, origin: Origin | None = None) -> str:
        """(channels, *space) -> (*space, channels)."""
        return self.permute(name, source, (*range(1, len(self.shape(source))), 0), origin)

    def reshape(self, name: str, source: str, shape: Sequence[int], origin: Origin | None = None) -> str:
        """Reshape in C order; nothing is added where the shape is that already."""
        if tuple(shape) == self.shape(source):
            return source
        return self.add(Reshape(name=name, inputs=(source,), shape=tuple(shape), origin=origin))

    def affine(
        self, name: str, source: str, gain: Array | None, bias: Array | None, origin: Origin | None = None
    ) -> str:
        """``gain * x + bias`` with arrays that broadcast to the sample by numpy's rules (constants, normalisation)."""
        rank = len(self.shape(source))
        full = np.ones((1,) * rank) if gain is None else _of_rank(gain, rank)
        shift = None if bias is None else _of_rank(bias, rank)
        return self.add(Scale(name=name, inputs=(source,), gain=full, bias=shift, origin=origin))

    def batch_norm(
        self,
        name: str,
        source: str,
        *,
        mean: Array,
        variance: Array,
        gamma: Array | None,
        beta: Array | None,
        epsilon: float,
        axis: int = 0,
        origin: Origin | None = None,
    ) -> str:
        """Batch normalisation at inference over `axis` of the sample, as a diagonal map.

        gain = gamma / sqrt(variance + epsilon), bias = beta - mean * gain (Ioffe & Szegedy 2015), in float64.
        GraphError where there is not one value of each for each channel: frameworks read behind the end of fewer.
        """
        shape = self.shape(source)
        for values in (mean, variance, gamma, beta):
            if values is not None and (not shape or np.shape(values) != (shape[axis % len(shape)],)):
                raise GraphError(f"its parameters of shape {np.shape(values)} do not fit an input of shape {shape}")
        with np.errstate(invalid="ignore", divide="ignore"):  # `finish` refuses what is no number
            gain = 1 / np.sqrt(np.asarray(variance, np.float64) + epsilon)
        if gamma is not None:
            gain = gain * gamma
        bias = -np.asarray(mean, np.float64) * gain
        if beta is not None:
            bias = bias + beta
        along = [1] * len(shape)
        along[axis % len(shape)] = -1
        return self.affine(name, source, gain.reshape(along), bias.reshape(along), origin)

    def dense(
        self,
        name: str,
        source: str,
        weight: Array,
        bias: Array | None,
        *,
        axis: int = -1,
        origin: Origin | None = None,
    ) -> str:
        """``weight @ x + bias`` along one axis; weight (out, in), bias (out,)."""
        rank = len(self.shape(source))
        along = [1] * rank
        along[axis % rank] = -1
        shaped = None if bias is None else np.asarray(bias).reshape(along)
        return self.add(Dense(name=name, inputs=(source,), weight=weight, axis=axis, bias=shaped, origin=origin))

    def concat(self, name: str, sources: Sequence[str], axis: int, origin: Origin | None = None) -> str:
        """Join along an axis of the sample (negative counts from the end)."""
        axis %= len(self.shape(sources[0]))
        return self.add(Concat(name=name, inputs=tuple(sources), axis=axis, origin=origin))

    def pad(
        self,
        name: str,
        source: str,
        pads: Sequence[tuple[int, int]],
        *,
        value: float = 0.0,
        mode: str = "constant",
        origin: Origin | None = None,
    ) -> str:
        """Pad (before, after) per axis with a constant, or by 'reflect', 'edge', 'wrap' (numpy's names).

        Negative amounts crop.
        """
        for axis, (lo, hi) in enumerate(pads):
            if min(lo, hi) < 0:
                source = self.slice(name, source, axis, max(-lo, 0), self.shape(source)[axis] - max(-hi, 0), 1, origin)
        pads = tuple((max(lo, 0), max(hi, 0)) for lo, hi in pads)
        if not any(map(any, pads)):
            return source
        shape = self.shape(source)
        if mode != "constant":
            for axis, (n, pair) in enumerate(zip(shape, pads, strict=True)):
                source = self.take(name, source, axis, np.pad(np.arange(n), pair, mode=mode).tolist(), origin)  # type: ignore[call-overload]
            return source
        bias = np.pad(np.zeros(shape), pads, constant_values=value) if value else None
        return self.add(Pad(name=name, inputs=(source,), pads=pads, bias=bias, origin=origin))

    def take(self, name: str, source: str, axis: int, indices: Sequence[int], origin: Origin | None = None) -> str:
        """Pick indices along an axis; nothing is added where that is all of them in order."""
        axis %= len(self.shape(source))
        if list(indices) == list(range(self.shape(source)[axis])):
            return source
        self.spend(len(indices))
        return self.add(Take(name=name, inputs=(source,), axis=axis, indices=tuple(indices), origin=origin))

    def slice(
        self, name: str, source: str, axis: int, start: int | None, stop: int | None, step: int = 1,
        origin: Origin | None = None,
    ) -> str:  # fmt: skip
        """``x[start:stop:step]`` along an axis of the sample."""
        size = self.shape(source)[axis]
        return self.take(name, source, axis, range(size)[slice(start, stop, step)], origin)

    def global_average(self, name: str, source: str, keepdims: bool, origin: Origin | None = None) -> str:
        """The mean over all axes but the first."""
        axes = tuple(range(1, len(self.shape(source))))
        return self.add(Mean(name=name, inputs=(source,), axes=axes, keepdims=keepdims, origin=origin))

    def global_max(self, name: str, source: str, keepdims: bool, origin: Origin | None = None) -> str:
        """The maximum over all axes but the first, as one window over everything."""
        channels, *space = self.shape(source)
        ones, pads = (1,) * len(space), ((0, 0),) * len(space)
        window = {"kernel": tuple(space), "stride": ones, "dilation": ones}
        pooled = self.add(MaxPool(name=name, inputs=(source,), padding=pads, origin=origin, **window))
        return pooled if keepdims else self.reshape(f"{name}_flat", pooled, (channels,), origin)


def _of_numbers(node: Node) -> bool:
    """Whether every array in it holds real numbers: elsewhere complex ones would lose their imaginary part."""
    return all(v.dtype.kind in "biuf" for v in vars(node).values() if isinstance(v, np.ndarray))


def _finite(node: LinearNode) -> bool:
    """Whether weights and bias are finite numbers, of float32 too."""
    with np.errstate(over="ignore"):
        return all(bool(np.isfinite(a.astype(np.float32)).all()) for a in (node.weights, node.bias) if a is not None)


def _of_rank(array: Array, rank: int) -> Array:
    """`array` with ones put in front of its shape up to `rank`."""
    array = np.asarray(array)
    while array.ndim > rank and array.shape[0] == 1:
        array = array[0]
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def same_padding(
    space: Shape, kernel: Shape, stride: Sequence[int], dilation: Sequence[int], *, odd_before: bool = False
) -> tuple[tuple[int, int], ...]:
    """Padding for ceil(size / stride) windows; the odd zero goes behind (TensorFlow, ONNX SAME_UPPER) or before."""
    pads = []
    for n, k, s, d in zip(space, kernel, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        less = total // 2
        pads.append((total - less, less) if odd_before else (less, total - less))
    return tuple(pads)


def ceil_overhang(
    space: Shape, kernel: Shape, stride: Sequence[int], padding: Sequence[tuple[int, int]], dilation: Sequence[int]
) -> tuple[int, ...]:
    """Positions that ceil mode adds behind each axis.

    The last window must begin inside the input or its front padding.
    """
    extra = []
    for n, k, s, (lo, hi), d in zip(space, kernel, stride, padding, dilation, strict=True):
        span = n + lo + hi - d * (k - 1) - 1
        windows = -(-span // s) + 1
        if (windows - 1) * s >= n + lo:
            windows -= 1
        extra.append(max((windows - 1) * s - span, 0))
    return tuple(extra)
