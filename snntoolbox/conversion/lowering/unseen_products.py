"""Leaves out products of which nothing is read, or one factor is always 0: half of those of causal attention.

What a mask leaves out of a softmax is not read, and its share is 0; so neither the products of its query and key are
needed, nor those of its share and value. Exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, LinearNode, Node, Shape
from snntoolbox.ir.nodes import Add, Elementwise, Floor, Mean, MovingNode, Multiply, Pad, ReLU, Reshape, Scale, Take

Marks = dict[str, Array]
"""For some nodes which of their values have a property, in the shape of a sample; for the others none has."""

_EACH = (Add, Elementwise, Floor, Multiply, ReLU, Scale)
"""Nodes each of whose values depends on those in its place alone."""


@dataclass(frozen=True)
class UnseenProducts:
    """The pass: products whose values are all wanted stay as they are."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph with fewer products; the same one where each is read and may be other than 0."""
        products = [n for n in graph.nodes.values() if isinstance(n, Multiply)]
        if not products:
            return graph
        editing, zero, unread = Editing(graph), _zeros(graph), _unread(graph)
        for product in products:
            none = np.zeros(graph.shapes[product.name], bool)
            idle = zero.get(product.name, none) | unread.get(product.name, none)
            if idle.any() and not idle.all():
                nodes = _fewer(editing, product.name, ~idle)
                editing.edit(nodes, redirect={product.name: nodes[-1].name})
        return editing.graph()


def _fewer(editing: Editing, name: str, wanted: Array) -> list[Node]:
    """A product of the wanted values alone, and zeros for the others; channels stay apart where all want the same."""
    product, nodes = editing.nodes[name], list[Node]()
    channels = len(wanted) if wanted.ndim > 1 and np.all(wanted == wanted[:1]) else 1
    rows = wanted.reshape(channels, -1)
    places = np.flatnonzero(rows[0])

    def add(kind: type[Node], stem: str, source: str, **fields: object) -> str:
        fresh = editing.fresh(f"{name}.{stem}", [n.name for n in nodes])
        nodes.append(kind(name=fresh, inputs=(source,), origin=product.origin, **fields))
        return fresh

    factors = []
    for factor, source in zip("xy", product.inputs, strict=True):
        flat = add(Reshape, f"{factor}_flat", source, shape=rows.shape)
        factors.append(add(Take, f"{factor}_wanted", flat, axis=1, indices=tuple(places.tolist())))
    fresh = editing.fresh(f"{name}.wanted", [n.name for n in nodes])
    nodes.append(product.renamed(fresh).with_inputs(*factors))
    padded = add(Pad, "padded", fresh, pads=((0, 0), (0, 1)))
    back = np.where(rows[0], rows[0].cumsum() - 1, len(places))
    spread = add(Take, "spread", padded, axis=1, indices=tuple(back.tolist()))
    add(Reshape, "all", spread, shape=wanted.shape)
    return nodes


def _zeros(graph: Graph) -> Marks:
    """Which values are 0 whatever comes in."""
    zero: Marks = {}
    for name, node in graph.nodes.items():
        below = [zero.get(i) for i in node.inputs]
        if isinstance(node, LinearNode) and node.bias is not None:
            continue
        full = [np.zeros(graph.shapes[i], bool) if b is None else b for i, b in zip(node.inputs, below, strict=True)]
        if isinstance(node, MovingNode):
            moved = ~np.asarray(node.linear(*(~b[None] for b in full))[0])
        elif isinstance(node, Multiply):
            moved = full[0] | full[1]
        elif isinstance(node, Add | Scale) or (isinstance(node, ReLU) and node.of_input):
            moved = np.logical_and.reduce(full)
        else:
            continue
        if moved.any():
            zero[name] = moved
    return zero


def _unread(graph: Graph) -> Marks:
    """Which values nothing reads that reaches an output."""
    read: dict[str, Array] = {name: np.ones(graph.shapes[name], bool) for name in graph.outputs}
    for node in reversed(list(graph.nodes.values())):
        wanted = read.get(node.name, np.zeros(graph.shapes[node.name], bool))
        for source, mark in zip(node.inputs, _wanted_below(graph, node, wanted), strict=True):
            read[source] = read[source] | mark if source in read else mark
    return {name: ~mark for name, mark in read.items() if not mark.all()}


def _wanted_below(graph: Graph, node: Node, wanted: Array) -> list[Array]:
    """What of the inputs of a node is read where these of its own values are."""
    shapes = graph.input_shapes(node.name)
    if isinstance(node, MovingNode):
        return _moved_back(node, shapes, wanted)
    if wanted.all() or not isinstance(node, (*_EACH, Mean)):
        return [np.full(shape, bool(wanted.any())) for shape in shapes]
    if isinstance(node, Mean):
        rank = len(shapes[0])
        kept = [1 if a in {b % rank for b in node.axes} else n for a, n in enumerate(shapes[0])]
        return [np.broadcast_to(wanted.reshape(kept), shapes[0])]
    return [wanted] * len(shapes)


def _moved_back(node: MovingNode, shapes: tuple[Shape, ...], wanted: Array) -> list[Array]:
    """The inputs' values that are moved to wanted places."""
    sizes = [math.prod(shape) for shape in shapes]
    ends = np.cumsum([0, *sizes])
    places = [np.arange(a, b).reshape(1, *shape) + 1 for a, b, shape in zip(ends, ends[1:], shapes, strict=False)]
    moved = np.asarray(node.linear(*places)[0])
    mark = np.zeros(ends[-1] + 1, bool)
    mark[moved[wanted]] = True
    return [m.reshape(shape) for m, shape in zip(np.split(mark[1:], ends[1:-1]), shapes, strict=True)]
