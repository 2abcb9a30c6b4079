"""Chooses the scale of every rectifier: the activation that one spike per step stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from snntoolbox.conversion.thresholds.sample_weights import SampleWeights
from snntoolbox.errors import ConversionError, DataError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, LinearNode, Node, Shape
from snntoolbox.ir.nodes import (
    Add,
    AveragePool,
    Conv,
    Dense,
    Input,
    MatrixProduct,
    MaxPool,
    Mean,
    MovingNode,
    Multiply,
    ReLU,
    Scale,
    Sparse,
    Tabulated,
)

if TYPE_CHECKING:
    from snntoolbox.engine.histograms import ChannelHistogram

_ROUNDING = 1e-6
"""Share of the network's largest activation below which values are rounding errors of float32."""

Scales = Mapping[str, Array]
"""For each `ReLU` an array of its rank that broadcasts to its shape, positive."""


Choice = Callable[["ChannelHistogram"], Array]
"""The scale of each channel of a histogram, float64 (channels,)."""


class ThresholdRule(Protocol):
    """A way to choose scales from calibration data."""

    def __call__(
        self, graph: Graph, x: Sequence[Array], progress: Callable[[int], None] | None = None
    ) -> Scales:
        """The scales for samples `x`, one array per input; `progress` gets the number of samples done."""
        ...


@dataclass(frozen=True)
class PercentileThresholds:
    """Scale = percentile of the positive activations over the calibration data, per channel or per layer.

    100 is the maximum (Diehl et al. 2015); 99.9 leaves outliers to saturate (Rueckauer et al. 2017). With each further
    layer it is lower by `fall`, down to 0: so deeper ones, whose rates are the lowest, spike more.
    """

    percent: float = 99.9
    per_channel: bool = True
    batch_size: int = 100
    fall: float = 0.0

    def __call__(self, graph: Graph, x: Sequence[Array], progress: Callable[[int], None] | None = None) -> Scales:
        """The scales for calibration data `x`, one array per input."""
        histograms = {n: h for n, (h,) in activation_histograms(graph, x, self.batch_size, progress).items()}
        percents = {n: max(self.percent - self.fall * depth, 0.0) for n, depth in rectifier_depths(graph).items()}

        def choose(name: str) -> Choice:
            return lambda histogram: histogram.percentile(percents[name])

        return chosen_scales(graph, histograms, choose, self.per_channel)


def rectifier_depths(graph: Graph) -> dict[str, int]:
    """For each rectifier how many there are on the longest path to it from an input, itself included."""
    depths: dict[str, int] = {}
    for name, node in graph.nodes.items():
        before = max((depths.get(source, 0) for source in node.inputs), default=0)
        depths[name] = before + isinstance(node, ReLU)
    return {name: depth for name, depth in depths.items() if isinstance(graph.nodes[name], ReLU)}


def activation_histograms(
    graph: Graph,
    x: Sequence[Array],
    batch_size: int = 100,
    progress: Callable[[int], None] | None = None,
    alike: bool = False,
    places: Mapping[str, str] | None = None,
    parts: int = 1,
) -> dict[str, list[ChannelHistogram]]:
    """The positive activations of every rectifier, streamed: memory does not grow with the data.

    With `alike` samples are weighted, see `SampleWeights`. `places` names the rectifiers whose histograms are wanted,
    and for each the node whose values are counted as its own. There are as many histograms of each as `parts`, which
    the samples go to in turn.
    """
    from snntoolbox.engine.executor import Executor
    from snntoolbox.engine.fast import jit
    from snntoolbox.engine.histograms import SECONDS, ChannelHistogram

    if not len(x) or not len(x[0]):
        raise DataError("the calibration set is empty", hint="give samples, or no data: then weights decide")
    if places is None:
        places = {n.name: n.name for n in graph.nodes.values() if isinstance(n, ReLU)}
    fused = jit.pays(SECONDS * len(x[0]) * sum(map(graph.size, places.values())))
    histograms = {
        n: [ChannelHistogram(graph.shapes[n][0], weighted=alike, fused=fused) for _ in range(parts)] for n in places
    }
    weights = {n: SampleWeights() for n in places} if alike else {}
    for values in Executor(graph).batches(*x, keep=dict.fromkeys(places.values()), batch_size=batch_size):
        for name, place in places.items():
            each = weights[name](values[place]) if alike else None
            if not _counted(histograms[name], values[place], each):
                label = graph.nodes[name].label
                raise ConversionError("its activations overflow", layer=label, hint="check the scale of the data")
        if progress:
            progress(len(next(iter(values.values()))) if values else batch_size)
    return histograms


