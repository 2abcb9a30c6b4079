"""Settles what stands at the output and which pooling is used: softmax dropped or rectified, max turned to average."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import AveragePool, MaxPool, ReLU, Reshape, Softmax


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


@dataclass(frozen=True)
class LowerSoftmax:
    """A softmax at an output is dropped (the class does not change) or, with `to_relu`, replaced by a rectifier.

    Only one that nobody else reads, reshapes behind it aside: a softmax between layers stays and is refused at
    conversion.
    """

    to_relu: bool = False

    def __call__(self, graph: Graph) -> Graph:
        """The graph whose outputs are logits or rectified logits."""
        changed: list[Node] = []
        redirect = {}
        for output in dict.fromkeys(graph.outputs):
            node = node_at(graph, output)
            if isinstance(node, Softmax):
                if self.to_relu:
                    changed.append(ReLU(name=node.name, inputs=node.inputs, origin=node.origin))
                else:
                    redirect[node.name] = node.inputs[0]
        return graph.edited(changed, redirect=redirect)


@dataclass(frozen=True)
class RectifyOutputs:
    """A rectifier behind every output that has none, so that the output layer spikes."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph with rectified outputs."""
        changed: dict[str, ReLU] = {}
        outputs = []
        for output in graph.outputs:
            if isinstance(graph.nodes[output], ReLU):
                outputs.append(output)
                continue
            name = graph.fresh(f"{output}.spiking", changed)
            changed[name] = ReLU(name=name, inputs=(output,), origin=graph.nodes[output].origin)
            outputs.append(name)
        return graph.edited(changed.values(), outputs=outputs)


@dataclass(frozen=True)
class MaxToAveragePooling:
    """Average in place of max pooling over the same windows (`max2avg_pool`). Not exact: the network changes."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph without `MaxPool`; GraphError where a pool is dilated, which an average pool is not."""
        changed = []
        for pool in graph.nodes.values():
            if isinstance(pool, MaxPool):
                if any(d != 1 for d in pool.dilation):
                    raise pool.misfit("is dilated: max2avg_pool cannot replace it")
                fields = {"kernel": pool.kernel, "stride": pool.stride, "padding": pool.padding}
                changed.append(AveragePool(name=pool.name, inputs=pool.inputs, origin=pool.origin, **fields))  # type: ignore[arg-type]
        return graph.edited(changed)
