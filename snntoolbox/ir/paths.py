"""Takes the linear map from one source apart into paths without branches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from snntoolbox.errors import GraphError
from snntoolbox.ir.graph import Graph, needed
from snntoolbox.ir.node import LinearNode, Node, Shape
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


def between(wiring: Graph, source: str, current: str, sources: Mapping[str, frozenset[str]]) -> list[Node]:
    """The nodes between `source` and `current`; what other sources add to a sum or a join is left out as zero."""
    nodes: dict[str, Node] = {}
    for name, node in wiring.nodes.items():
        if source not in sources[name]:
            continue
        inside = [source in sources[i] for i in node.inputs]
        if all(inside):
            nodes[name] = node
        elif isinstance(node, Add):
            pairs = [(i, c) for i, c, ok in zip(node.inputs, node.factors, inside, strict=True) if ok]
            nodes[name] = replace(node, inputs=tuple(i for i, _ in pairs), coefficients=tuple(c for _, c in pairs))
        elif isinstance(node, Concat):
            parts = list(_padded_parts(wiring, node, inside))
            nodes.update((part.name, part) for part in parts)
            nodes[name] = Add(name=name, inputs=tuple(part.name for part in parts))
        else:
            raise GraphError("has several inputs that cannot be told apart", layer=node.label)
    return needed(nodes, [current])


def _padded_parts(wiring: Graph, node: Concat, inside: Sequence[bool]) -> Iterator[Pad]:
    """Each wanted input of a concatenation, padded with zeros to the whole."""
    whole, start = wiring.shapes[node.name], 0
    for position, (source, wanted) in enumerate(zip(node.inputs, inside, strict=True)):
        size = wiring.shapes[source][node.axis]
        if wanted:
            pads = [(0, 0)] * len(whole)
            pads[node.axis] = (start, whole[node.axis] - start - size)
            yield Pad(name=f"{node.name}:{position}", inputs=(source,), pads=tuple(pads))
        start += size