def _counted(parts: Sequence[ChannelHistogram], values: Array, weights: Array | None) -> bool:
    """Add a batch, a sample to each of the histograms in turn; False where one of the values is none."""
    each = [slice(k, None, len(parts)) for k in range(min(len(parts), len(values)))]
    pairs = zip(parts, each, strict=False)
    return all(h.update(values[k], None if weights is None else weights[k]) for h, k in pairs)


def chosen_scales(
    graph: Graph, histograms: Mapping[str, ChannelHistogram], choice: Callable[[str], Choice], per_channel: bool
) -> Scales:
    """What the `choice` of a layer says for each of its channels, or for the layer as one channel.

    A channel that never fired, or not above the rounding errors of float32, gets its layer's scale, and such a layer 1.
    An upper bound of the rectifier bounds its scale.
    """
    usual = [h for name, h in histograms.items() if not _of_own_size(graph.nodes[name])]
    noise = _ROUNDING * max((float(h.maximum.max()) for h in usual), default=0.0)
    scales = {}
    for name, histogram in histograms.items():
        choose = choice(name)
        pooled = choose(histogram.pooled())
        own = choose(histogram) if per_channel else pooled
        above = 0.0 if _of_own_size(graph.nodes[name]) else noise
        scales[name] = _bounded(graph, name, _filled(own, float(pooled[0]), above))
    return scales


def _of_own_size(node: Node) -> bool:
    return isinstance(node, Tabulated) and node.of_own_size


def completed(graph: Graph, scales: Scales) -> Scales:
    """Scales with those of channels without activations, 0, set to the largest of their layer, or 1; bounded."""
    noise = _ROUNDING * max((float(s.max()) for s in scales.values()), default=0.0)
    return {n: _bounded(graph, n, _filled(s.ravel(), float(s.max()), noise)) for n, s in scales.items()}


def _filled(own: Array, layer: float, noise: float) -> Array:
    """The scales of channels, those within the noise set to the layer's, that to 1 where it is within the noise too."""
    return np.where(own > noise, own, layer if layer > noise else 1.0)


def with_headroom(graph: Graph, scales: Scales, neuron: IF, headroom: float, per_step: float = 1.0) -> Scales:
    """The scales with which the activations that were chosen lie at a share `headroom` of the neuron's fastest rate.

    A rule says which activation is to be the largest; one spike per step stands for more where no neuron fires in
    every step: ``s = a / (headroom f)``. What rectifiers are bounded at stays the end of their rates. Steps that take
    a share `per_step` of an activation leave room for more spikes, which is not used.
    """
    share = headroom * min(1.0, neuron.fastest_rate / per_step)
    rectifiers = {name: node for name in scales if isinstance(node := graph.nodes[name], ReLU)}
    return {name: node.bounded(scales[name] / share, neuron.largest_rate) for name, node in rectifiers.items()}


