"""Finds what stands at an output of a graph: the node whose values nobody else reads."""

from __future__ import annotations

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import Reshape


def node_at(graph: Graph, output: str) -> Node | None:
    """The node whose values, reshaped at most, are this output alone; None where others read them too."""
    name, readers = output, 0
    while len(graph.consumers[name]) == readers:
        node = graph.nodes[name]
        if not isinstance(node, Reshape) or node.bias is not None:
            return node
        name, readers = node.inputs[0], 1
        if name in graph.outputs:
            return None
    return None
