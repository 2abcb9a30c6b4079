"""Finds the rectifiers of max pooling, which lose nothing where they have the scales of what they compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from snntoolbox.conversion.thresholds.thresholds import Scales
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Add, Concat, Pad, ReLU, Take

Sources = tuple[str, ...]
"""The rectifiers whose channels, one behind the other, are those of a node, each value being one of theirs, or zero."""


@dataclass(frozen=True)
class Comparisons:
    """The rectifiers of ``max(a, b) = b + relu(a - b)``, where a and b are values of one layer of rectifiers.

    Where layers fire in turn, a and b are whole numbers n of ``s / T``, from 0 to T. So with the same scale s is
    a - b, which is sent without rounding, and their maximum is such a number again: a tree of comparisons is exact.

    sources: of each comparing rectifier those whose values it compares. read: of each rectifier that is only compared
    the node whose values are all that others read of it, the maximum.
    """

    sources: Mapping[str, Sources]
    read: Mapping[str, str]

    @classmethod
    def of(cls, graph: Graph) -> Comparisons:
        """Those of a graph."""
        found: dict[str, Sources] = {}
        compared: dict[str, Sources] = {}
        inner: set[tuple[str, str]] = set()
        for name, node in graph.nodes.items():
            before = [found.get(i) for i in node.inputs]
            if pair := _difference(graph, node):
                if (of := found.get(pair[0])) is not None and of == found.get(pair[1]):
                    compared[name] = of
                    inner |= {(i, graph.nodes[name].inputs[0]) for i in pair}
            elif _source(node):
                found[name] = (name,)
            elif _moves(node) and before[0] is not None:
                found[name] = before[0]
                inner.add((node.inputs[0], name))
            elif isinstance(node, Concat) and node.axis == 0 and all(before):
                found[name] = tuple(source for sources in before if sources for source in sources)
            elif (smaller := _maximum(graph, node, compared)) is not None:
                found[name] = found[smaller]
                inner.add((smaller, name))
        ends: dict[str, list[str]] = {}
        for name, sources in found.items():
            readers = {(name, reader) for reader in graph.consumers.get(name, ())}
            if len(sources) == 1 and (name in graph.outputs or not readers <= inner):
                ends.setdefault(sources[0], []).append(name)
        return cls(compared, {source: end[0] for source, end in ends.items() if len(end) == 1 and end[0] != source})

    def tied(self, graph: Graph, scales: Scales) -> Scales:
        """The scales with those of comparing rectifiers as the rectifiers have that they compare."""
        return {**scales, **{name: _joined(graph, sources, scales) for name, sources in self.sources.items()}}


def _source(node: Node) -> TypeGuard[ReLU]:
    """Whether it is a rectifier with one scale for all places of a channel."""
    if not isinstance(node, ReLU) or not node.of_input:
        return False
    bound = np.shape(1.0 if node.max_value is None else node.max_value)
    return all(n == 1 for n in bound[1:])


def _moves(node: Node) -> bool:
    """Whether it moves values within their channels."""
    return (isinstance(node, Take) and node.axis > 0) or (isinstance(node, Pad) and node.pads[0] == (0, 0))


def _difference(graph: Graph, node: Node) -> tuple[str, str] | None:
    """a and b, where a node is ``relu(a - b)``."""
    if not isinstance(node, ReLU) or not node.of_input or node.max_value is not None:
        return None
    before = graph.nodes[node.inputs[0]]
    if not isinstance(before, Add) or before.factors != (1.0, -1.0):
        return None
    return before.inputs[0], before.inputs[1]


def _maximum(graph: Graph, node: Node, compared: Mapping[str, Sources]) -> str | None:
    """b, where a node is ``b + relu(a - b)``."""
    if not isinstance(node, Add) or node.factors != (1.0, 1.0) or node.inputs[1] not in compared:
        return None
    pair = _difference(graph, graph.nodes[node.inputs[1]])
    return node.inputs[0] if pair is not None and pair[1] == node.inputs[0] else None


def _joined(graph: Graph, sources: Sources, scales: Scales) -> Array:
    if len(sources) == 1:
        return scales[sources[0]]
    return np.concatenate([_each_channel(scales[s], graph.shapes[s][0]) for s in sources])


def _each_channel(scale: Array, channels: int) -> Array:
    return np.broadcast_to(scale, (channels, *scale.shape[1:]))
