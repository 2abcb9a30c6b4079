"""Puts a rectifier in front of the max pooling that it follows: ``relu(max(x)) = max(relu(x))``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import MaxPool, ReLU


@dataclass(frozen=True)
class RectifyBeforePooling:
    """Max pooling then works on rectified activations, which spikes carry; exact (both functions are monotone)."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph with each pair exchanged where nobody else reads the pooled value."""
        while pair := next(self._pairs(graph), None):
            pool, relu = pair
            inner = relu.with_inputs(*pool.inputs)
            graph = graph.edited([inner, pool.with_inputs(relu.name)], redirect={relu.name: pool.name})
        return graph

    @staticmethod
    def _pairs(graph: Graph) -> Iterator[tuple[MaxPool, ReLU]]:
        for relu in graph.nodes.values():
            if isinstance(relu, ReLU):
                pool = graph.nodes[relu.inputs[0]]
                alone = graph.consumers[pool.name] == (relu.name,) and pool.name not in graph.outputs
                if isinstance(pool, MaxPool) and alone and _one_per_channel(relu):
                    yield pool, relu


def _one_per_channel(relu: ReLU) -> bool:
    """Whether its upper bound is the same all over each channel, so that it fits the values in front of the pool."""
    return all(n == 1 for n in np.shape(0.0 if relu.max_value is None else relu.max_value)[1:])
