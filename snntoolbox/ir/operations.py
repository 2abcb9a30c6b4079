"""Operations of the analogue network per sample, and of the spiking network per spike.

Both count by structure, the same way: what the wiring joins counts even where a weight is zero, taps on padding do
not. So a layer whose inputs all fire once costs exactly as many synaptic operations as it has multiply-accumulates.

*Analogue*, operations per sample: two for each multiply-accumulate of a convolution or matrix, one for each value
that a bias adds, a pooling window covers (average: additions and the division; maximum: comparisons), a diagonal map
or a product multiplies, or a sum adds to the first of its inputs; three or, with the mean, five for each value of a
normalisation. Moving values, rectifiers and softmax are free.

*Spiking*, synaptic operations: one for each spike and each neuron (or output value) that it reaches. A projection is
one linear map, however many nodes it is written with: pooling and diagonal maps are merged into the weights, and
parallel paths between two neurons are one synapse, whatever their delays. This is what a target with a table of
synapses does. A spike into a gate of max pooling counts for each window that it is in.

*Neuron updates*: one for each neuron, gates included, in each step, whether anything reaches it or not, also while it
is refractory or outside of its window. This is what a target does that goes by a clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeGuard
from weakref import WeakKeyDictionary

import numpy as np

from snntoolbox.ir.encodings import Encoding, Spiking, spike_trains
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array, LinearNode, Node, Shape
from snntoolbox.ir.nodes import (
    Add,
    AveragePool,
    Concat,
    Conv,
    Dense,
    Floor,
    Input,
    MatrixProduct,
    MaxPool,
    Mean,
    MovingNode,
    Multiply,
    Normalise,
    ReLU,
    Scale,
    Softmax,
)
from snntoolbox.ir.structure import own_support, source_supports


def ann_operations_per_node(graph: Graph) -> dict[str, int]:
    """Operations per sample of each node, as defined above."""
    return {name: _operations(node, graph.input_shapes(name)) for name, node in graph.nodes.items()}


def ann_operations(graph: Graph) -> int:
    """Operations per sample of the whole analogue network."""
    return sum(ann_operations_per_node(graph).values())


def multiply_accumulates(graph: Graph) -> int:
    """Multiply-accumulates per sample: of the operations those that come in pairs."""
    return sum(_pairs(node, graph.input_shapes(name)) for name, node in graph.nodes.items()) // 2


def _pairs(node: Node, shapes: tuple[Shape, ...]) -> int:
    """The operations of a convolution, a matrix or another linear map with weights of its own."""
    weighted = isinstance(node, (Conv, Dense)) or type(node) not in _COSTS
    return _COSTS.get(type(node), _matrix_cost)(node, shapes) if weighted else 0


def _operations(node: Node, shapes: tuple[Shape, ...]) -> int:
    rule = _COSTS.get(type(node), _matrix_cost)
    cost = rule(node, shapes)
    has_bias = isinstance(node, LinearNode) and node.bias is not None
    return cost + (math.prod(node.output_shape(*shapes)) if has_bias else 0)


def _free(node: Any, shapes: tuple[Shape, ...]) -> int:
    return 0


def _per_synapse(factor: int) -> Callable[[Any, tuple[Shape, ...]], int]:
    return lambda node, shapes: factor * own_support(node, shapes[0]).synapses()


def _matrix_cost(node: Any, shapes: tuple[Shape, ...]) -> int:
    """Any other linear map: its stored entries; nothing for what is not linear."""
    return 2 * sum(int(m.nnz) for m in node.synapses(*shapes)) if isinstance(node, LinearNode) else 0


_COSTS: Mapping[type[Node], Callable[[Any, tuple[Shape, ...]], int]] = {
    **dict.fromkeys((Conv, Dense), _per_synapse(2)),
    **dict.fromkeys((AveragePool, Mean, MaxPool, Scale), _per_synapse(1)),
    Add: lambda node, shapes: (len(shapes) - 1) * math.prod(shapes[0]),
    Multiply: lambda node, shapes: math.prod(shapes[0]),
    MatrixProduct: lambda node, shapes: 2 * math.prod(node.contraction.shape) * node.contraction.terms,
    Normalise: lambda node, shapes: (5 if node.centred else 3) * math.prod(shapes[0]),
    **dict.fromkeys((Input, ReLU, Floor, Softmax, Concat, *MovingNode.__subclasses__()), _free),
}


_fans: WeakKeyDictionary[SpikingNetwork, Mapping[str, Array]] = WeakKeyDictionary()
"""Those of the networks that are there: a run asks for each batch, and finding out takes longer than a small batch."""


def fan_out(network: SpikingNetwork) -> Mapping[str, Array]:
    """For each encoded input and each population the synapses of every neuron, int64, of its shape, read-only.

    A neuron's fan-out is the number of neurons and read-out values that its spike reaches in one step. It is worked out
    once for a network.
    """
    found = _fans.get(network)
    if found is None:
        found = _fans[network] = MappingProxyType(_fan_out(network))
    return found


def _fan_out(network: SpikingNetwork) -> dict[str, Array]:
    shapes = {name: network.wiring.shapes[name] for name in network.encodings}
    shapes.update((p.name, p.shape) for p in network.populations.values())
    counts = {name: np.zeros(shape, np.int64) for name, shape in shapes.items()}
    for supports in source_supports(network).values():
        for source, support in supports.items():
            counts[source] += support.fan_out()
    for count in counts.values():
        count.setflags(write=False)
    return counts


def synaptic_operations(network: SpikingNetwork, counts: Mapping[str, Array]) -> float:
    """Mean synaptic operations per sample for spike counts (samples, *shape) by population.

    Counts are numbers of spikes, whatever values these carry: `Result.events`. Spikes of inputs are counted where
    `counts` has them, as from `input_events`; see `input_operations` for currents.
    """
    fans = fan_out(network)
    return sum(float(np.vdot(z.mean(axis=0, dtype=np.float64), fans[name])) for name, z in counts.items())


def synaptic_operations_per_step(network: SpikingNetwork, spikes: Mapping[str, Array]) -> Array:
    """Synaptic operations of each sample in each step for spike trains (steps, samples, *shape); (samples, steps).

    A spike that carries a value counts as one. Trains of inputs count where `spikes` has them.
    """
    fans = {name: fan.ravel() for name, fan in fan_out(network).items()}
    parts = [
        [(step != 0).reshape(len(step), -1) @ fans[name] for step in train] for name, train in spikes.items()
    ]
    return np.asarray(np.sum(parts, axis=0).T)


def neuron_updates_per_step(network: SpikingNetwork, samples: int, steps: int) -> Array:
    """Neurons that are updated for each sample in each step, int64 (samples, steps)."""
    return np.full((samples, steps), network.neurons, np.int64)


_AT_ONCE = 32
"""Steps of random trains that are held at once."""


def input_trains(network: SpikingNetwork, x: Sequence[Array], steps: int, first_sample: int = 0) -> dict[str, Array]:
    """The trains (steps, samples, *shape) of each spiking input, int8, of samples numbered from `first_sample`."""
    pairs = zip(network.encodings.items(), x, strict=True)
    return {n: spike_trains(a, steps, e, first_sample) for (n, e), a in pairs if _spikes(e)}


def input_events(network: SpikingNetwork, x: Sequence[Array], steps: int, first_sample: int = 0) -> dict[str, Array]:
    """The number of spikes (samples, *shape) of each spiking input over so many steps."""
    events = {}
    for (name, coding), samples in zip(network.encodings.items(), x, strict=True):
        if _spikes(coding):
            starts = range(0, steps, _AT_ONCE)
            parts = (coding.train(samples, min(_AT_ONCE, steps - s), first_sample, s) for s in starts)
            events[name] = np.sum([np.count_nonzero(part, axis=0) for part in parts], axis=0)
    return events


def input_operations(network: SpikingNetwork) -> int:
    """Operations per sample, two per synapse, that inputs coded as currents cost: each of their values once."""
    fans = fan_out(network)
    return 2 * sum(int(fans[n].sum()) for n, e in network.encodings.items() if not _spikes(e))


def _spikes(coding: Encoding) -> TypeGuard[Spiking]:
    """Whether an input reaches the network as spikes: others are currents."""
    return isinstance(coding, Spiking) and not coding.valued
