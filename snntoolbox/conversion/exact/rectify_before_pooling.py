"""Puts a rectifier in front of the max pooling that it follows: ``relu(max(x)) = max(relu(x))``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import MaxPool, ReLU


@dataclass(frozen=True)
class RectifyBeforePooling:
    """Max pooling then works on rectified activations, which spikes carry; exact (both functions are monotone)."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph with each pair exchanged where nobody else reads the pooled value."""
        editing = Editing(graph)
        for name in [n.name for n in editing.nodes.values() if isinstance(n, ReLU)]:
            while (pool := _pool_above(editing, name)) is not None:
                inner = editing.nodes[name].with_inputs(*pool.inputs)
                editing.edit([inner, pool.with_inputs(name)], redirect={name: pool.name})
        return editing.graph()


def _pool_above(editing: Editing, name: str) -> MaxPool | None:
    """The pool that a rectifier alone reads, if they can be exchanged."""
    relu = editing.nodes[name]
    pool = editing.nodes[relu.inputs[0]]
    alone = editing.only_reader(pool.name) is relu
    return pool if isinstance(pool, MaxPool) and alone and isinstance(relu, ReLU) and _one_per_channel(relu) else None


def _one_per_channel(relu: ReLU) -> bool:
    """Whether its upper bound is the same all over each channel, so that it fits the values in front of the pool."""
    return all(n == 1 for n in np.shape(0.0 if relu.max_value is None else relu.max_value)[1:])
