"""Chooses the start potentials of a network that is to fire in windows, so that rounding to few levels loses least."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.conversion.thresholds.comparisons import Comparisons
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import ReLU

FEWEST = 16
"""Below so many samples means say too little."""

SHIFTS = (0.0, -0.5, -0.25, 0.25, 0.5)
"""Start potentials more, in thresholds, that a search tries."""

_MOST_VALUES = 2**27
"""Values of all layers together that are held at once; where that does not suffice, fewer samples are used."""


@dataclass(frozen=True)
class CorrectPhased:
    """The pass, for windows as `turns` makes them, with T levels, before the schedule is given.

    With Z = (S + V0) / theta as the (corrected) layers before make it, each channel gets a shift d of its start
    potential: none, or the mean error of clip(floor(Z + d), 0, T) to T a / scale taken off once or twice (bias
    correction as in Li et al. 2021, for all T steps at once), by the least squared error; with `search` also one of
    `SHIFTS`. (These have lower squared errors, and with few levels better classes; but what they leave can be alike for
    all samples, so that a trial has to tell.) The spiking network still equals its quantised one. Rectifiers that were
    trained with levels (QCFS), those that compare and tables stay as they are; so do networks on an integer grid, or
    with inputs that are no constant currents.
    """

    turns: FireInTurn
    search: bool = False

    def __call__(self, network: SpikingNetwork, graph: Graph, x: Sequence[Array]) -> SpikingNetwork:
        """The corrected network, where `graph` is the analogue network and `x` samples for each of its inputs."""
        constant = all(isinstance(e, ConstantCurrent) for e in network.encodings.values())
        values = sum(math.prod(shape) for shape in graph.shapes.values())
        samples = min(len(x[0]), _MOST_VALUES // max(values, 1))
        if network.grid or not constant or samples < FEWEST:
            return network
        from snntoolbox.engine.executor import Executor
        from snntoolbox.engine.quantized import QuantizedRun
        from snntoolbox.engine.shifts import best_shifts

        some = [np.asarray(a[:samples]) for a in x]
        activations = Executor(graph).values(*some, keep={p.activation for p in network.populations.values()})
        exact = Comparisons.of(graph).sources
        first = SHIFTS if self.search else SHIFTS[:1]
        shifts: dict[str, Array] = {}

        def adjust(population: Population, ready: Array) -> Array:
            node = graph.nodes[population.activation]
            if not isinstance(node, ReLU) or node.levels is not None or not node.of_input or node.name in exact:
                return np.zeros(1)
            if node.name not in shifts:  # all neurons of a value are shifted alike: they are one, with finer levels
                c, most = node.neurons, self.turns.most(population)
                counts = self.turns.levels * activations[node.name].astype(np.float64) / population.scale
                together = c * (ready - node.shifts[0]) - (c - 1) / 2
                shifts[node.name] = best_shifts(together, c * counts, c * most, first) / c
            return shifts[node.name]

        QuantizedRun(self.turns(network), adjust, single=True).counts(some)
        none = np.zeros(1)
        moved = [_shifted(p, shifts.get(p.activation, none)) for p in network.populations.values()]
        return network.replaced(populations=moved)


def _shifted(population: Population, shift: Array) -> Population:
    neuron = population.neuron
    assert isinstance(neuron, IF)
    return replace(population, neuron=replace(neuron, initial=neuron.initial + shift * neuron.threshold))
