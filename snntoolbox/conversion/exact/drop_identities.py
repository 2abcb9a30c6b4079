"""Drops nodes that change nothing and merges neighbours of one kind: reshapes, and pads into convolutions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import Add, Concat, Conv, Pad, Permute, ReLU, Reshape, Scale, Take


@dataclass(frozen=True)
class DropIdentities:
    """``1 * x + 0``, a reshape to the same shape, ``reshape(reshape(x))``, ``relu(relu(x))``; exact."""

    def __call__(self, graph: Graph) -> Graph:
        """The same function without them."""
        redirect: dict[str, str] = {}
        changed: dict[str, Node] = {}

        def real(name: str) -> str:
            return real(redirect[name]) if name in redirect else name

        for name, old in graph.nodes.items():
            node = old.with_inputs(*(real(i) for i in old.inputs))
            source = changed.get(node.inputs[0], graph.nodes[node.inputs[0]]) if node.inputs else None
            if source is not None and _is_identity(graph, node):
                redirect[name] = source.name
            elif isinstance(node, Reshape) and isinstance(source, Reshape) and source.bias is None:
                shape = graph.shapes[source.inputs[0]]
                changed[name] = node.with_inputs(source.inputs[0])
                if shape == node.shape and node.bias is None:
                    redirect[name] = source.inputs[0]
            elif isinstance(node, Conv) and isinstance(source, Pad) and _only_in_space(source):
                pairs = zip(node.padding, source.pads[1:], strict=True)
                padding = tuple((lo + before, hi + behind) for (lo, hi), (before, behind) in pairs)
                changed[name] = replace(node, inputs=source.inputs, padding=padding)
            elif isinstance(node, ReLU) and isinstance(source, ReLU) and (joined := _joined(node, source)):
                changed[name] = joined
        kept = [n for name, n in changed.items() if name not in redirect]
        return graph.edited(kept, redirect=redirect)


def _joined(node: ReLU, source: ReLU) -> ReLU | None:
    """One rectifier in place of `node` behind `source`; None where a quantised one keeps them from being one."""
    outer, inner = (np.inf if r.max_value is None else r.max_value for r in (node, source))
    if source.levels is None and (node.levels is None or np.all(np.asarray(inner) >= outer)):
        bound = np.minimum(outer, inner)
        limit = None if bound.ndim == 0 and np.isinf(bound) else bound if bound.ndim else float(bound)
        return replace(node, inputs=source.inputs, max_value=limit)
    if node.levels is None and np.all(np.asarray(outer) >= inner):
        return replace(source, name=node.name, origin=node.origin)
    return None


def _only_in_space(pad: Pad) -> bool:
    """Whether it adds zeros, and none to the channels: as a convolution's own padding does."""
    return pad.bias is None and pad.pads[0] == (0, 0)


def _is_identity(graph: Graph, node: Node) -> bool:
    """Whether the node passes its first input on unchanged."""
    if isinstance(node, Scale):
        return node.bias is None and bool(np.all(node.gain == 1))
    if isinstance(node, Reshape):
        return node.bias is None and node.shape == graph.input_shapes(node.name)[0]
    if isinstance(node, Permute):
        return node.bias is None and node.axes == tuple(range(len(node.axes)))
    if isinstance(node, Add):
        return node.bias is None and node.factors == (1.0,)
    if isinstance(node, Take):
        return node.bias is None and node.indices == tuple(range(graph.input_shapes(node.name)[0][node.axis]))
    return isinstance(node, Concat) and node.bias is None and len(node.inputs) == 1
