"""Distributes linear maps over the sums in front of them: W (A x + B y) = (W A) x + (W B) y, each path with its own W.

Max pooling by a tree ends in a sum of scaled parts. A convolution behind it cannot take their scales as long as it is
one; a convolution for each part can, and stays a convolution.
"""

from __future__ import annotations

from collections.abc import Sequence

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import Add, Input
from snntoolbox.ir.paths import paths


def distributed(maps: Sequence[Graph], name: str) -> Graph | None:
    """The sum, named so, of maps of one source each, as a sum of paths without branches; None where they are too many.

    Sums in the maps must have no coefficients.
    """
    nodes: list[Node] = []
    ends: list[str] = []
    for graph in maps:
        (source,) = graph.inputs
        apart = paths(graph)
        if apart is None:
            return None
        nodes.append(Input(name=source, shape=graph.shapes[source]))
        for path in apart:
            last = source
            for node in path.nodes:
                nodes.append(node.renamed(f"{node.name}/{name}{len(ends)}").with_inputs(last))
                last = nodes[-1].name
            ends.append(last)
    return Graph([*nodes, Add(name=name, inputs=tuple(ends))], [name])
