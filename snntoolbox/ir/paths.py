"""Takes the linear map from one source apart into paths without branches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import LinearNode, Shape
from snntoolbox.ir.nodes import Add, Concat, Pad

MOST_PATHS = 16
"""More parallel paths between one pair of populations than this are taken as one sparse matrix."""


@dataclass(frozen=True, eq=False)
class Path:
    """Linear nodes one behind the other, each with the shape that it reads; the map is the sum of its paths.

    `factor` is the product of the coefficients of the sums on the way, whose place in the row does not matter.
    """

    nodes: tuple[LinearNode, ...]
    shapes: tuple[Shape, ...]
    factor: float = 1.0


def paths(graph: Graph) -> list[Path] | None:
    """The paths of a projection's map, a graph of linear nodes with one input; None where there are too many."""
    found: list[Path] = []
    for path in _ending_at(graph, graph.outputs[0], graph.inputs[0]):
        if len(found) == MOST_PATHS:
            return None
        found.append(path)
    return found


def _ending_at(graph: Graph, name: str, source: str) -> Iterator[Path]:
    if name == source:
        yield Path((), ())
        return
    node = graph.nodes[name]
    assert isinstance(node, LinearNode)
    branches = zip(node.inputs, graph.input_shapes(name), strict=True)
    if isinstance(node, Add):
        for (before, _), factor in zip(branches, node.factors, strict=True):
            for path in _ending_at(graph, before, source):
                yield Path(path.nodes, path.shapes, path.factor * factor)
        return
    start = 0
    for before, shape in branches:
        part = _part_of(node, graph.shapes[name], start, shape) if isinstance(node, Concat) else node
        start += shape[node.axis] if isinstance(node, Concat) else 0
        for path in _ending_at(graph, before, source):
            yield Path((*path.nodes, part), (*path.shapes, shape), path.factor)


def _part_of(node: Concat, whole: Shape, start: int, part: Shape) -> Pad:
    """One input of a concatenation alone: zeros in the places of the others."""
    pads = [(0, 0)] * len(whole)
    pads[node.axis] = (start, whole[node.axis] - start - part[node.axis])
    return Pad(name=node.name, inputs=node.inputs[:1], pads=tuple(pads), origin=node.origin)
