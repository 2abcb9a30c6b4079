"""Writes smooth functions as what neurons with tables send, for schedules that count before others fire.

``f(x) = max(f(x), 0) - max(-f(x), 0)``: what is positive and what is negative have scales of their own, and nothing is
sent for 0. Functions that are never negative need the first alone, as does the product of a
value with itself, its square. Exact; the table rounds its input and its values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snntoolbox.ir.editing import Editing, rewritten
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import Add, Elementwise, Multiply, Tabulated

POSITIVE = frozenset({"sigmoid", "softplus", "exp"})
"""Functions without negative values."""


@dataclass(frozen=True)
class Tabulate:
    """The pass: no `Elementwise` is left, and nothing is multiplied with itself."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph with `Tabulated` nodes; the same one where there are none of these."""
        return rewritten(rewritten(graph, Elementwise, _halves), Multiply, _square, _squares)


def _squares(node: Multiply) -> bool:
    return node.inputs[0] == node.inputs[1]


def _square(editing: Editing, node: Multiply) -> Iterator[Node]:
    name = editing.fresh(f"{node.name}.square")
    yield Tabulated(name=name, inputs=node.inputs[:1], function="square", origin=node.origin)


def _halves(editing: Editing, node: Elementwise) -> Iterator[Node]:
    up, down, whole = (editing.fresh(f"{node.name}.{part}") for part in ("positive", "negative", "whole"))
    yield Tabulated(name=up, inputs=node.inputs, function=node.function, origin=node.origin)
    if node.function not in POSITIVE:
        yield Tabulated(name=down, inputs=node.inputs, function=node.function, sign=-1, origin=node.origin)
        yield Add(name=whole, inputs=(up, down), coefficients=(1.0, -1.0), origin=node.origin)
