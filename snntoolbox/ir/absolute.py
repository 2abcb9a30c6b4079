"""The graph that bounds sums: linear maps with the amounts of their weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import Add, Conv, Dense, Scale, Sparse


def absolute(wiring: Graph) -> Graph:
    """No value, nor any partial sum towards it, exceeds the value here for the largest amounts as inputs."""
    return wiring.edited([_absolute(node) for node in wiring.nodes.values()])


def _absolute(node: Node) -> Node:
    if isinstance(node, (Conv, Dense)):
        return replace(node, weight=np.abs(node.weight))
    if isinstance(node, Scale):
        return replace(node, gain=np.abs(node.gain))
    if isinstance(node, Add) and node.coefficients:
        return replace(node, coefficients=tuple(abs(c) for c in node.coefficients))
    return replace(node, matrix=abs(node.matrix)) if isinstance(node, Sparse) else node
