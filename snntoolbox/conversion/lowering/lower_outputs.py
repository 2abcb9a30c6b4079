"""Settles what stands at the output and which pooling is used: softmax dropped or rectified, max turned to average."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
        behind, node = list[Node](), graph.nodes[output]
        while isinstance(node, (*MOVING, ReLU, Scale)) and len(node.inputs) == 1:
            behind.append(node)
            node = graph.nodes[node.inputs[0]]
        redirect = {n.name: n.inputs[0] for n in behind if not isinstance(n, MOVING)}
        end = followed(redirect, output)
        ordered = redirect and isinstance(node, Softmax) and _keep_order(node, behind[::-1])
        if ordered and graph.outputs.count(output) == 1:
            bare = graph.edited(redirect=redirect)
            alone = bare.outputs.count(end) == 1 and not redirect.keys() & bare.nodes.keys()
            if alone and node_at(bare, end) is not None and not _kept(bare, end):
                graph = bare
    return graph


def _keep_order(softmax: Softmax, nodes: Sequence[Node]) -> bool:
    """Whether of two values of a softmax the larger one stays at least as large, and nothing but a level is cut off."""
    low, high = (-math.inf, 0.0) if softmax.log else (0.0, 1.0)
    for node in nodes:
        if isinstance(node, ReLU):
            bound = np.asarray(np.inf if node.max_value is None else node.max_value)
            if bound.size != 1:
                return False
            most = float(bound.flat[0])
            level = 0.0 if node.levels is None else most / node.levels
            if low < -1.001 * level or high > most + 1.001 * level:
                return False
            low, high = max(low, 0.0), min(high, most)
        elif isinstance(node, Scale):
            gain, bias = node.gain, np.zeros(1) if node.bias is None else node.bias
            if not (np.all(gain == gain.flat[0]) and np.all(bias == bias.flat[0]) and gain.flat[0] > 0):
                return False
            low, high = (float(gain.flat[0] * v + bias.flat[0]) for v in (low, high))
        elif isinstance(node, MOVING) and node.bias is not None:
            return False
    return True


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
