"""Makes two rectifiers of one with an upper bound, for neurons whose rates do not end there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Add, ReLU, Scale


@dataclass(frozen=True)
class SplitBounds:
    """``min(relu(x), m) = relu(x) - relu(x - m)``, exact; the levels of a quantised rectifier are left out."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph without upper bounds; the difference stands under the name of the rectifier."""
        editing = Editing(graph)
        for name, node in graph.nodes.items():
            if not isinstance(node, ReLU) or node.max_value is None:
                continue
            rank = len(graph.shapes[name])
            bound = np.broadcast_to(node.max_value, np.shape(node.max_value) or (1,) * rank).astype(np.float64)
            below, moved, above = (editing.fresh(f"{name}.{part}") for part in ("below", "moved", "above"))
            plain = replace(node, max_value=None, levels=None)
            editing.edit(
                [
                    replace(plain, name=below),
                    Scale(name=moved, inputs=node.inputs, gain=np.ones((1,) * rank), bias=-bound, origin=node.origin),
                    replace(plain, name=above, inputs=(moved,)),
                    Add(name=name, inputs=(below, above), coefficients=(1.0, -1.0), origin=node.origin),
                ]
            )
        return editing.graph()
