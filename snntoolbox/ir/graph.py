"""An artificial network in normal form: named nodes in a directed acyclic graph, never changed in place."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain, count
from types import MappingProxyType
from typing import Any

import networkx as nx
import numpy as np

from snntoolbox.errors import GraphError
from snntoolbox.ir.head import Head
from snntoolbox.ir.heads import told, worked_out
from snntoolbox.ir.node import Array, LinearNode, Node, Shape, broadcasts
from snntoolbox.ir.nodes import Floor, Input, ReLU


class Graph:
    """Nodes by name in topological order, the names of the inputs and outputs, every node's shape, each output's head.

    `heads` say what the outputs mean, in their order; where they are not given they are worked out from what stands at
    the outputs (see `worked_out`), once: an edited graph keeps them. Arrays are channels first and without batch; an
    `Input` keeps the user's own layout. Construction checks that names are unique, every input exists, there is no
    cycle, and shapes fit; GraphError otherwise.
    """

    def __init__(
        self, nodes: Iterable[Node], outputs: Sequence[str], *, name: str = "model", heads: Sequence[Head] = ()
    ) -> None:
        listed = list(nodes)
        by_name: dict[str, Node] = {}
        for node in listed:
            if node.name in by_name:
                raise GraphError("two nodes have this name", layer=node.name)
            by_name[node.name] = node
        for node in listed:
            for source in node.inputs:
                if source not in by_name:
                    raise GraphError(f"reads '{source}', which does not exist", layer=node.label)
        for output in outputs:
            if output not in by_name:
                raise GraphError(f"the output '{output}' does not exist")
        self.name = name
        self.outputs = tuple(outputs)
        self.inputs = tuple(n.name for n in listed if isinstance(n, Input))
        order = self._sort(by_name)
        self.nodes: Mapping[str, Node] = MappingProxyType({n: by_name[n] for n in order})
        shapes: dict[str, Shape] = {}
        for key, node in self.nodes.items():
            shapes[key] = node.output_shape(*(shapes[i] for i in node.inputs))
            bias = node.bias if isinstance(node, LinearNode) else None
            if bias is not None and not (bias.ndim == len(shapes[key]) and broadcasts(bias.shape, shapes[key])):
                raise node.misfit(f"bias of shape {bias.shape} does not fit output {shapes[key]}")
        self.shapes: Mapping[str, Shape] = MappingProxyType(shapes)
        if heads and len(heads) != len(self.outputs):
            raise GraphError(f"{len(heads)} heads for {len(self.outputs)} outputs")
        self._heads = tuple(heads)

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """What each output says."""
        return self._heads or worked_out(self.nodes, self.shapes, self.outputs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the graph is made of, not what follows from it."""
        return _rebuilt, (list(self.nodes.values()), self.outputs, self.name, self._heads)

    @staticmethod
    def _sort(by_name: Mapping[str, Node]) -> list[str]:
        """Topological order that keeps the given order where it can, so that listings read like the model."""
        rank = {name: i for i, name in enumerate(by_name)}
        if all(rank[i] < rank[n.name] for n in by_name.values() for i in n.inputs):
            return list(by_name)
        digraph = nx.DiGraph()
        digraph.add_nodes_from(by_name)
        digraph.add_edges_from((i, n.name) for n in by_name.values() for i in n.inputs)
        try:
            return list(nx.lexicographical_topological_sort(digraph, key=rank.__getitem__))
        except nx.NetworkXUnfeasible:
            cycle = " -> ".join(edge[0] for edge in nx.find_cycle(digraph))
            raise GraphError(f"nodes form a cycle: {cycle}") from None

    @cached_property
    def digraph(self) -> nx.MultiDiGraph:
        """The nodes and one edge per input, for drawing and graph algorithms."""
        digraph = nx.MultiDiGraph()
        digraph.add_nodes_from((name, {"node": node}) for name, node in self.nodes.items())
        digraph.add_edges_from((i, n.name) for n in self.nodes.values() for i in n.inputs)
        return digraph

    @cached_property
    def consumers(self) -> Mapping[str, tuple[str, ...]]:
        """For each node the nodes that read it, once per input that does."""
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for node in self.nodes.values():
            for source in node.inputs:
                found[source].append(node.name)
        return {name: tuple(names) for name, names in found.items()}

    @cached_property
    def rank(self) -> Mapping[str, int]:
        """The place of each node in the order."""
        return {name: i for i, name in enumerate(self.nodes)}

    def above(self, names: Iterable[str], within: Callable[[str], bool] | None = None) -> list[str]:
        """These nodes and all that they depend on, in order, on ways through nodes `within` alone.

        Takes as long as there are of them, however large the graph is.
        """
        return sorted(_reached(self.nodes, names, within), key=self.rank.__getitem__)

    def input_shapes(self, name: str) -> tuple[Shape, ...]:
        """The shapes that a node reads."""
        return tuple(self.shapes[i] for i in self.nodes[name].inputs)

    def node_weights(self) -> int:
        """The number of stored weights and biases."""
        count = 0
        for node in self.nodes.values():
            if isinstance(node, LinearNode):
                count += 0 if node.weights is None else node.weights.size
                count += 0 if node.bias is None else node.bias.size
        return count

    # -- running ------------------------------------------------------------------------------------------------

    def values(self, *x: Array, keep: Iterable[str] | None = None) -> dict[str, Array]:
        """Values of the nodes named in `keep` (default: the outputs) for a batch of each input, in numpy.

        Computes in the inputs' floating type (float64 for others). This is the oracle of every frontend and pass.
        """
        keep = set(self.outputs if keep is None else keep)
        if len(x) != len(self.inputs):
            raise GraphError(f"the graph has {len(self.inputs)} inputs ({', '.join(self.inputs)}), got {len(x)}")
        values = {name: self._checked(name, array) for name, array in zip(self.inputs, x, strict=True)}
        last_use = {i: name for name, node in self.nodes.items() for i in node.inputs}
        for name, node in self.nodes.items():
            if not isinstance(node, Input):
                values[name] = node.apply(*(values[i] for i in node.inputs))
            for source in {*node.inputs, name}:
                if last_use.get(source, source) == name and source not in keep:
                    del values[source]
        return values

    def run(self, *x: Array) -> Array:
        """The first output for a batch of each input, shape (batch, *shape)."""
        return self.values(*x, keep=self.outputs)[self.outputs[0]]

    def _checked(self, name: str, array: Array) -> Array:
        array = np.asarray(array)
        if array.shape[1:] != self.shapes[name]:
            raise GraphError(f"expects samples of shape {self.shapes[name]}, got {array.shape[1:]}", layer=name)
        return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)

    # -- editing ------------------------------------------------------------------------------------------------

    def edited(
        self,
        changed: Iterable[Node] = (),
        *,
        redirect: Mapping[str, str] | None = None,
        outputs: Sequence[str] | None = None,
        heads: Sequence[Head] = (),
    ) -> Graph:
        """A new graph with nodes added or replaced by name, readers redirected, and what nobody reads dropped.

        Its outputs say what they said; of other `outputs` the `heads` say so, or it is worked out from them.

        `redirect` maps a node's name to the one that its readers (and the outputs) read instead; chains are
        followed. It does not apply to the nodes in `changed`, which read what they say.
        """
        redirect = dict(redirect or {})
        new = {node.name: node for node in changed}
        merged: dict[str, Node] = {}
        for name, node in self.nodes.items():
            if name in new:
                merged[name] = new.pop(name)
            else:
                wanted = tuple(followed(redirect, i) for i in node.inputs)
                merged[name] = node if wanted == node.inputs else node.with_inputs(*wanted)
        merged.update(new)
        ends = [followed(redirect, o) for o in (self.outputs if outputs is None else outputs)]
        kept = heads or (self.heads if outputs is None else ())
        return Graph(needed(merged, ends), ends, name=self.name, heads=kept)

    def with_heads(self, heads: Mapping[str, Head | str]) -> Graph:
        """The same graph whose outputs of these names say this (a head, or its kind); GraphError, ArgumentError."""
        if unknown := sorted(set(heads) - set(self.outputs)):
            raise GraphError(f"the output '{unknown[0]}' does not exist", hint=f"outputs: {', '.join(self.outputs)}")
        pairs = zip(self.outputs, self.heads, strict=True)
        every = [told(heads[o], self.nodes, self.shapes, o) if o in heads else h for o, h in pairs]
        return Graph(self.nodes.values(), self.outputs, name=self.name, heads=every)

    def fresh(self, stem: str, taken: Container[str] = ()) -> str:
        """A name beginning with `stem` that no node has, and none of `taken` is."""
        return first_free(stem, self.nodes, taken)

    @property
    def jumps(self) -> bool:
        """Whether a step is in it (a quantised rectifier), so that a rounding error can change a value by a level."""
        return any(isinstance(n, Floor) or (isinstance(n, ReLU) and n.levels) for n in self.nodes.values())

    def __repr__(self) -> str:
        ins, outs = (", ".join(f"{n}{self.shapes[n]}" for n in names) for names in (self.inputs, self.outputs))
        return f"Graph({self.name!r}: {len(self.nodes)} nodes, {ins} -> {outs}, {self.node_weights()} parameters)"

    def __len__(self) -> int:
        return len(self.nodes)

    def size(self, name: str) -> int:
        """The number of values of a node per sample."""
        return math.prod(self.shapes[name])


