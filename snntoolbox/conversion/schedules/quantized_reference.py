"""What a phased spiking network equals: the network with every rectifier in T levels, written without time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from snntoolbox.ir.arguments import checked
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import constant_currents
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, LinearNode
from snntoolbox.ir.nodes import ReLU


@checked
def quantized_reference(
    graph: Graph, scales: Mapping[str, Array], levels: int, x: Sequence[Array], start: float = 0.5
) -> dict[str, Array]:
    """Every node's value for a batch `x` (one array per input) in the quantised network, in float64.

    A rectifier of input z with scale s has the value s / T * clip(floor(T z / s + V0), 0, T) for T `levels` and a start
    potential of V0 thresholds (1/2 where it was trained with levels). This is written without any spiking network; slow
    and obvious. The read-outs of a phased network are the values of ``graph.outputs`` (but for their correction), its
    counts those of the rectifiers times T / s.
    """
    values: dict[str, Array] = dict(zip(graph.inputs, (np.asarray(a, np.float64) for a in x), strict=True))
    for name, node in graph.nodes.items():
        if name in values:
            continue
        given = [values[i] for i in node.inputs]
        if isinstance(node, ReLU):
            step = np.asarray(scales[name], np.float64) / levels
            values[name] = step * np.clip(np.floor(given[0] / step + (0.5 if node.levels else start)), 0, levels)
        else:
            values[name] = node.apply(*given)
    return values


@checked
def quantized_graph(graph: Graph, scales: Mapping[str, Array], levels: int) -> Graph:
    """The same as a graph, for start potentials of half a threshold: one pass instead of a simulation."""
    rectifiers = [n for n in graph.nodes.values() if isinstance(n, ReLU)]
    return graph.edited([replace(n, max_value=np.asarray(scales[n.name]), levels=levels) for n in rectifiers])


def quantized_counts(network: SpikingNetwork, x: Sequence[Array], levels: int) -> dict[str, Array]:
    """The counts of every population (batch, *shape) of a rate-coded network in one pass, each rectifier at once.

    With S the sum of its input over T `levels` steps, bias included, clip(floor((S + V0) / theta), 0, T). Exact on an
    integer grid. Inputs are constant currents; neurons are plain integrate-and-fire neurons.
    """
    constant = constant_currents(network, *x)
    values: dict[str, Array] = {}
    for name in network.order:
        population = network.populations.get(name)
        if population is not None:
            neuron = population.neuron
            assert isinstance(neuron, IF)
            bias = 0.0 if population.bias is None else population.bias
            total = values[population.current] + levels * (constant.get(name, 0.0) + bias)
            values[name] = np.clip(np.floor((total + neuron.initial) / neuron.threshold), 0, levels)
        elif name in network.encodings:
            values[name] = np.zeros((len(x[0]), *network.wiring.shapes[name]))
        else:
            node = network.wiring.nodes[name]
            assert isinstance(node, LinearNode)
            values[name] = node.linear(*(values[i] for i in node.inputs))
    return {name: values[name] for name in network.populations}
