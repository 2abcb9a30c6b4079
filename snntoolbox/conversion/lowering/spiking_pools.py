"""Gives average pooling neurons of its own, as the reference toolbox has them (`avgpool_neurons`)."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import AveragePool, MaxPool, Mean, MovingNode, ReLU


@dataclass(frozen=True)
class SpikingAveragePools:
    """A rectifier behind every average of values that are never negative; exact, since it changes nothing there."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph with those rectifiers; averages of values of any sign stay linear maps."""
        editing = Editing(graph)
        positive: dict[str, Node] = {}
        for name, node in editing.nodes.items():
            if isinstance(node, ReLU) or (_keeps_sign(node) and all(i in positive for i in node.inputs)):
                positive[name] = node
        for name, node in positive.items():
            if isinstance(node, (AveragePool, Mean)):
                relu = ReLU(name=editing.fresh(f"{name}.spiking"), inputs=(name,), origin=node.origin)
                editing.edit([editing.nodes[name], relu], redirect={name: relu.name})
        return editing.graph()


def _keeps_sign(node: Node) -> bool:
    """Whether it makes no negative value of values that are not."""
    if isinstance(node, (AveragePool, Mean, MovingNode)):
        return node.bias is None or bool((node.bias >= 0).all())
    return isinstance(node, MaxPool)
