"""Takes a sigmoid off the output of a classifier: logits decide as it does, and one logit becomes two classes."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.conversion.lowering.lower_outputs import node_at
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import Dense, Reshape
from snntoolbox.ir.nodes.elementwise import Elementwise

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LowerLogits:
    """A sigmoid at outputs that say classes is dropped; a single logit z gives the outputs (-z/2, z/2).

    Sigmoid is monotone, so the largest logit is the largest output; sigmoid(z) > 1/2 where z > 0, so one logit says
    class 1 where the second of (-z/2, z/2) is the larger: their softmax is (1 - sigmoid(z), sigmoid(z)). Both classes
    can be said by spikes. Only a sigmoid that nobody else reads, and none at plain values, which are what is wanted.
    With `keep_sigmoid` they stay: the values are wanted, and approximated.
    """

    keep_sigmoid: bool = False

    def __call__(self, graph: Graph) -> Graph:
        """The graph whose outputs are logits."""
        changed: dict[str, Node] = {}
        redirect, ends, heads = {}, list(graph.outputs), list(graph.heads)
        for i, (output, head) in enumerate(zip(graph.outputs, graph.heads, strict=True)):
            sigmoid = None if self.keep_sigmoid else sigmoid_at(graph, output)
            if sigmoid is None and (head.kind != "logits" or head.threshold):
                continue
            if head.kind == "logits" and graph.size(output) == 1:
                both = _both_classes(graph, output, sigmoid, changed)
                changed |= {node.name: node for node in both}
                ends[i], heads[i] = both[-1].name, Head(kind="classes")
                log.info("class 1 is where the logit at the output '%s' is above 0", output)
            elif sigmoid is not None:
                redirect[sigmoid.name], heads[i] = sigmoid.inputs[0], replace(head, threshold=0.0)
                log.warning(_DROPPED, output)
        return graph.edited(changed.values(), redirect=redirect, outputs=ends, heads=heads)


_DROPPED = (
    "the sigmoid at the output '%s' is dropped: its read-outs are logits, whose order is the same; "
    "approximate = sigmoid keeps its values"
)


def _both_classes(graph: Graph, output: str, sigmoid: Node | None, taken: Collection[str]) -> list[Node]:
    """What gives (-z/2, z/2) for the single z of an output, or of the sigmoid there; that one gives its name away."""
    origin = (sigmoid or graph.nodes[output]).origin
    source = output if sigmoid is None else sigmoid.inputs[0]
    flat = Reshape(name=graph.fresh(f"{output}.logit", taken), inputs=(source,), shape=(1,), origin=origin)
    name = output if sigmoid is not None else graph.fresh(f"{output}.classes", taken)
    return [flat, Dense(name=name, inputs=(flat.name,), weight=np.array([[-0.5], [0.5]]), origin=origin)]


def sigmoid_at(graph: Graph, output: str) -> Elementwise | None:
    """The sigmoid whose values, moved at most, are this output alone, where the output says classes."""
    head = graph.heads[graph.outputs.index(output)]
    node = node_at(graph, output) if head.decides and graph.outputs.count(output) == 1 else None
    return node if isinstance(node, Elementwise) and node.function == "sigmoid" else None
