"""The structure of linear nodes and of a network's wiring: who reaches whom, and by how many synapses.

A weight that is exactly zero in a kernel or a dense matrix counts as a synapse; a tap on padding does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache, reduce
from typing import Any

import numpy as np
import scipy.sparse as sp

from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate
from snntoolbox.ir.node import Array, LinearNode, Node, Shape
from snntoolbox.ir.nodes import (
    Add,
    AveragePool,
    Concat,
    Conv,
    Delay,
    Dense,
    Input,
    MaxPool,
    Mean,
    Pad,
    Permute,
    Reshape,
    Scale,
    Take,
)
from snntoolbox.ir.nodes.windows import Padding, window_indices
from snntoolbox.ir.support import Pattern, Support, all_to_all


def node_support(node: Node, shapes: Sequence[Shape], supports: Mapping[int, Support]) -> Support:
    """`supports` of those of the node's inputs, by position, that a source reaches, carried through the node."""
    rule = _RULES.get(type(node))
    if rule is not None:
        found = [rule(node, support) for support in supports.values()]
    elif isinstance(node, Concat):
        found = list(_joined(node, shapes, supports))
    else:
        found = list(_by_synapses(node, shapes, supports))
    return reduce(Support.union, found)


def own_support(node: Node, shape: Shape) -> Support:
    """The support of a node with one input of this shape, taken for itself."""
    return node_support(node, [shape], {0: Support.identity(shape)})


def source_supports(network: SpikingNetwork) -> dict[str, dict[str, Support]]:
    """For each population (in order) and read-out the support from each input and population that feeds it."""
    wiring, identity = network.wiring, cache(Support.identity)
    reach: dict[str, dict[str, Support]] = {}
    for name, node in wiring.nodes.items():
        if isinstance(node, Input):
            reach[name] = {name: identity(wiring.shapes[name])}
        else:
            reach[name] = _carried(node, wiring.input_shapes(name), [reach[i] for i in node.inputs])
    latched, found = network.circuit.latched, {}
    for target, current in network.targets.items():
        counted = reach[latched[target]] if target in latched else {}
        contraction = _contraction(network, target)
        if contraction is None:
            found[target] = _into(network, target, _merged(reach[current], counted))
        else:
            found[target] = _summed(contraction, reach[current], counted)
    return found


def _contraction(network: SpikingNetwork, target: str) -> Contraction | None:
    neuron = network.populations[target].neuron if target in network.populations else None
    return neuron.contraction if isinstance(neuron, IF) else None


def _summed(
    contraction: Contraction, came: Mapping[str, Support], counted: Mapping[str, Support]
) -> dict[str, Support]:
    """What reaches sums of products: a spike all sums that its value is in, one that is counted its count."""
    reached = {source: _reached(contraction, support, 0) for source, support in came.items()}
    alone = {source: support for source, support in counted.items() if source not in reached}
    both = {source: _reached(contraction, counted[source], 1) for source in reached.keys() & counted.keys()}
    return _merged({**reached, **alone}, both)


def _reached(contraction: Contraction, support: Support, factor: int) -> Support:
    """The sums that the values of a factor are in."""
    sizes = (contraction.rows, contraction.columns)
    own, other = sizes if contraction.channels_of(factor) else sizes[::-1]
    apart = support.reshaped((contraction.stack, own, contraction.terms))
    summed = apart.on_axis(2, all_to_all(other, contraction.terms))
    turned = summed if contraction.channels_of(factor) else summed.permuted((0, 2, 1))
    return turned.reshaped(contraction.shape)


def _merged(one: Mapping[str, Support], other: Mapping[str, Support]) -> dict[str, Support]:
    """The supports of both; a source of both reaches what it does by either."""
    both = {source: one[source].union(other[source]) for source in one.keys() & other.keys()}
    return {**one, **other, **both}


def _into(network: SpikingNetwork, target: str, reached: dict[str, Support]) -> dict[str, Support]:
    """Where the target is gates of max pooling, by the windows of these."""
    population = network.populations.get(target)
    if population is None or not isinstance(gate := population.neuron, MaxGate):
        return reached
    geometry = (gate.kernel, gate.stride, gate.padding, gate.dilation)
    return {source: _windows(support, *geometry) for source, support in reached.items()}


def _carried(node: Node, shapes: Sequence[Shape], reach: Sequence[Mapping[str, Support]]) -> dict[str, Support]:
    """The supports from all sources of a node's inputs, carried through it; alike ones, which are one object, once."""
    ways: dict[str, dict[int, Support]] = {}
    for position, reached in enumerate(reach):
        for source, support in reached.items():
            ways.setdefault(source, {})[position] = support
    done: dict[frozenset[tuple[int, int]], Support] = {}
    carried: dict[str, Support] = {}
    for source, supports in ways.items():
        alike = frozenset((position, id(support)) for position, support in supports.items())
        if alike not in done:
            done[alike] = node_support(node, shapes, supports)
        carried[source] = done[alike]
    return carried


