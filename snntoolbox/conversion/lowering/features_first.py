"""Turns what neurons say so that its features come first, and each has a threshold of its own.

What a dense layer makes of each token, or of each step of a sequence, has features in its last axis. They differ in
size, and all tokens have the same ones: scales that follow features round less, and are known better, as each sample
has all tokens. Exact: axes change places before the neurons, and back behind them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Shape
from snntoolbox.ir.nodes import Add, Conv, Dense, MaxPool, Permute, ReLU, Reshape, Scale


@dataclass(frozen=True)
class FeaturesFirst:
    """The pass: rectifiers and tables behind dense layers along another axis than the first.

    Outputs stay, whose shape is the user's, and what max pooling reads, whose gates read neurons themselves.
    """

    def __call__(self, graph: Graph) -> Graph:
        """The graph with them turned; the same one where there are none."""
        editing = Editing(graph)
        for node in graph.nodes.values():
            readers = [graph.nodes[reader] for reader in graph.consumers[node.name]]
            free = not editing.is_output(node.name) and not any(isinstance(r, MaxPool) for r in readers)
            if isinstance(node, ReLU) and free and (axes := _features(graph, node)) != (0,):
                _turn(editing, node, axes)
        return editing.graph()


def _features(graph: Graph, node: ReLU) -> tuple[int, ...]:
    """The axes of features of what neurons read: those of weighted maps, whose values may be added up; else the first.

    Features in the last axis may be told apart, as those of several heads.
    """
    waiting, seen, found = list(node.inputs), set[str](), set[tuple[int, ...]]()
    rank = len(graph.shapes[node.name])
    while waiting:
        source = waiting.pop()
        map_ = graph.nodes[source]
        if isinstance(map_, Dense | Conv):
            found.add((map_.axis % len(graph.shapes[source]) if isinstance(map_, Dense) else 0,))
        elif isinstance(map_, Reshape) and (inner := graph.nodes[map_.inputs[0]]) and isinstance(inner, Dense):
            found.add(_split(inner.axis, graph.shapes[inner.name], map_.shape))
        elif isinstance(map_, Add | Scale) and source not in seen:
            seen.add(source)
            waiting += map_.inputs
    (axes,) = found if len(found) == 1 else {(0,)}
    return axes if 0 not in axes and max(axes) < rank else (0,)


def _split(axis: int, shape: Shape, parts: Shape) -> tuple[int, ...]:
    """The axes that the last one is parted into; the first one where it is another, or mixed with others."""
    begins = [a for a in range(1, len(parts)) if math.prod(parts[a:]) == shape[-1]]
    return tuple(range(begins[-1], len(parts))) if begins and axis % len(shape) == len(shape) - 1 else (0,)


def _turn(editing: Editing, node: ReLU, axes: tuple[int, ...]) -> None:
    """Let the neurons read and say values with all features in front, as one axis."""
    shape = editing.shapes[node.name]
    others = [a for a in range(len(shape)) if a not in axes]
    order, flat = (*axes, *others), (math.prod(shape[a] for a in axes), *(shape[a] for a in others))
    names = {stem: editing.fresh(f"{node.name}.{stem}") for stem in ("turned", "flat", "parted", "back")}
    first = Permute(name=names["turned"], inputs=editing.nodes[node.name].inputs, axes=order, origin=node.origin)
    together = Reshape(name=names["flat"], inputs=(first.name,), shape=flat, origin=node.origin)
    turned = node.with_inputs(together.name)
    if isinstance(node.max_value, np.ndarray):
        bound = np.broadcast_to(node.max_value, shape).transpose(order).reshape(flat)
        turned = replace(turned, max_value=bound)
    parted = Reshape(
        name=names["parted"], inputs=(node.name,), shape=tuple(shape[a] for a in order), origin=node.origin
    )
    last = Permute(name=names["back"], inputs=(parted.name,), axes=first.inverse, origin=node.origin)
    nodes = [first, together, turned, parted, last]
    if len(axes) == 1:
        turned, last = turned.with_inputs(first.name), last.with_inputs(node.name)
        nodes = [first, turned, last]
    editing.edit(nodes, redirect={node.name: last.name})
