"""Writes hard swish with rectifiers and a product, for schedules that multiply: exact, without line segments.

``x clip(x / 6 + 1/2, 0, 1) = relu(x) - m (3 - m) / 6`` with ``m = min(|x|, 3)``: what a product takes off a rectifier
is at most 3/8, so that its rounding is small beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import Add, Elementwise, Multiply, ReLU, Scale


@dataclass(frozen=True)
class HardSwishProducts:
    """The pass; exact."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph without hard swish."""
        editing = Editing(graph)
        for name in [n.name for n in graph.nodes.values() if isinstance(n, Elementwise) and n.function == "hard_swish"]:
            nodes = list(_written(editing, editing.nodes[name]))
            editing.edit(nodes, redirect={name: nodes[-1].name})
        return editing.graph()


def _written(editing: Editing, node: Node) -> Iterator[Node]:
    parts = ("up", "low", "minus", "down", "size", "rest", "factor", "taken", "whole")
    up, low, minus, down, size, rest, factor, taken, whole = (editing.fresh(f"{node.name}.{part}") for part in parts)
    ones, origin = np.ones((1,) * len(editing.shapes[node.name])), node.origin
    yield ReLU(name=up, inputs=node.inputs, origin=origin)
    yield ReLU(name=low, inputs=node.inputs, max_value=3.0, origin=origin)
    yield Scale(name=minus, inputs=node.inputs, gain=-ones, origin=origin)
    yield ReLU(name=down, inputs=(minus,), max_value=3.0, origin=origin)
    yield Add(name=size, inputs=(low, down), origin=origin)
    yield Scale(name=rest, inputs=(size,), gain=-ones / 6, bias=ones / 2, origin=origin)
    yield ReLU(name=factor, inputs=(rest,), origin=origin)
    yield Multiply(name=taken, inputs=(factor, size), origin=origin)
    yield Add(name=whole, inputs=(up, taken), coefficients=(1.0, -1.0), origin=origin)
