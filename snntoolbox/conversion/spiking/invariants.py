"""Checks in numbers that a pass kept what it promises to keep: a graph's function, a network's scales."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from snntoolbox.errors import GraphError
from snntoolbox.ir.encodings import Encoding, Spiking
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Conv, Dense, Input, Scale, Sparse

TOLERANCE = 1e-6
"""Largest difference allowed, as a share of the largest value; everything is computed in float64."""

ROUNDING = 1e-12
"""What rounding in float64 leaves, generously, of terms that cancel, as a share of the largest of them."""

_LARGEST_MATRIX = 10_000_000

_HINT = "this is a defect of snntoolbox: please report the model; nothing was converted"


def check_same_function(before: Graph, after: Graph, what: str, x: Sequence[Array] | None = None) -> None:
    """GraphError where two graphs give different outputs for `x` (default: one seeded random sample).

    Graphs that jump (`Graph.jumps`) are not compared: rounding alone may move a value by a level.
    """
    if before is after or before.jumps:
        return
    sample = random_sample(before) if x is None else x
    old, new = (_values(g, sample, g.outputs) for g in (before, after))
    for one, other in zip(before.outputs, after.outputs, strict=True):
        _compare(old[one], new[other].reshape(old[one].shape), f"{what} changed the function of the graph", one)


def check_scales(network: SpikingNetwork, graph: Graph, x: Sequence[Array]) -> None:
    """GraphError where the network is not the analogue graph in units of its scales.

    With each population's activations over its scale as its spikes, every population must get the input of its
    rectifier over its scale, ``I = z / s`` (of a table that of its input), and every read-out must give the output.
    """
    values = _values(graph, x, graph.nodes)
    currents = _currents(network, _spikes(network, values))
    for name, population in network.populations.items():
        before = graph.nodes[population.activation].inputs[0]
        summed = max((float(np.abs(values[i]).max(initial=0.0)) for i in graph.nodes[before].inputs), default=0.0)
        noise = ROUNDING * summed / float(np.min(population.input_scale))
        expected, told = values[before] / population.input_scale, "its current is not its input divided by its scale"
        _compare(expected, currents[name], told, population.label, noise)
    for output, readout in zip(dict.fromkeys(graph.outputs), network.readouts, strict=True):
        _compare(values[output], readout.scale * currents[readout.name], "it does not read the output", readout.name)


def check_grid(placed: SpikingNetwork, network: SpikingNetwork, graph: Graph, x: Sequence[Array]) -> None:
    """GraphError where `placed` is not `network` on an integer grid, to within the rounding of its weights.

    With activations over scales as spikes s, every current over its threshold (every read-out times its scale) may
    differ by half a unit of the grid for each incoming weight and for the bias, ``1/2 (sum |s| + 1)``. A product may by
    what such differences of both factors make, and that of its threshold. Weights that
    only constant inputs pass are not rounded. Targets of large sparse maps are left out: how many weights they had is
    lost.
    """
    values = _values(graph, x, graph.nodes)
    spikes = _spikes(network, values)
    exact, rounded = _currents(network, spikes), _currents(placed, spikes)
    unknown = _behind(placed.wiring, [n for n in placed.wiring.nodes.values() if _too_large(n)])
    steady = {n for n, e in network.encodings.items() if not isinstance(e, Spiking)}
    most = {n: 0.0 if sources <= steady else 0.5 for n, sources in placed.sources.items()}
    known = [n for n in placed.wiring.nodes.values() if not _too_large(n)]
    roundings = placed.wiring.edited([_with_weights(n, most[n.name]) for n in known])
    slack = _values(roundings, [np.abs(spikes[i]) for i in roundings.inputs], _ends(placed))
    brought = _values(placed.wiring, [spikes[i] for i in placed.wiring.inputs], _ends(placed))
    units: dict[str, Array | float] = {n: np.asarray(_threshold(p)) for n, p in placed.populations.items()}
    before = {r.name: r.scale for r in network.readouts}
    units |= {r.name: before[r.name] / r.scale for r in placed.readouts}
    parts: list[Population | Readout] = [*placed.populations.values(), *placed.readouts]
    for part in (p for p in parts if unknown.isdisjoint(_currents_of(p))):
        # Where weights are integers as they are, thresholds are rounded, which is half of the bias at most.
        own = 0.0 if part.bias is None else 0.5 * np.abs(part.bias / units[part.name])
        unit = units[part.name]
        if isinstance(part, Readout) or part.latched is None:
            allowed = slack[part.current] + 0.5 + own
        else:
            one, other = np.abs(brought[part.current]), np.abs(brought[part.latched])
            factors = part.product(slack[part.current], other)
            factors = factors + part.product(one + slack[part.current], slack[part.latched])
            allowed = factors + 0.5 * (1 + np.abs(exact[part.name]))
        difference = np.abs(rounded[part.name] - exact[part.name] * unit)
        if not np.all(difference <= allowed * (1 + 1e-9) + 1e-6 * np.abs(rounded[part.name])):
            raise GraphError("differs from the unquantised network by more than rounding", layer=part.name, hint=_HINT)


def _threshold(population: Population) -> Array | float:
    return population.neuron.threshold if isinstance(population.neuron, IF) else 1.0


def _with_weights(node: Node, value: float) -> Node:
    """A node whose weights are all `value`, the most that each of its own was rounded by."""
    if isinstance(node, (Conv, Dense)):
        return replace(node, weight=np.full_like(node.weight, value))
    if isinstance(node, Scale):
        return replace(node, gain=np.full_like(node.gain, value))
    if isinstance(node, Sparse):
        # Weights that were rounded to 0 are not there any more.
        return replace(node, matrix=sp.csr_array(np.full(node.matrix.shape, value)))
    return node


def _too_large(node: Node) -> bool:
    return isinstance(node, Sparse) and math.prod(node.matrix.shape) > _LARGEST_MATRIX


def _behind(wiring: Graph, nodes: Sequence[Node]) -> set[str]:
    """The names of these nodes and of all that read them."""
    behind = {n.name for n in nodes}
    for name, node in wiring.nodes.items():
        if behind & set(node.inputs):
            behind.add(name)
    return behind


def random_sample(graph: Graph, low: float = 0.0, high: float = 1.0) -> list[Array]:
    """One seeded random sample of each input, truth values where it takes such."""
    generator = np.random.default_rng(0)
    drawn = [generator.uniform(low, high, (1, *graph.shapes[i])) for i in graph.inputs]
    middle = (low + high) / 2
    return [(x > middle) * 1.0 if _takes_truths(graph, i) else x for i, x in zip(graph.inputs, drawn, strict=True)]


def _takes_truths(graph: Graph, name: str) -> bool:
    node = graph.nodes[name]
    return isinstance(node, Input) and node.truths


def _values(graph: Graph, x: Sequence[Array], keep: Iterable[str]) -> dict[str, Array]:
    from snntoolbox.engine.executor import Executor

    return Executor.double(graph).values(*x, keep=list(keep))


def _spikes(network: SpikingNetwork, values: Mapping[str, Array]) -> dict[str, Array]:
    """Activations in units of the network's scales, for each source of its wiring."""
    spikes = {n: _units(c, values[n]) for n, c in network.encodings.items()}
    return spikes | {n: values[p.activation] / p.scale for n, p in network.populations.items()}


