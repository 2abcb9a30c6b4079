"""Gives average pooling neurons of its own, as the reference toolbox has them (`avgpool_neurons`)."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import AveragePool, MaxPool, Mean, ReLU


@dataclass(frozen=True)
class SpikingAveragePools:
    """A rectifier behind every average of values that are never negative; exact, since it changes nothing there."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph with those rectifiers; averages of values of any sign stay linear maps."""
        positive: set[str] = set()
        for name, node in graph.nodes.items():
            rectified = isinstance(node, ReLU)
            kept = isinstance(node, (AveragePool, Mean, MaxPool)) and node.inputs[0] in positive
            if rectified or kept:
                positive.add(name)
        for name in positive:
            node = graph.nodes[name]
            if isinstance(node, (AveragePool, Mean)):
                spiking = graph.fresh(f"{name}.spiking")
                relu = ReLU(name=spiking, inputs=(name,), origin=node.origin)
                graph = graph.edited([node, relu], redirect={name: spiking})
        return graph