@dataclass(frozen=True)
class ModelBasedThresholds:
    """Scale = an upper bound of the activation that follows from the weights alone, for inputs in [low, high].

    Interval arithmetic: hi = W+ hi + W- lo + b (after Diehl et al. 2015, "model-based normalisation"). Safe and
    loose: rates get low in deep nets; calibration data are far better.
    """

    low: float = 0.0
    high: float = 1.0
    per_channel: bool = True

    def __call__(self, graph: Graph) -> Scales:
        """The scales."""
        bounds: dict[str, tuple[Array, Array]] = {}
        scales: dict[str, Array] = {}
        for name, node in graph.nodes.items():
            inputs = [bounds[i] for i in node.inputs]
            if isinstance(node, Tabulated) and node.function == "inverse_root":
                told = "has no bound that follows from weights, as it divides by its samples' own values"
                raise ConversionError(told, layer=node.label, hint="give calibration data")
            if isinstance(node, Input):
                bounds[name] = (np.full((1, *node.shape), self.low), np.full((1, *node.shape), self.high))
            elif isinstance(node, LinearNode):
                bounds[name] = linear_bounds(node, inputs, graph.input_shapes(name))
            elif isinstance(node, Multiply):
                ends = [a * b for a in inputs[0] for b in inputs[1]]
                bounds[name] = (np.minimum.reduce(ends), np.maximum.reduce(ends))
            elif isinstance(node, MatrixProduct):
                largest = [np.maximum(np.abs(low), np.abs(high)) for low, high in inputs]
                bounds[name] = (-node.apply(*largest), node.apply(*largest))
            elif isinstance(node, ReLU):
                bounds[name] = node.bounds(*inputs[0])
            elif isinstance(node, MaxPool):
                bounds[name] = (node.apply(inputs[0][0]), node.apply(inputs[0][1]))
            else:
                raise ConversionError("has no model-based bound", layer=node.label, hint="give calibration data")
            if isinstance(node, ReLU):
                high = bounds[name][1][0]
                over = tuple(range(1 if self.per_channel else 0, high.ndim))
                largest = high.max(axis=over, keepdims=True)
                scales[name] = _bounded(graph, name, np.where(largest > 0, largest, max(high.max(), 0) or 1.0).ravel())
        return scales


def _bounded(graph: Graph, name: str, scale: Array) -> Array:
    """One scale per channel or layer with the rank of the node, cut at the rectifier's own bound."""
    node = graph.nodes[name]
    shaped = scale.astype(np.float64).reshape(-1, *[1] * (len(graph.shapes[name]) - 1))
    return node.bounded(shaped) if isinstance(node, ReLU) else shaped


def linear_bounds(
    node: LinearNode, inputs: list[tuple[Array, Array]], shapes: tuple[Shape, ...]
) -> tuple[Array, Array]:
    """The least and largest value of a linear node for inputs between these."""
    lows, highs = [g[0] for g in inputs], [g[1] for g in inputs]
    if not isinstance(node, _SIGNED):
        return _bounds_by_synapses(node, lows, highs, shapes)
    positive, negative = _signed_parts(node)
    low, high = positive.linear(*lows), positive.linear(*highs)
    if negative is not None:
        low, high = low + negative.linear(*highs), high + negative.linear(*lows)
    return (low, high) if node.bias is None else (low + node.bias, high + node.bias)


def _bounds_by_synapses(
    node: LinearNode, lows: list[Array], highs: list[Array], shapes: tuple[Shape, ...]
) -> tuple[Array, Array]:
    """The bounds of a linear node whose weights only its matrices tell."""
    shape = (1, *node.output_shape(*shapes))
    low = high = np.zeros(shape) if node.bias is None else np.broadcast_to(node.bias, shape)
    for matrix, below, above in zip(node.synapses(*shapes), lows, highs, strict=True):
        up, down = matrix.maximum(0), matrix.minimum(0)
        low = low + (up @ below.ravel() + down @ above.ravel()).reshape(shape)
        high = high + (up @ above.ravel() + down @ below.ravel()).reshape(shape)
    return low, high


_SIGNED = (Dense, Conv, Scale, Sparse, Add, AveragePool, Mean, MovingNode)


def _signed_parts(node: LinearNode) -> tuple[LinearNode, LinearNode | None]:
    """The node with its positive weights only, and with its negative ones (None where there are none)."""
    if isinstance(node, (Dense, Conv)):
        return replace(node, weight=node.weight.clip(min=0)), replace(node, weight=node.weight.clip(max=0))
    if isinstance(node, Scale):
        return replace(node, gain=node.gain.clip(min=0)), replace(node, gain=node.gain.clip(max=0))
    if isinstance(node, Sparse):
        return replace(node, matrix=node.matrix.maximum(0)), replace(node, matrix=node.matrix.minimum(0))
    if isinstance(node, Add):
        factors = node.factors
        parts = ([max(f, 0.0) for f in factors], [min(f, 0.0) for f in factors])
        up, down = (replace(node, coefficients=tuple(p)) for p in parts)
        return up, down
    return node, None
