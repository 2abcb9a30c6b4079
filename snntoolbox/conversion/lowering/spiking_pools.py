"""Gives average pooling neurons of its own, as the reference toolbox has them (`avgpool_neurons`)."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import AveragePool, MaxPool, Mean, MovingNode, ReLU


@dataclass(frozen=True)
class SpikingAveragePools:
    """A rectifier behind every average of values that are never negative; exact, since it changes nothing there."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph with those rectifiers; averages of values of any sign stay linear maps."""
        positive: list[str] = []
        for name, node in graph.nodes.items():
            if isinstance(node, ReLU) or (_keeps_sign(node) and all(i in positive for i in node.inputs)):
                positive.append(name)
        for name in positive:
            node = graph.nodes[name]
            if isinstance(node, (AveragePool, Mean)):
                spiking = graph.fresh(f"{name}.spiking")
                relu = ReLU(name=spiking, inputs=(name,), origin=node.origin)
                graph = graph.edited([node, relu], redirect={name: spiking})
        return graph


def _keeps_sign(node: Node) -> bool:
    """Whether it makes no negative value of values that are not."""
    if isinstance(node, (AveragePool, Mean, MovingNode)):
        return node.bias is None or bool((node.bias >= 0).all())
    return isinstance(node, MaxPool)