# -- one rule per node type: the support behind the node for the support in front of it ---------------------------


@lru_cache(maxsize=256)
def _window_axis(size: int, kernel: int, stride: int, pads: tuple[int, int], dilation: int) -> sp.csr_array:
    """Windows x positions along one spatial axis."""
    positions = window_indices((size,), (kernel,), (stride,), (pads,), (dilation,))
    rows, taps = np.nonzero(positions >= 0)
    entries = (np.ones(len(rows), bool), (rows, positions[rows, taps]))
    return sp.csr_array(entries, shape=(len(positions), size))


def _windows(
    support: Support, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape | None = None
) -> Support:
    """Followed by windows over the spatial axes, channel by channel."""
    geometry = zip(kernel, stride, padding, dilation or (1,) * len(kernel), strict=True)
    for axis, (k, s, pads, d) in enumerate(geometry, start=1):
        if (k, s, pads) != (1, 1, (0, 0)):
            support = support.on_axis(axis, _window_axis(support.shape[axis], k, s, pads, d))
    return support


def _conv(node: Any, support: Support) -> Support:
    filters, per_group = node.weight.shape[:2]
    spatial = _windows(support, node.weight.shape[2:], node.stride, node.padding, node.dilation)
    channels: Pattern = all_to_all(filters, per_group)
    if node.groups > 1:
        inner = np.ones((filters // node.groups, per_group), bool)
        channels = sp.csr_array(sp.kron(sp.eye_array(node.groups, dtype=bool), inner, format="csr"))
    return spatial.on_axis(0, channels)


def _average_pool(node: Any, support: Support) -> Support:
    over = node.overhang or (0,) * len(node.kernel)
    padding = tuple((lo, hi + o) for (lo, hi), o in zip(node.padding, over, strict=True))
    return _windows(support, node.kernel, node.stride, padding)


def _max_pool(node: Any, support: Support) -> Support:
    return _windows(support, node.kernel, node.stride, node.padding, node.dilation)


def _mean(node: Any, support: Support) -> Support:
    shape = node.output_shape(support.shape)
    for axis in node.axes:
        support = support.on_axis(axis, all_to_all(1, support.shape[axis]))
    return support.reshaped(shape)


def _dense(node: Any, support: Support) -> Support:
    return support.on_axis(node.axis % len(support.shape), all_to_all(*node.weight.shape))


def _take(node: Any, support: Support) -> Support:
    return support.on_axis(node.axis, _selection(np.asarray(node.indices), support.shape[node.axis]))


def _pad(node: Any, support: Support) -> Support:
    for axis, (lo, hi) in enumerate(node.pads):
        if lo or hi:
            support = support.on_axis(axis, _shifted(support.shape[axis], lo, hi))
    return support


def _shifted(size: int, before: int, after: int) -> sp.csr_array:
    return _selection(np.pad(np.arange(size), (before, after), constant_values=-1), size)


def _selection(indices: Array, size: int) -> sp.csr_array:
    """Row i takes position ``indices[i]``; -1 takes nothing."""
    rows = np.flatnonzero(indices >= 0)
    entries = (np.ones(len(rows), bool), (rows, indices[rows]))
    return sp.csr_array(entries, shape=(len(indices), size))


_RULES: Mapping[type[Node], Callable[[Any, Support], Support]] = {
    Conv: _conv,
    Dense: _dense,
    Scale: lambda node, support: support,
    Delay: lambda node, support: support,
    Add: lambda node, support: support,
    AveragePool: _average_pool,
    MaxPool: _max_pool,
    Mean: _mean,
    Take: _take,
    Pad: _pad,
    Permute: lambda node, support: support.permuted(node.axes),
    Reshape: lambda node, support: support.reshaped(node.shape),
}


def _joined(node: Concat, shapes: Sequence[Shape], supports: Mapping[int, Support]) -> Iterator[Support]:
    """Each input of a concatenation at its place in the whole."""
    sizes = [shape[node.axis] for shape in shapes]
    for position, support in supports.items():
        pads = sum(sizes[:position]), sum(sizes[position + 1 :])
        yield support.on_axis(node.axis, _shifted(sizes[position], *pads))


def _by_synapses(node: Node, shapes: Sequence[Shape], supports: Mapping[int, Support]) -> Iterator[Support]:
    """The fall-back for any other linear node: the stored entries of its matrices."""
    if not isinstance(node, LinearNode):
        raise node.misfit("is not a linear map and has no synapses")
    shape = node.output_shape(*shapes)
    matrices = node.synapses(*shapes)
    for position, support in supports.items():
        matrix = matrices[position]
        entries = (np.ones(matrix.nnz, bool), matrix.indices, matrix.indptr)
        pattern = sp.csr_array(entries, shape=matrix.shape)
        flat = support.reshaped((math.prod(support.shape),))
        yield flat.on_axis(0, pattern).reshaped(shape)
