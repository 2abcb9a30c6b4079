"""Turns what neurons say so that its features come first, and each has a threshold of its own.

What a dense layer makes of each token, or of each step of a sequence, has features in its last axis. They differ in
size, and all tokens have the same ones: scales that follow features round less, and are known better, as each sample
has all tokens. Exact: axes change places before the neurons, and back behind them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Add, Conv, Dense, MaxPool, Permute, ReLU, Scale


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
            if isinstance(node, ReLU) and free and (axis := _features(graph, node)):
                _turn(editing, node, axis)
        return editing.graph()


def _features(graph: Graph, node: ReLU) -> int:
    """The axis of features of what neurons read: that of weighted maps, whose values may be added up; else 0."""
    waiting, seen, axes = list(node.inputs), set[str](), set[int]()
    while waiting:
        source = waiting.pop()
        map_ = graph.nodes[source]
        if isinstance(map_, Dense | Conv):
            axes.add(map_.axis % len(graph.shapes[source]) if isinstance(map_, Dense) else 0)
        elif isinstance(map_, Add | Scale) and source not in seen:
            seen.add(source)
            waiting += map_.inputs
    return axes.pop() if len(axes) == 1 else 0


def _turn(editing: Editing, node: ReLU, axis: int) -> None:
    """Let the neurons read and say values with this axis in front."""
    axes = range(len(editing.shapes[node.name]))
    order = (axis, *(a for a in axes if a != axis))
    before, behind = (editing.fresh(f"{node.name}.{stem}") for stem in ("turned", "back"))
    first = Permute(name=before, inputs=editing.nodes[node.name].inputs, axes=order, origin=node.origin)
    last = Permute(name=behind, inputs=(node.name,), axes=first.inverse, origin=node.origin)
    turned = node.with_inputs(before)
    if isinstance(node.max_value, np.ndarray):
        turned = replace(turned, max_value=np.transpose(node.max_value, order))
    editing.edit([first, turned, last], redirect={node.name: behind})
