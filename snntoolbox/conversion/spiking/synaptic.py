"""Gives neurons synaptic currents that fade, one for all weights or one for those of each sign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from snntoolbox.ir.graph import Graph, first_free
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, LinearNode, Node, Shape
from snntoolbox.ir.nodes import Add, Conv, Dense, Scale, Sparse


def with_synaptic_currents(network: SpikingNetwork, synaptic: tuple[float, float]) -> SpikingNetwork:
    """The network whose spikes make currents of which these shares remain each step: see `IF.synaptic`.

    Where the two differ neurons get the input of each. The sign of a synapse is that of the product of the weights on
    its way; where there are several ways between two neurons each is a synapse of its own.
    """
    if not any(synaptic):
        return network
    signs = _Signs(network)
    populations = [signs.of(p, synaptic) for p in network.populations.values()]
    ends = [end for p in populations for end in p.currents] + [r.current for r in network.readouts]
    nodes = [*network.wiring.nodes.values(), *signs.nodes.values()]
    wiring = Graph(nodes, list(dict.fromkeys(ends)), name=network.name)
    return network.replaced(wiring=wiring, populations=populations)


def _negative(weights: Array) -> Array:
    return np.asarray(np.minimum(weights, 0))


def _signed(node: LinearNode, shapes: tuple[Shape, ...]) -> list[bool]:
    """For each input of a node whether some of its weights are negative."""
    if len(shapes) == 1 and node.weights is not None:
        return [bool(np.any(node.weights < 0))]
    return [bool(np.any(part.data < 0)) for part in node.synapses(*shapes)]


class _Signs:
    """The wiring of what comes through negative weights: for each node one that gives it, or None where all is 0."""

    def __init__(self, network: SpikingNetwork) -> None:
        self.wiring = network.wiring
        self.nodes: dict[str, Node] = {}
        self.known: dict[str, str | None] = {}

    def of(self, population: Population, synaptic: tuple[float, float]) -> Population:
        """The population with its synaptic currents, and the input of the inhibitory one if it has its own."""
        if not isinstance(population.neuron, IF):
            return population
        neuron = replace(population.neuron, synaptic=synaptic)
        if not neuron.parts.synapse.paired:
            return replace(population, neuron=neuron)
        for name in self.wiring.above([population.current]):
            if name not in self.known:
                self.known[name] = self._negative(self.wiring.nodes[name])
        found = self.known[population.current] or self._nothing(population.current)
        return replace(population, neuron=neuron, inhibitory=found)

    def _negative(self, node: Node) -> str | None:
        """N x + (P - N) n for the inputs x and what of them is negative, n: P and N are the parts of the node's map."""
        if not isinstance(node, LinearNode):
            return None
        below = [self.known[i] for i in node.inputs]
        signed = _signed(node, self.wiring.input_shapes(node.name))
        if not any(signed):
            return self._same(node, below)
        terms = [self._part(node, k, source, _negative) for k, source in enumerate(node.inputs) if signed[k]]
        terms += [self._part(node, k, name, np.abs) for k, name in enumerate(below) if name is not None]
        return terms[0] if len(terms) == 1 else self._add(Add(name=self._fresh(node), inputs=tuple(terms)))

    def _same(self, node: LinearNode, below: list[str | None]) -> str | None:
        """The map itself, without a negative weight, of what is negative below it."""
        if not any(below):
            return None
        inputs = tuple(name or self._nothing(i) for name, i in zip(below, node.inputs, strict=True))
        return self._add(replace(node, name=self._fresh(node), inputs=inputs))

    def _part(self, node: LinearNode, k: int, source: str, part: Callable[[Array], Array]) -> str:
        """A node's map from its k-th input alone, with this part of each weight."""
        name, inputs = self._fresh(node), (source,)
        if isinstance(node, (Dense, Conv)):
            return self._add(replace(node, weight=part(node.weight), name=name, inputs=inputs))
        if isinstance(node, Scale):
            return self._add(replace(node, gain=part(node.gain), name=name, inputs=inputs))
        shapes = self.wiring.input_shapes(node.name)
        matrix = node.synapses(*shapes)[k].copy()
        matrix.data = part(matrix.data)
        whole = {"matrix": matrix, "shape_in": shapes[k], "shape_out": self.wiring.shapes[node.name]}
        return self._add(Sparse(name=name, inputs=inputs, **whole))

    def _nothing(self, source: str) -> str:
        """Zeros of a node's shape."""
        gain = np.zeros((1,) * len(self.wiring.shapes[source]))
        return self._add(Scale(name=self._fresh(self.wiring.nodes[source]), inputs=(source,), gain=gain))

    def _add(self, node: Node) -> str:
        self.nodes[node.name] = node
        return node.name

    def _fresh(self, node: Node) -> str:
        return first_free(f"{node.name}/negative", self.wiring.nodes, self.nodes)
