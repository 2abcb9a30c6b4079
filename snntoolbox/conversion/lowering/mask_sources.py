"""What a softmax, or what else leaves values out, reads as a sum, and which of its parts inputs give alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import product

import networkx as nx
import numpy as np

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, LinearNode, Node
from snntoolbox.ir.nodes import Add, Input, MovingNode, Multiply, ReLU, Scale, Softmax

LEAST = 1e3
"""Constants so far below the largest of a row leave values out of a softmax.

exp(d - 1000) is 0 to float32, and to every level, for values that are up to d = 890 apart.
"""

MOST_SOURCES = 4
"""Inputs of truth values whose combinations are tried."""


class Scores:
    """What a node reads as a sum of what inputs give alone, and of other nodes; `reader` is the sum of that part."""

    def __init__(self, graph: Graph, node: Node, reader: str, given: str, sources: tuple[str, ...]) -> None:
        self.graph, self.reads, self.reader, self.given, self.sources = graph, node.name, reader, given, sources
        self.end = node.inputs[0]
        self.axis = node.axis % len(graph.shapes[node.name]) if isinstance(node, Softmax) else None
        self.path = path_to(graph, self.end)
        self.others = {i for n in self.path for i in graph.nodes[n].inputs if i not in self.path and i != given}

    @classmethod
    def under_inputs(cls, graph: Graph, reads: Node) -> list[Scores]:
        """One for each part of a sum on the way to a node that inputs give."""
        if isinstance(reads, Softmax) and reads.log:
            return []
        found = []
        for name in path_to(graph, reads.inputs[0]):
            node = graph.nodes[name]
            if isinstance(node, Add):
                given = ((i, sources_of(graph, i)) for i in node.inputs)
                found += [cls(graph, reads, name, i, sources) for i, sources in given if sources]
        return found

    def there(self, level: Array) -> Array:
        """Which values constants leave, in the row of a softmax or among all, where an input gives this to all."""
        zeros = {n: np.zeros((1, *self.graph.shapes[n])) for n in self.others}
        constants = self.sum_of({**zeros, self.given: level})[0]
        top = constants.max(self.axis, keepdims=True)
        return np.asarray((constants > top - LEAST) | (constants == top))

    def added(self, given: Array) -> Array:
        """What the node reads more where so much more is given."""
        zeros = {n: np.zeros((len(given), *self.graph.shapes[n])) for n in self.others}
        return self.sum_of({**zeros, self.given: given}, biased=False)

    def sum_of(self, values: Mapping[str, Array], biased: bool = True) -> Array:
        """What the node reads for these values of what is summed."""
        return computed(self.graph, self.end, dict(values), biased)


def levels(graph: Graph, name: str, sources: tuple[str, ...]) -> list[Array]:
    """What inputs give where all of each is 0, or 1, in all combinations: each a batch of one."""
    return [computed(graph, name, given) for given in _combinations(graph, sources)]


def truths_of(graph: Graph, names: Collection[str]) -> list[list[dict[str, Array]]]:
    """The values of those nodes that truth values give, for all combinations of these.

    A list for each group of nodes that have inputs in common, as others are independent of them.
    """
    sources = {name: found for name in names if (found := sources_of(graph, name)) and _are_truths(graph, found)}
    groups = nx.connected_components(nx.Graph((name, ("input", s)) for name, found in sources.items() for s in found))
    together = [[name for name in sources if name in group] for group in groups]
    inputs = [tuple(dict.fromkeys(s for name in group for s in sources[name])) for group in together]
    return [
        [{name: computed(graph, name, dict(given)) for name in group} for given in _combinations(graph, read)]
        for group, read in zip(together, inputs, strict=True)
    ]


def _combinations(graph: Graph, sources: tuple[str, ...]) -> list[dict[str, Array]]:
    """Inputs all of whose values are 0, or 1: all combinations."""
    return [
        {s: np.full((1, *graph.shapes[s]), value) for s, value in zip(sources, values, strict=True)}
        for values in product((0.0, 1.0), repeat=len(sources))
    ]


def _are_truths(graph: Graph, inputs: Collection[str]) -> bool:
    """Whether all of these inputs take truth values alone."""
    nodes = [graph.nodes[name] for name in inputs]
    return all(isinstance(node, Input) and node.truths for node in nodes)


def path_to(graph: Graph, end: str) -> list[str]:
    """The nodes by which sums are read: they move, scale and add values."""
    waiting, path = [end], list[str]()
    while waiting:
        name = waiting.pop()
        summing = name not in path and isinstance(graph.nodes[name], Scale | Add | MovingNode)
        if summing and not sources_of(graph, name):
            path.append(name)
            waiting += graph.nodes[name].inputs
    return path


def sources_of(graph: Graph, name: str) -> tuple[str, ...]:
    """The inputs that alone give a value: one by linear maps, or some of truth values by rectifiers and products too.

    Empty where there are none, or something else has a part in it.
    """
    waiting, seen, linear = [name], {name}, True
    while waiting:
        node = graph.nodes[waiting.pop()]
        if not isinstance(node, LinearNode | Input | ReLU | Multiply):
            return ()
        linear &= isinstance(node, LinearNode | Input)
        waiting += [i for i in node.inputs if i not in seen]
        seen.update(node.inputs)
    inputs = tuple(n for n in graph.inputs if n in seen)
    truths = _are_truths(graph, inputs) and len(inputs) <= MOST_SOURCES
    return inputs if truths or (linear and len(inputs) == 1) else ()


def computed(graph: Graph, end: str, values: dict[str, Array], biased: bool = True) -> Array:
    """The values of a node, from those of the nodes that are given; without biases only of linear ones."""
    if end not in values:
        node: Node = graph.nodes[end]
        below = [computed(graph, source, values, biased) for source in node.inputs]
        linear = isinstance(node, LinearNode) and not biased
        values[end] = np.asarray(node.linear(*below) if linear and isinstance(node, LinearNode) else node.apply(*below))
    return values[end]
