"""What a spiking network with windows equals: the network with every rectifier in T levels, written without time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from snntoolbox.backends.protocol import Backend
from snntoolbox.conversion.spiking.tables import largest_sum, tabulated
from snntoolbox.errors import DataError, GraphError
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.encodings import ConstantCurrent, Encoding
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import constant_currents
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, LinearNode
from snntoolbox.ir.nodes import ReLU, Tabulated
from snntoolbox.ir.result import Record

log = logging.getLogger(__name__)

MOST_VALUES = 2e9
"""Neurons times steps up to which a network with windows is compared with its quantised one as it is made."""

MOST_UNEQUAL = 0.005
"""The share of counts that may differ there, where sums do not tie with a level."""

TIE = 1e-9
"""How near to a level, as a share of it, a sum may fall to either side: by rounding alone."""


@checked
def quantized_reference(
    graph: Graph,
    scales: Mapping[str, Array],
    levels: int,
    x: Sequence[Array],
    start: float = 0.5,
    own: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Array]:
    """Every node's value for a batch `x` (one array per input) in the quantised network, in float64.

    A rectifier of input z with scale s has the value s / T * clip(floor(T z / s + V0), 0, T) for T `levels` and a start
    potential of V0 thresholds (1/2 where it was trained with levels). This is written without any spiking network; slow
    and obvious. The read-outs of a phased network of T steps, or of a radix one of B steps with T = 2^B - 1, are the
    values of ``graph.outputs`` (but for their correction), its counts those of the rectifiers times T / s. Rectifiers
    that are named in `own` have so many levels; of c `neurons` for each value T becomes c T, and V0 is
    ``c (V0 - 1/2) + 1/2``.
    """
    values: dict[str, Array] = dict(zip(graph.inputs, (np.asarray(a, np.float64) for a in x), strict=True))
    for name, node in graph.nodes.items():
        if name in values:
            continue
        inputs = [values[i] for i in node.inputs]
        if isinstance(node, Tabulated):
            scale = np.asarray(scales[name], np.float64)
            tables = [tabulated(node, scale, levels, largest_sum(node, scales, graph), by) for by in node.shifts]
            counts = [t.read(np.floor(levels * inputs[0] / t.input_scale(inputs[0].ndim - 1) + 0.5)) for t in tables]
            values[name] = scale / levels * np.mean(counts, axis=0)
        elif isinstance(node, ReLU):
            most = own.get(name, levels) * node.neurons
            step = np.asarray(scales[name], np.float64) / most
            begin = node.neurons * ((0.5 if node.levels else start) - 0.5) + 0.5
            values[name] = step * np.clip(np.floor(inputs[0] / step + begin), 0, most)
        else:
            values[name] = node.apply(*inputs)
    return values


@checked
def quantized_graph(
    graph: Graph, scales: Mapping[str, Array], levels: int, own: Mapping[str, int] = MappingProxyType({})
) -> Graph:
    """The same as a graph, for start potentials of half a threshold: one pass instead of a simulation.

    Smooth functions are rounded to levels, but what they read is not: a table may be one level off.
    """
    rectifiers = [n for n in graph.nodes.values() if isinstance(n, ReLU)]
    if lacking := [n.label for n in rectifiers if n.name not in scales]:
        raise DataError(f"there is no scale for {', '.join(lacking)}", hint="give one for every rectifier, by its name")
    bounds = {n.name: np.asarray(scales[n.name]) for n in rectifiers}
    told = {n.name: n.neurons * own.get(n.name, levels) for n in rectifiers}
    return graph.edited([replace(n, max_value=bounds[n.name], levels=told[n.name]) for n in rectifiers])


def quantized_counts(
    network: SpikingNetwork, x: Sequence[Array], levels: int, own: Mapping[str, int] = MappingProxyType({})
) -> dict[str, Array]:
    """The counts of every population (batch, *shape) of a rate-coded network in one pass, each rectifier at once.

    With S the sum of its input over T `levels` steps, bias included, clip(floor((S + V0) / theta), 0, T), or what its
    table has at that floor. Where counts are multiplied S is the product of both sums over T. Exact on an integer grid.
    Inputs are constant currents, or spikes by whose time they say their values; neurons are plain integrate-and-fire
    neurons. Populations that are named in `own` are cut off at that in the place of T.
    """
    most = {name: own.get(name, levels) for name in network.populations}
    return {n: _count(network.populations[n], s, most[n]) for n, s in _sums(network, x, levels, most, {}).items()}


def _count(population: Population, sums: Array, levels: int) -> Array:
    whole, neuron = np.floor(sums), population.neuron
    if isinstance(neuron, IF) and neuron.table is not None:
        whole = neuron.table.read(whole)
    return np.asarray(np.clip(whole, 0, levels))


def _sums(
    network: SpikingNetwork, x: Sequence[Array], levels: int, most: Mapping[str, int], counts: Mapping[str, Array]
) -> dict[str, Array]:
    """(S + V0) / theta of every population; those in front of it have these `counts`, else those that follow."""
    constant = constant_currents(network, *x)
    given = dict(zip(network.encodings, x, strict=True))
    values: dict[str, Array] = {}
    sums: dict[str, Array] = {}
    for name in network.order:
        population = network.populations.get(name)
        if population is not None:
            neuron = population.neuron
            assert isinstance(neuron, IF)
            bias = 0.0 if population.bias is None else population.bias
            total = values[population.current]
            if name in constant or population.bias is not None:
                total = total + levels * (constant.get(name, 0.0) + bias)
            initial, threshold = neuron.initial, neuron.threshold
            if population.latched is not None:
                total = population.product(total, values[population.latched])
                initial = levels * np.asarray(initial)
                threshold = levels * np.asarray(threshold)
            sums[name] = (total + initial) / threshold
            made = counts[name].astype(np.float64) if name in counts else _count(population, sums[name], most[name])
            values[name] = made
        elif name in network.encodings:
            values[name] = _counted(network.encodings[name], levels, given[name])
        else:
            node = network.wiring.nodes[name]
            assert isinstance(node, LinearNode)
            values[name] = node.linear(*(values[i] for i in node.inputs))
    return {name: sums[name] for name in network.populations}


def _unequal(population: Population, counts: Array, sums: Array, levels: int, *, exact: bool) -> int:
    """How many counts are not those of their sums; unless `exact`, a sum at a level may fall to either side of it."""
    at_a_level = np.abs(sums - np.rint(sums)) <= TIE * np.maximum(np.abs(sums), 1.0)
    differs = counts != _count(population, sums, levels)
    return int(np.count_nonzero(differs if exact else differs & ~at_a_level))


def _counted(coding: Encoding, levels: int, x: Array) -> Array:
    """What the spikes of an input count in a window; a constant current has none."""
    if isinstance(coding, BinaryDigits):
        return replace(coding, window=levels.bit_length()).counted(x)
    return replace(coding, window=levels).counted(x) if isinstance(coding, Latency) else np.zeros(x.shape)


def check_quantized(
    network: SpikingNetwork, before: SpikingNetwork, x: Sequence[Array], backend: Backend
) -> float | None:
    """Run one sample in float64 and compare every count with its quantised value: the share that differs.

    `before` is the network without its windows. On an integer grid nothing may differ; else sums that tie with a level
    up to rounding may fall to either side. GraphError where more differs; None for what is not compared: large
    networks (`MOST_VALUES`), and inputs that are drawn or given as spikes.
    """
    schedule = network.schedule
    known = all(isinstance(e, (ConstantCurrent, Latency, BinaryDigits)) for e in network.encodings.values())
    if schedule is None or schedule.steps is None or not known or not len(x[0]):
        return None
    if network.neurons * schedule.steps > MOST_VALUES:
        log.warning(
            "%s is too large to be compared with its quantised network step by step: %s neurons for %s steps",
            network.name, f"{network.neurons:,}", f"{schedule.steps:,}",
        )  # fmt: skip
        return None
    sample = [np.asarray(a[:1]) for a in x]
    # Step by step: by counts it would only be asked what it knows already.
    with backend.build(network, dtype="float64", engine="dense") as executable:
        result = executable.run(*sample, steps=schedule.steps, record=Record(outputs_per_step=False))
    exact = network.grid is not None
    most = {n: p.neuron.most for n, p in network.populations.items() if isinstance(p.neuron, IF)}
    sums = _sums(before, sample, schedule.total, most, result.counts)
    unequal = sum(_unequal(before.populations[n], result.counts[n], sums[n], most[n], exact=exact) for n in sums)
    share = unequal / max(network.neurons, 1)
    if share > (0 if network.grid else MOST_UNEQUAL):
        raise GraphError(
            f"a {schedule.name} network differs from its quantised one in {share:.1%} of its counts",
            hint="this is a defect of snntoolbox: please report the model",
        )
    return share
