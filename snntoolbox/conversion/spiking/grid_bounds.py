"""Bounds the potentials of a network on the integer grid: what they start with, and what a step can add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from snntoolbox.ir.absolute import absolute
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array

LARGEST_THRESHOLD = 2**20
"""More would leave no room for sums that float32 holds exactly."""


def bounded_anew(network: SpikingNetwork) -> SpikingNetwork:
    """A network with new bounds of its potentials on the grid, after biases or start potentials changed."""
    if network.grid is None:
        return network
    populations = network.populations.values()
    start = max((_apart_from_steps(p) for p in populations if isinstance(p.neuron, IF)), default=0)
    growth = max((float(g.max()) for g in _growth(network)), default=0.0)
    return network.replaced(grid=replace(network.grid, start=int(start), growth=int(np.ceil(growth))))


def _ends(network: SpikingNetwork) -> set[str]:
    """All nodes that bring something to neurons or read-outs."""
    return {name for p in network.populations.values() for name in p.currents} | {r.current for r in network.readouts}


def _if(population: Population) -> IF:
    assert isinstance(population.neuron, IF)
    return population.neuron


def _apart_from_steps(population: Population) -> float:
    """The largest |V| that the start and all pulses make together, or a table."""
    pulses, neuron = sum(float(np.abs(pulse).max()) for pulse in population.pulses.values()), _if(population)
    read = 0.0 if neuron.table is None else float(np.max(neuron.threshold) * neuron.table.counts.max())
    return max(float(np.abs(neuron.initial).max()) + pulses, read)


def _growth(network: SpikingNetwork) -> Iterable[Array]:
    """Per target the sum of |weight| over all incoming spikes plus |bias|: what one step can add to any |V|.

    A spike counts with the largest value that it may carry, a product with the largest count of a window.
    """
    constant = {n for n, e in network.encodings.items() if isinstance(e, ConstantCurrent)}
    bounding = absolute(network.wiring)
    largest = {n: max(p.neuron.levels) for n, p in network.populations.items() if isinstance(p.neuron, IF)}
    sent = {i: 0.0 if i in constant else largest.get(i, 1.0) for i in bounding.inputs}
    spikes = [np.full((1, *bounding.shapes[i]), value) for i, value in sent.items()]
    values: Mapping[str, Array] = bounding.values(*spikes, keep=_ends(network))
    targets: list[Population | Readout] = [*network.populations.values(), *network.readouts]
    total = 1 if network.schedule is None else network.schedule.most
    for target in targets:
        current = values[target.current]
        if isinstance(target, Population) and target.latched is not None:
            current = target.product(current, np.maximum(total * values[target.latched], 1.0))
        yield current[0] + (0.0 if target.bias is None else np.abs(target.bias))

