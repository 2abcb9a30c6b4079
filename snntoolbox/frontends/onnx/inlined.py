"""Puts a model's own functions in the place of their calls, after it is counted how large that makes the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import networkx as nx
from onnx import inliner

from snntoolbox.errors import FrontendError

NODE_BYTES = 256
SPARE_BYTES = 2**24
GROWTH = 16
DEEPEST = 64

Key = tuple[str, str, str]


def inlined(proto: Any, what: str) -> Any:
    """The model without functions; FrontendError where they call one another in a circle, too deeply or too often."""
    if not proto.functions:
        return proto
    functions = {_key(f.domain, f.name, f): f for f in proto.functions}
    calls = nx.DiGraph()
    calls.add_nodes_from(functions)
    own = {key: list(_nodes(f.node)) for key, f in functions.items()}
    calls.add_edges_from((k, c) for k, nodes in own.items() for n in nodes if (c := _called(n)) in functions)
    if not nx.is_directed_acyclic_graph(calls):
        raise FrontendError(f"{what} is damaged: its functions call one another in a circle")
    if nx.dag_longest_path_length(calls) >= DEEPEST:
        raise FrontendError(f"{what} calls functions within functions, more than {DEEPEST} deep")
    sizes: dict[Key, int] = {}
    for key in reversed(list(nx.topological_sort(calls))):
        sizes[key] = _size(own[key], sizes)
    size, most = _size(_nodes(proto.graph.node), sizes), SPARE_BYTES + GROWTH * proto.ByteSize()
    if size > most:
        raise FrontendError(f"{what} calls its functions so often that it would grow to {size:,} bytes")
    return inliner.inline_local_functions(proto)


def _size(nodes: Iterable[Any], sizes: dict[Key, int]) -> int:
    """Bytes of these nodes, with what they call in their place."""
    return sum(sizes.get(_called(node), node.ByteSize()) + NODE_BYTES for node in nodes)


def _nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    """The nodes, and those of the graphs inside them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nodes(graph.node)


def _called(node: Any) -> Key:
    return _key(node.domain, node.op_type, node)


def _key(domain: str, name: str, holder: Any) -> Key:
    """What identifies a function; the standard domain has two names, and older messages have no overloads."""
    return "" if domain == "ai.onnx" else domain, name, getattr(holder, "overload", "")
