"""The part of a wiring that leads from one source alone to one node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from snntoolbox.errors import GraphError
from snntoolbox.ir.graph import Graph, needed
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import Add, Concat, Pad


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
