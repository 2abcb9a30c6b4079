"""Takes a sigmoid off the output of a classifier: logits decide as it does, and one output becomes two classes."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np

from snntoolbox.conversion.lowering.lower_outputs import node_at
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Dense, Reshape
from snntoolbox.ir.nodes.elementwise import Elementwise

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LowerSigmoid:
    """A sigmoid at a vector of outputs is dropped; one that stands at a single output z gives the outputs (-z/2, z/2).

    Sigmoid is monotone, so the largest logit is the largest output; sigmoid(z) > 1/2 where z > 0, so one output says
    class 1 where the second of (-z/2, z/2) is the larger: their softmax is (1 - sigmoid(z), sigmoid(z)). Both classes
    can be said by spikes. Only one that nobody else reads, and none of a map in space, whose values are what is wanted.
    With `keep` nothing is changed: the values are wanted, and approximated.
    """

    keep: bool = False

    def __call__(self, graph: Graph) -> Graph:
        """The graph whose outputs are logits."""
        changed: list[Node] = []
        redirect, ends = {}, list(graph.outputs)
        for output in () if self.keep else dict.fromkeys(graph.outputs):
            if (node := sigmoid_at(graph, output)) is None:
                continue
            if graph.size(output) > 1:
                redirect[node.name] = node.inputs[0]
                dropped = "the sigmoid at the output '%s' is dropped: its read-outs are logits, whose order is the same"
                log.warning(f"{dropped}; approximate = sigmoid keeps its values", output)
                continue
            flat = Reshape(name=graph.fresh(f"{output}.logit"), inputs=node.inputs, shape=(1,), origin=node.origin)
            both = Dense(name=output, inputs=(flat.name,), weight=np.array([[-0.5], [0.5]]), origin=node.origin)
            changed += [flat, both]
            log.info("the sigmoid at the output '%s' is dropped: class 1 is where its logit is above 0", output)
        return graph.edited(changed, redirect=redirect, outputs=ends)


def sigmoid_at(graph: Graph, output: str) -> Elementwise | None:
    """The sigmoid whose values, reshaped at most, are this output alone: one, or a vector with one for each class."""
    shape = graph.shapes[output]
    if math.prod(shape) != max(shape, default=1):
        return None
    node = node_at(graph, output) if graph.outputs.count(output) == 1 else None
    return node if isinstance(node, Elementwise) and node.function == "sigmoid" else None


def is_binary(graph: Graph) -> bool:
    """Whether the first output is a single sigmoid: the probability of class 1."""
    output = graph.outputs[0]
    return graph.size(output) == 1 and sigmoid_at(graph, output) is not None


def both_classes(probability: Array) -> Array:
    """The probabilities of classes 0 and 1, (samples, 2), for those of class 1."""
    flat = np.asarray(probability).reshape(-1, 1)
    return np.concatenate([1 - flat, flat], axis=1)
