"""Takes the linear map from one source apart into paths without branches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from snntoolbox.errors import GraphError
from snntoolbox.ir.graph import Graph, needed
from snntoolbox.ir.node import LinearNode, Node, Shape
from snntoolbox.ir.nodes import Add, Concat, Delay, Pad

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


Arrivals = Mapping[str, Mapping[str, tuple[int, ...]]]
"""For each wiring node its sources, each with the steps by which its spikes come later on some way, ascending."""


def later(arrivals: Sequence[Mapping[str, tuple[int, ...]]], steps: int) -> dict[str, tuple[int, ...]]:
    """What arrives by either of several inputs, so many steps later."""
    joined: dict[str, set[int]] = {}
    for arrived in arrivals:
        for source, lags in arrived.items():
            joined.setdefault(source, set()).update(lag + steps for lag in lags)
    return {source: tuple(sorted(lags)) for source, lags in joined.items()}


def between(wiring: Graph, source: str, current: str, lag: int, arrivals: Arrivals) -> tuple[list[Node], str]:
    """The nodes between `source` and `current` on ways whose delays have `lag` steps together, and the last one.

    Delays are left out; what other sources and other ways add to a sum or a join is left out as zero.
    """
    nodes: dict[str, Node] = {}
    names: dict[tuple[str, int], str] = {}
    for name in wiring.above([current], lambda name: source in arrivals[name]):
        node, lags = wiring.nodes[name], arrivals[name][source]
        for here in (steps for steps in lags if steps <= lag):
            if isinstance(node, Delay):
                names[name, here] = names[node.inputs[0], here - node.steps]
                continue
            if (kept := _only_summand(node, source, here, arrivals)) is not None:
                names[name, here] = names[kept, here]
                continue
            # A node is there once for each lag that it is reached with.
            own = names[name, here] = name if here == lags[0] else f"{name}+{here}"
            inside = [here in arrivals[i].get(source, ()) for i in node.inputs]
            read = tuple(names.get((i, here), i) for i in node.inputs)
            there = node if (own, read) == (name, node.inputs) else node.with_inputs(*read).renamed(own)
            nodes.update((part.name, part) for part in _part(wiring, node, there, inside))
    end = names[current, lag]
    return needed(nodes, [end]), end


def _only_summand(node: Node, source: str, lag: int, arrivals: Arrivals) -> str | None:
    """The input of a sum that alone is reached with this lag, if it is added as it stands."""
    if not isinstance(node, Add):
        return None
    reached = [(i, c) for i, c in zip(node.inputs, node.factors, strict=True) if lag in arrivals[i].get(source, ())]
    return reached[0][0] if len(reached) == 1 and reached[0][1] == 1 else None


def _part(wiring: Graph, node: Node, there: Node, inside: Sequence[bool]) -> Iterator[Node]:
    """A node, `there` under other names, with those of its inputs alone that are inside."""
    if all(inside):
        yield there
    elif isinstance(there, Add):
        pairs = [(i, c) for i, c, ok in zip(there.inputs, there.factors, inside, strict=True) if ok]
        yield replace(there, inputs=tuple(i for i, _ in pairs), coefficients=tuple(c for _, c in pairs))
    elif isinstance(there, Concat):
        parts = list(_padded_parts(wiring, node, there, inside))
        yield from parts
        yield Add(name=there.name, inputs=tuple(part.name for part in parts))
    else:
        raise GraphError("has several inputs that cannot be told apart", layer=node.label)


def _padded_parts(wiring: Graph, node: Node, there: Concat, inside: Sequence[bool]) -> Iterator[Pad]:
    """Each input of a concatenation that is inside, padded with zeros to the whole."""
    whole, start = wiring.shapes[node.name], 0
    for position, (old, new, ok) in enumerate(zip(node.inputs, there.inputs, inside, strict=True)):
        size = wiring.shapes[old][there.axis]
        if ok:
            pads = [(0, 0)] * len(whole)
            pads[there.axis] = (start, whole[there.axis] - start - size)
            yield Pad(name=f"{there.name}:{position}", inputs=(new,), pads=tuple(pads))
        start += size
