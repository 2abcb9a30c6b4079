"""Takes a sigmoid off the output of a classifier: logits decide as it does, and one logit becomes two classes."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.conversion.lowering.lower_outputs import node_at
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.heads import end_of
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import Dense, Reshape
from snntoolbox.ir.nodes.elementwise import Elementwise

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LowerLogits:
    """A sigmoid at outputs that say classes is dropped; a single logit z gives the outputs (-(z - t)/2, (z - t)/2).

    Sigmoid is monotone, so the largest logit is the largest output; sigmoid(z) > p where z > t = log(p / (1 - p)), so
    one logit says class 1 where the second of those is the larger: for p = 1/2 their softmax is (1 - sigmoid(z),
    sigmoid(z)). Both classes can be said by spikes. Only a sigmoid that nobody else reads, and none at plain values,
    which are what is wanted. With `keep_sigmoid` they stay: the values are wanted, and approximated.
    """

    keep_sigmoid: bool = False

    def __call__(self, graph: Graph) -> Graph:
        """The graph whose outputs are logits."""
        changed: dict[str, Node] = {}
        redirect, ends, heads = {}, list(graph.outputs), list(graph.heads)
        for i, (output, head) in enumerate(zip(graph.outputs, graph.heads, strict=True)):
            sigmoid = sigmoid_at(graph, output)
            if (sigmoid is not None and self.keep_sigmoid) or _at_others(graph, output, sigmoid):
                continue
            if sigmoid is not None:
                heads[i] = head = replace(head, threshold=_logit(head.threshold) if head.kind == "logits" else 0.0)
            if sigmoid is not None and (graph.size(sigmoid.name) > 1 or head.kind != "logits"):
                redirect[sigmoid.name] = sigmoid.inputs[0]
            if head.kind == "logits" and graph.size(output) == 1:
                both = _both_classes(graph, output, sigmoid, head.threshold, changed)
                changed |= {node.name: node for node in both}
                ends[i], heads[i] = both[-1].name, Head(kind="classes")
                log.info("class 1 is where the logit at the output '%s' is above %g", output, head.threshold)
            elif sigmoid is not None:
                log.warning(_DROPPED, output)
        return graph.edited(changed.values(), redirect=redirect, outputs=ends, heads=heads)


_DROPPED = (
    "the sigmoid at the output '%s' is dropped: its read-outs are logits, whose order is the same; "
    "approximate = sigmoid keeps its values"
)


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _at_others(graph: Graph, output: str, sigmoid: Node | None) -> bool:
    """Whether a sigmoid gives the values of an output and cannot be dropped: others read it, too."""
    end = end_of(graph.nodes, output).node
    return sigmoid is None and isinstance(end, Elementwise) and end.function == "sigmoid"


def _both_classes(
    graph: Graph, output: str, sigmoid: Node | None, threshold: float, taken: Collection[str]
) -> list[Node]:
    """What gives both classes for the single logit of an output; a sigmoid of one value gives its name away."""
    origin = (sigmoid or graph.nodes[output]).origin
    alone = sigmoid is not None and graph.size(sigmoid.name) == 1
    # Of several values what moves them picks one: it reads the logits in place of the sigmoid.
    source = sigmoid.inputs[0] if sigmoid is not None and alone else output
    flat = Reshape(name=graph.fresh(f"{output}.logit", taken), inputs=(source,), shape=(1,), origin=origin)
    name = output if alone else graph.fresh(f"{output}.classes", taken)
    bias = np.array([threshold / 2, -threshold / 2]) if threshold else None
    weight = np.array([[-0.5], [0.5]])
    return [flat, Dense(name=name, inputs=(flat.name,), weight=weight, bias=bias, origin=origin)]


def sigmoid_at(graph: Graph, output: str) -> Elementwise | None:
    """The sigmoid whose values, moved at most, are this output alone, where the output says classes."""
    head = graph.heads[graph.outputs.index(output)]
    node = node_at(graph, output) if head.decides and graph.outputs.count(output) == 1 else None
    return node if isinstance(node, Elementwise) and node.function == "sigmoid" else None
