"""Writes a softmax between layers with tables and a product, for schedules that count before others fire.

``softmax(x) = e r`` with ``e = exp(x - max(x))`` and ``r = 1 / sum(e)``: the maximum is a tree of rectifiers, so that
no e is above 1 and one of each row is 1, exp and the inverse of a number from 1 to the length of a row are tables, and
the product is one of counts. Exact; tables and rectifiers round to the levels of a window.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import (
    Add,
    MaxPool,
    Mean,
    MovingNode,
    Multiply,
    Permute,
    Reshape,
    Scale,
    Softmax,
    Tabulated,
    Take,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SoftmaxTables:
    """The pass; those in `kept`, logarithms and rows of one value stay."""

    kept: frozenset[str] = frozenset()

    def __call__(self, graph: Graph) -> Graph:
        """The graph without the others."""
        editing = Editing(graph)
        for name in [n.name for n in graph.nodes.values() if isinstance(n, Softmax) and n.name not in self.kept]:
            node = editing.nodes[name]
            assert isinstance(node, Softmax)
            if not node.log and editing.shapes[name][node.axis] > 1:
                nodes = list(_written(editing, node))
                editing.edit(nodes, redirect={name: nodes[-1].name})
        return editing.graph()


MASKED, FADED = 1e3, 32.0
"""Constants added to what softmax reads that are so far apart leave values out, or take levels."""


def masked(graph: Graph) -> dict[str, str]:
    """For each softmax between layers that reads values with a mask why it stays, by name; warns of weaker masks."""
    why = "reads values that a mask leaves out: no scale of neurons fits these and the others"
    apart = {n.name: _apart(graph, n) for n in graph.nodes.values() if isinstance(n, Softmax)}
    for name, distance in apart.items():
        if FADED <= distance < MASKED:
            told = "%s: constants %g apart are added to what softmax reads; that takes levels of the other values: %s"
            log.warning(told, graph.nodes[name].label, distance, "longer windows, or a mask of -10, keep them")
    return {name: why for name, distance in apart.items() if distance >= MASKED}


def _apart(graph: Graph, node: Softmax) -> float:
    """How far the constants that are added before a softmax are apart."""
    waiting, apart = list(node.inputs), 0.0
    while waiting:
        source = graph.nodes[waiting.pop()]
        if isinstance(source, Scale | Add | MovingNode):
            if source.bias is not None:
                apart = max(apart, float(np.ptp(source.bias)))
            waiting += source.inputs
    return apart


def _written(editing: Editing, node: Softmax) -> Iterator[Node]:
    shape, origin, (source,) = editing.shapes[node.name], node.origin, node.inputs
    axis, length = node.axis % len(shape), shape[node.axis]
    order = (*(a for a in range(len(shape)) if a != axis), axis)
    turned = tuple(shape[a] for a in order)
    stems = ("turned", "rows", "top", "tops", "below", "exp", "sum", "inverse", "inverses", "share", "whole", "back")
    names = {stem: editing.fresh(f"{node.name}.{stem}") for stem in stems}

    def repeated(name: str, of: str) -> Node:
        return Take(name=names[name], inputs=(names[of],), axis=1, indices=(0,) * length, origin=origin)

    if axis != len(shape) - 1:
        yield Permute(name=names["turned"], inputs=(source,), axes=order, origin=origin)
        source = names["turned"]
    rows = (math.prod(turned[:-1]), length)
    yield Reshape(name=names["rows"], inputs=(source,), shape=rows, origin=origin)
    window = {"kernel": (length,), "stride": (length,), "padding": ((0, 0),), "dilation": (1,)}
    yield MaxPool(name=names["top"], inputs=(names["rows"],), origin=origin, **window)  # type: ignore[arg-type]
    yield repeated("tops", "top")
    below = (names["rows"], names["tops"])
    yield Add(name=names["below"], inputs=below, coefficients=(1.0, -1.0), origin=origin)
    yield Tabulated(name=names["exp"], inputs=(names["below"],), function="exp", most=0.0, origin=origin)
    yield Mean(name=names["sum"], inputs=(names["exp"],), axes=(1,), keepdims=True, summed=True, origin=origin)
    top = float(length)
    yield Tabulated(name=names["inverse"], inputs=(names["sum"],), function="inverse", most=top, origin=origin)
    yield repeated("inverses", "inverse")
    yield Multiply(name=names["share"], inputs=(names["inverses"], names["exp"]), origin=origin)
    yield Reshape(name=names["whole"], inputs=(names["share"],), shape=turned, origin=origin)
    if axis != len(shape) - 1:
        back = tuple(order.index(a) for a in range(len(shape)))
        yield Permute(name=names["back"], inputs=(names["whole"],), axes=back, origin=origin)