def _units(coding: Encoding, values: Array) -> Array:
    """What goes into the wiring for these values of an input."""
    return values / coding.amplitude if isinstance(coding, Spiking) else values


def _currents(network: SpikingNetwork, spikes: Mapping[str, Array]) -> dict[str, Array]:
    wiring = network.wiring
    currents = _values(wiring, [spikes[i] for i in wiring.inputs], _ends(network))
    parts: list[Population | Readout] = [*network.populations.values(), *network.readouts]
    found = {}
    for part in parts:
        came = currents[part.current]
        if isinstance(part, Population) and part.latched is not None:
            came = part.product(came, currents[part.latched])
        found[part.name] = came + (0.0 if part.bias is None else part.bias)
    return found


def _ends(network: SpikingNetwork) -> set[str]:
    """All wiring nodes that bring something to populations and read-outs."""
    parts: list[Population | Readout] = [*network.populations.values(), *network.readouts]
    return {end for part in parts for end in _currents_of(part)}


def _currents_of(part: Population | Readout) -> tuple[str, ...]:
    return part.currents if isinstance(part, Population) else (part.current,)


def _compare(expected: Array, actual: Array, message: str, layer: str, noise: float = 0.0) -> None:
    """GraphError where they differ by more than the tolerance; `noise` is what rounding leaves where sums cancel."""
    largest = float(np.abs(expected).max(initial=0.0)) or 1.0
    difference = float(np.abs(actual - expected).max(initial=0.0))
    allowed, difference = TOLERANCE + noise / largest, difference / largest
    if not difference <= allowed:  # NaN is no agreement
        raise GraphError(f"{message}: it differs by {difference:.2g} of the largest value", layer=layer, hint=_HINT)
