"""Checks in numbers that a pass kept what it promises to keep: a graph's function, a network's scales."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from snntoolbox.errors import GraphError
from snntoolbox.ir.encodings import Encoding, Spiking
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.node import Array

TOLERANCE = 1e-6
"""Largest difference allowed, as a share of the largest value; everything is computed in float64."""

_HINT = "this is a defect of snntoolbox: please report the model; nothing was converted"


def check_same_function(before: Graph, after: Graph, what: str, x: Sequence[Array] | None = None) -> None:
    """GraphError where two graphs give different outputs for `x` (default: one seeded random sample).

    Graphs that jump (`Graph.jumps`) are not compared: rounding alone may move a value by a level.
    """
    if before is after or before.jumps:
        return
    given = probe(before) if x is None else x
    old, new = (_values(g, given, g.outputs) for g in (before, after))
    for one, other in zip(before.outputs, after.outputs, strict=True):
        _compare(old[one], new[other].reshape(old[one].shape), f"{what} changed the function of the graph", one)


def check_scales(network: SpikingNetwork, graph: Graph, x: Sequence[Array]) -> None:
    """GraphError where the network is not the analogue graph in units of its scales.

    With each population's activations over its scale as its spikes, every population must get the input of its
    rectifier over its scale, ``I = z / s``, and every read-out must give the output.
    """
    values = _values(graph, x, graph.nodes)
    spikes = {n: _units(c, values[n]) for n, c in network.encodings.items()}
    spikes |= {n: values[p.activation] / p.scale for n, p in network.populations.items()}
    currents = _currents(network, spikes)
    for name, population in network.populations.items():
        wanted = values[graph.nodes[population.activation].inputs[0]] / population.scale
        _compare(wanted, currents[name], "its current is not its input over its scale", population.label)
    for output, readout in zip(dict.fromkeys(graph.outputs), network.readouts, strict=True):
        _compare(values[output], readout.scale * currents[readout.name], "it reads not the output", readout.name)


def probe(graph: Graph, low: float = 0.0, high: float = 1.0) -> list[Array]:
    """One seeded random sample of each input."""
    generator = np.random.default_rng(0)
    return [generator.uniform(low, high, (1, *graph.shapes[i])) for i in graph.inputs]


def _values(graph: Graph, x: Sequence[Array], keep: Iterable[str]) -> dict[str, Array]:
    from snntoolbox.engine.executor import Executor

    return Executor.double(graph).values(*x, keep=list(keep))


def _units(coding: Encoding, values: Array) -> Array:
    """What goes into the wiring for these values of an input."""
    return values / coding.amplitude if isinstance(coding, Spiking) else values


def _currents(network: SpikingNetwork, spikes: Mapping[str, Array]) -> dict[str, Array]:
    wiring = network.wiring
    found = _values(wiring, [spikes[i] for i in wiring.inputs], set(network.targets.values()))
    parts: list[Population | Readout] = [*network.populations.values(), *network.readouts]
    return {p.name: found[p.current] + (0.0 if p.bias is None else p.bias) for p in parts}


def _compare(wanted: Array, found: Array, message: str, layer: str) -> None:
    largest = float(np.abs(wanted).max(initial=0.0)) or 1.0
    difference = float(np.abs(found - wanted).max(initial=0.0)) / largest
    if not difference <= TOLERANCE:  # NaN is no agreement
        raise GraphError(f"{message}: it differs by {difference:.2g} of the largest value", layer=layer, hint=_HINT)
