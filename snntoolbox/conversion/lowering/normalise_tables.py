"""Writes normalisations by a sample's own values with tables and products, for schedules that count before others fire.

``c / sqrt(mean(c^2) + epsilon) = c r``: squares and the inverse of the root are tables, one r serves a whole row of
values (the features of a token, or those of a group), and the product is one of counts in which c is not rounded: its
spikes are those of whatever came before. Exact; the tables, and the product, round to the levels of a window. As r is
common to a row, several neurons share it, whose tables round at places of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snntoolbox.conversion.lowering.shared_values import COMMON
from snntoolbox.ir.editing import Editing, rewritten
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import Add, Mean, Multiply, Normalise, Permute, Reshape, Tabulated, Take


@dataclass(frozen=True)
class NormaliseTables:
    """The pass: no `Normalise` is left."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph with tables and products in their place; the same one where there are none."""
        return rewritten(graph, Normalise, _written)


_STEMS = (
    *("turned", "rows", "mean", "means", "centred", "square", "variance", "inverse"),
    *("column", "inverses", "scaled", "whole", "back"),
)


SQUARES = 2
"""How many neurons share the square of a value."""


def _written(editing: Editing, node: Normalise) -> Iterator[Node]:
    shape, origin, (source,) = editing.shapes[node.name], node.origin, node.inputs
    names = {stem: editing.fresh(f"{node.name}.{stem}") for stem in _STEMS}
    others = [a for a in range(len(shape)) if a not in node.axes]
    # One axis of features comes first, where neurons have thresholds of their own; several stand behind their row.
    order = (*node.axes, *others) if len(node.axes) == 1 else (*others, *sorted(node.axes))
    turned = tuple(shape[a] for a in order)
    size, rest = math.prod(shape[a] for a in node.axes), math.prod(shape[a] for a in others)
    along, rows = (0, (size, rest)) if len(node.axes) == 1 else (1, (rest, size))

    def repeated(name: str, of: str) -> Node:
        return Take(name=names[name], inputs=(names[of],), axis=along, indices=(0,) * size, origin=origin)

    def table(name: str, of: str, function: str, neurons: int) -> Node:
        return Tabulated(name=names[name], inputs=(of,), function=function, neurons=neurons, origin=origin)

    if order != tuple(range(len(shape))):
        yield Permute(name=names["turned"], inputs=(source,), axes=order, origin=origin)
        source = names["turned"]
    yield Reshape(name=names["rows"], inputs=(source,), shape=rows, origin=origin)
    values = names["rows"]
    if node.centred:
        yield Mean(name=names["mean"], inputs=(values,), axes=(along,), keepdims=True, origin=origin)
        yield repeated("means", "mean")
        both = (values, names["means"])
        yield Add(name=names["centred"], inputs=both, coefficients=(1.0, -1.0), origin=origin)
        values = names["centred"]
    yield table("square", values, "square", SQUARES)
    epsilon = np.full((1,), node.epsilon) if node.epsilon else None
    yield Mean(name=names["variance"], inputs=(names["square"],), axes=(along,), bias=epsilon, origin=origin)
    yield table("inverse", names["variance"], "inverse_root", COMMON)
    column = tuple(1 if a == along else n for a, n in enumerate(rows))
    yield Reshape(name=names["column"], inputs=(names["inverse"],), shape=column, origin=origin)
    yield repeated("inverses", "column")
    yield Multiply(name=names["scaled"], inputs=(names["inverses"], values), whole=True, origin=origin)
    yield Reshape(name=names["whole"], inputs=(names["scaled"],), shape=turned, origin=origin)
    if order != tuple(range(len(shape))):
        back = tuple(order.index(a) for a in range(len(shape)))
        yield Permute(name=names["back"], inputs=(names["whole"],), axes=back, origin=origin)
