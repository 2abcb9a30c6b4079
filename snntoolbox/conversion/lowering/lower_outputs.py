"""Settles what stands at the output and which pooling is used: softmax dropped or rectified, max turned to average."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.graph import Graph, followed
from snntoolbox.ir.heads import MOVING, end_of, softmax_head
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import AveragePool, MaxPool, ReLU, Reshape, Scale, Softmax


def node_at(graph: Graph, output: str) -> Node | None:
    """The node whose values, moved at most, are this output alone; None where others read them too."""
    end = end_of(graph.nodes, output)
    path = [end.node.name, *(move.name for move in end.moves)]
    alone = all(len(graph.consumers[name]) == (name != path[-1]) for name in path)
    inner = any(name in graph.outputs for name in path[:-1])
    return end.node if alone and not inner else None


@dataclass(frozen=True)
class LowerSoftmax:
    """A softmax at an output is dropped (no class changes) or, with `to_relu`, replaced by a rectifier.

    Only one that nobody else reads, whose classes are those of the output's head: any other stays, and is refused at
    conversion, see `why_kept`. What puts its values on a grid, or scales all alike, as quantised models end, goes too.
    """

    to_relu: bool = False

    def __call__(self, graph: Graph) -> Graph:
        """The graph whose outputs are logits or rectified logits."""
        graph = _bared(graph)
        changed: list[Node] = []
        redirect = {}
        for output in dict.fromkeys(graph.outputs):
            node = node_at(graph, output)
            if isinstance(node, Softmax) and not _kept(graph, output):
                if self.to_relu:
                    changed.append(ReLU(name=node.name, inputs=node.inputs, origin=node.origin))
                else:
                    redirect[node.name] = node.inputs[0]
        return graph.edited(changed, redirect=redirect)


def _bared(graph: Graph) -> Graph:
    """The graph whose outputs end with the softmax that they keep the order of, where that will be dropped."""
    for output in dict.fromkeys(graph.outputs):
        redirect, node = dict[str, str](), graph.nodes[output]
        while _keeps_order(node):
            if not isinstance(node, MOVING):
                redirect[node.name] = node.inputs[0]
            node = graph.nodes[node.inputs[0]]
        end = followed(redirect, output)
        if redirect and isinstance(node, Softmax) and graph.outputs.count(output) == 1:
            bare = graph.edited(redirect=redirect)
            alone = bare.outputs.count(end) == 1 and not redirect.keys() & bare.nodes.keys()
            if alone and node_at(bare, end) is not None and not _kept(bare, end):
                graph = bare
    return graph


def _keeps_order(node: Node) -> bool:
    """Whether a node moves values, or of two values the larger one stays at least as large as the other."""
    if isinstance(node, MOVING):
        return node.bias is None
    if isinstance(node, ReLU):
        return node.max_value is None or np.size(node.max_value) == 1
    if not isinstance(node, Scale):
        return False
    alike = all(a is None or np.all(a == a.flat[0]) for a in (node.gain, node.bias))
    return alike and bool(node.gain.flat[0] > 0)


def why_kept(graph: Graph) -> dict[str, str]:
    """For each softmax at an output that cannot be dropped, by name, why, and what to do."""
    reasons = {output: _kept(graph, output) for output in dict.fromkeys(graph.outputs)}
    return {end_of(graph.nodes, output).node.name: reason for output, reason in reasons.items() if reason}


def _kept(graph: Graph, output: str) -> str:
    """Why the softmax at an output must stay; empty where it may go, or is none."""
    end = end_of(graph.nodes, output)
    if not isinstance(end.node, Softmax):
        return ""
    before = graph.shapes[end.node.name]
    heads = {h for h, o in zip(graph.heads, graph.outputs, strict=True) if o == output}
    classes, told = softmax_head(end, before, graph.shapes[output]), "a softmax at the output "
    length, values = before[end.node.axis], math.prod(before)
    if length == 1:
        return f"{told}over an axis of length one gives 1 whatever comes in: name the axis of the classes"
    if classes is None:
        along = f"{told}runs over {length} of the {values} values of a sample, which are mixed or left out behind it"
        return f"{along}: let the model end with the softmax, in the shape it has there, or without it"
    if heads != {classes}:
        return f"{told}cannot be kept, and the head that was given wants its values: give the one of its classes"
    return ""


@dataclass(frozen=True)
class OwnOutputs:
    """Each of several outputs a node of its own, called as the output was before: each has a meaning of its own."""

    names: tuple[str, ...]

    def __call__(self, graph: Graph) -> Graph:
        """The graph in which no two outputs are one node."""
        changed: dict[str, Node] = {}
        ends: list[str] = []
        for name, end in zip(self.names, graph.outputs, strict=True):
            if len(self.names) == 1 or (end == name and end not in ends):
                ends.append(end)
                continue
            own = graph.fresh(name, changed)
            origin, shape = graph.nodes[end].origin, graph.shapes[end]
            changed[own] = Reshape(name=own, inputs=(end,), shape=shape, origin=origin)
            ends.append(own)
        return graph.edited(changed.values(), outputs=ends, heads=graph.heads)


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
        return graph.edited(changed.values(), outputs=outputs, heads=graph.heads)


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
