"""Runs a graph whose rectifiers are cut off at scales that may change while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from snntoolbox.engine.executor import Executor
from snntoolbox.engine.tensors import plain_arithmetic
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Input, ReLU

Look = Callable[[str, Array], Array]
"""Called with a rectifier's name and input (batch, *shape); answers the scale at which its output is cut off."""


class Clipped:
    """A graph run node by node, in float32."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.executor = Executor(graph)
        self.last_use = {i: n.name for n in graph.nodes.values() for i in n.inputs}

    def run(self, x: Sequence[Array], look: Look) -> None:
        """One batch of each input from the front to the last rectifier."""
        values: dict[str, Tensor] = {}
        given = dict(zip(self.graph.inputs, x, strict=True))
        with plain_arithmetic():
            for name, node in self.graph.nodes.items():
                if isinstance(node, Input):
                    values[name] = self.executor.target.tensor(np.asarray(given[name]))
                elif isinstance(node, ReLU):
                    values[name] = self._cut(name, values[node.inputs[0]], look)
                else:
                    values[name] = self.executor.kernel(name)(*(values[i] for i in node.inputs))
                for source in {i for i in node.inputs if self.last_use[i] == name}:
                    del values[source]

    def _cut(self, name: str, current: Tensor, look: Look) -> Tensor:
        scale = self.executor.target.tensor(look(name, current.cpu().numpy()))
        return self.executor.kernel(name)(current).minimum(scale)
