"""Lets biases come as the spikes of one neuron that always fires, where a target is to have no currents for them.

The neuron gets its threshold as a current in every step, and so fires in every step; a synapse of weight b from it to a
neuron is a bias of b. It reads the first input by no synapse at all, so that it has a place among the layers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from snntoolbox.conversion.spiking.grid_bounds import bounded_anew
from snntoolbox.ir.graph import first_free
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, Node, Shape
from snntoolbox.ir.nodes import Add, Dense, Input, Reshape, Sparse, Take

NAME = "bias"
"""The neuron's name, or what it begins with."""


@dataclass(frozen=True)
class BiasNeuron:
    """The pass, for neurons that fire at rates; read-outs keep their biases, which the host adds once."""

    def __call__(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network with the same spikes and no biases but the neuron's own; itself where there are none."""
        if not any(population.bias is not None for population in network.populations.values()):
            return network
        wiring = _Wiring(network)
        populations = [wiring.freed(population) for population in network.populations.values()]
        ends = [wiring.neuron.current, *(p.current for p in populations), *(r.current for r in network.readouts)]
        graph = type(network.wiring)(wiring.nodes.values(), list(dict.fromkeys(ends)), name=network.name)
        return bounded_anew(network.replaced(wiring=graph, populations=[wiring.neuron, *populations]))


class _Wiring:
    """The nodes of a network, and those that spread the spikes of its bias neuron."""

    def __init__(self, network: SpikingNetwork) -> None:
        self.nodes: dict[str, Node] = dict(network.wiring.nodes)
        self.taken = {*network.populations, *(r.name for r in network.readouts)}
        first = next(iter(network.encodings))
        size, shape = network.wiring.size(first), network.wiring.shapes[first]
        name = self._add(Input, NAME, shape=(1,))
        none = sp.csr_array((1, size))
        silence = self._add(Sparse, f"{name}.none", first, matrix=none, shape_in=shape, shape_out=(1,))
        one = np.ones(1)
        self.neuron = Population(
            name=name, shape=(1,), neuron=IF(), current=silence, bias=one, scale=one, activation=""
        )

    def freed(self, population: Population) -> Population:
        """The population with its bias as synapses."""
        if population.bias is None:
            return population
        spread = self._spread(population.name, population.bias, population.shape)
        current = self._add(Add, f"{population.name}.biased", population.current, spread)
        return replace(population, bias=None, current=current)

    def _spread(self, name: str, bias: Array, shape: Shape) -> str:
        """A node of this shape that is the bias where the neuron spikes."""
        bias = np.asarray(bias).reshape((1,) * (len(shape) - np.ndim(bias)) + np.shape(bias))
        spread = self._add(Dense, f"{name}.bias", self.neuron.name, weight=bias.reshape(-1, 1))
        spread = self._add(Reshape, f"{name}.bias", spread, shape=bias.shape)
        for axis, (own, size) in enumerate(zip(bias.shape, shape, strict=True)):
            if own != size:
                spread = self._add(Take, f"{name}.bias", spread, axis=axis, indices=(0,) * size)
        return spread

    def _add(self, kind: type[Node], stem: str, *inputs: str, **fields: Any) -> str:
        name = first_free(stem, self.nodes, self.taken)
        self.nodes[name] = kind(name=name, inputs=inputs, **fields)
        return name