def _rebuilt(nodes: Iterable[Node], outputs: Sequence[str], name: str, heads: Sequence[Head]) -> Graph:
    return Graph(nodes, outputs, name=name, heads=heads)


def first_free(stem: str, *taken: Container[str]) -> str:
    """`stem`, or `stem` with the least number behind it that makes it none of the names taken."""
    numbered = (f"{stem}_{i}" for i in count(2))
    return next(name for name in chain((stem,), numbered) if not any(name in names for names in taken))


def followed(redirect: Mapping[str, str], name: str) -> str:
    """Where the chain of redirections from `name` ends."""
    while name in redirect:
        name = redirect[name]
    return name


def needed(nodes: Mapping[str, Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes that the outputs depend on, and all inputs, in the given order."""
    wanted = _reached(nodes, outputs)
    return [n for name, n in nodes.items() if name in wanted or isinstance(n, Input)]


def _reached(
    nodes: Mapping[str, Node], names: Iterable[str], within: Callable[[str], bool] | None = None
) -> set[str]:
    """These names and those of all nodes that they depend on, on ways through those `within`."""
    reached: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in reached:
            continue
        if name not in nodes:
            raise GraphError(f"'{name}' does not exist")
        reached.add(name)
        inputs = nodes[name].inputs
        todo.extend(inputs if within is None else filter(within, inputs))
    return reached
