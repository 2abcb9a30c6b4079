"""What one sample of a network takes, bounded before anything of it is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from snntoolbox.errors import FrontendError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node, Shape
from snntoolbox.ir.nodes import AveragePool, Conv, Dense, MaxPool

MOST_VALUES = 2**28
VALUES_PER_WEIGHT = 2**6
MOST_STEPS = 2**36
STEPS_PER_WEIGHT = 2**15
"""Far above real networks, which have more of both the more weights they have: a small file cannot ask for much."""

_TAPS: Mapping[type[Node], Callable[[Any], int]] = {
    Conv: lambda node: math.prod(node.weight.shape[1:]),
    Dense: lambda node: int(node.weight.shape[-1]),
    **dict.fromkeys((AveragePool, MaxPool), lambda node: math.prod(node.kernel)),
}


def check_effort(graph: Graph) -> None:
    """FrontendError where the values between the layers, or the steps to them, are more than can be meant."""
    weights = sum(n.weight.size for n in graph.nodes.values() if isinstance(n, (Conv, Dense)))
    sizes = {name: math.prod(shape) for name, shape in graph.shapes.items()}
    values, most = sum(sizes.values()), MOST_VALUES + VALUES_PER_WEIGHT * weights
    if values > most:
        raise FrontendError(
            f"the network has {values:,} values per sample in all its layers, more than {most:,}: too many",
            hint=f"its largest layer is {_largest(graph, sizes)}; smaller inputs need less",
        )
    steps = {name: sizes[name] * _taps(node, graph.input_shapes(name)) for name, node in graph.nodes.items()}
    taken, most = sum(steps.values()), MOST_STEPS + STEPS_PER_WEIGHT * weights
    if taken > most:
        raise FrontendError(
            f"the network takes {taken:,} multiplications per sample, more than {most:,}: too many",
            hint=f"most of them are in {_largest(graph, steps)}; smaller inputs or kernels need less",
        )


def _taps(node: Node, shapes: tuple[Shape, ...]) -> int:
    """How many values a node reads for each that it gives, at most."""
    return _TAPS.get(type(node), lambda _: max(len(shapes), 1))(node)


def _largest(graph: Graph, counts: Mapping[str, int]) -> str:
    return graph.nodes[max(counts, key=lambda name: counts[name])].label
