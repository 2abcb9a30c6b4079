"""Multiplies behind a sum what all its terms have in common: a softmax is divided where values are summed already.

``sum_j (r e_j) v_j = r sum_j e_j v_j``: with r the inverse of a row of attention its weights are no products any more,
nothing is rounded between e and the sum, and each value that comes is multiplied once. Whatever reads the sum gets the
spikes of one product in place of those of all terms. Exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, LinearNode, Node, Shape
from snntoolbox.ir.nodes import Dense, MatrixProduct, Mean, MovingNode, Multiply, Reshape, Scale, Take
from snntoolbox.ir.nodes.multiplying import MOST_THRESHOLDS


@dataclass(frozen=True)
class FactorsBehindSums:
    """The pass: a product stays where not all that reads it ends in sums over which one of its factors is the same.

    The way to these may move values, multiply them and scale them; sums are those along axes and by constant matrices,
    with fewer values than terms. So do products of what is to be `whole`: behind a map less of it would be.
    """

    def __call__(self, graph: Graph) -> Graph:
        """The graph with those factors behind the sums; the same one where there are none."""
        editing = Editing(graph)
        waiting = [n.name for n in graph.nodes.values() if isinstance(n, Multiply)]
        while waiting:
            waiting += _moved(editing, waiting.pop(0))
        return editing.graph()


def _moved(editing: Editing, name: str) -> list[str]:
    """The products behind sums in the place of this one; none where it stays, or was never read."""
    product = editing.nodes.get(name)
    if not isinstance(product, Multiply) or product.whole:
        return []
    for factor, other in (product.inputs, product.inputs[::-1]):
        root, places = _root(editing, factor)
        # Zeros that the factor itself is padded with would be lost: behind the sum the other value counts there.
        if places.all() and (sums := _sums(editing, name, places)):
            behind = [_multiplied(editing, total, root, at) for total, at in sums.items()]
            editing.edit([], redirect={name: other})
            return behind
    return []


def _root(editing: Editing, name: str) -> tuple[str, Array]:
    """The value that was moved about to give this one, and where in it each of these is: from 1 on, 0 for none."""
    moves = []
    while isinstance(node := editing.nodes[name], MovingNode) and len(node.inputs) == 1 and node.bias is None:
        moves.append(node)
        (name,) = node.inputs
    shape = editing.shapes[name]
    places = np.arange(1, math.prod(shape) + 1).reshape(1, *shape)
    for move in reversed(moves):
        places = move.linear(places)
    return name, np.asarray(places[0])


def _sums(editing: Editing, name: str, places: Array) -> dict[str, Array]:
    """The sums that all ways from a product lead to, and for each of their values the place of its factor.

    None where one way leads elsewhere, two meet, or a sum has terms of several factors.
    """
    found: dict[str, Array] = {}
    waiting, seen = [(name, places)], {name}
    while waiting:
        source, at = waiting.pop()
        readers = [editing.nodes[reader] for reader in editing.readers(source)]
        if editing.is_output(source) or any(r.name in seen or r.inputs.count(source) > 1 for r in readers):
            return {}
        seen.update(reader.name for reader in readers)
        for node in readers:
            if isinstance(node, Mean | Dense | MatrixProduct):
                of_sums = _of_sums(node, at, editing.shapes[node.name], node.inputs.index(source))
                if of_sums is None:
                    return {}
                found[node.name] = of_sums
            elif (moved := _passed(node, at)) is None:
                return {}
            else:
                waiting.append((node.name, moved))
    return found


def _passed(node: Node, places: Array) -> Array | None:
    """The places behind a node whose values have the factors of what it reads; None behind others."""
    if isinstance(node, MovingNode) and len(node.inputs) == 1 and node.bias is None:
        return np.asarray(node.linear(places[None])[0])
    same = isinstance(node, Multiply) and not node.whole
    return places if same or (isinstance(node, Scale) and node.bias is None) else None


def _of_sums(node: Mean | Dense | MatrixProduct, places: Array, shape: Shape, factor: int) -> Array | None:
    """The places of the factors of sums; None where their terms have several, or are no more than they."""
    if isinstance(node, MatrixProduct):
        return _of_products(node.contraction, places, factor)
    axes = node.axes if isinstance(node, Mean) else (node.axis % places.ndim,)
    most = places.max(axis=axes, keepdims=True)
    if math.prod(shape) >= places.size or np.any((places > 0) & (places != most)):
        return None
    kept = np.maximum(most, 1)  # zeros alone have any factor
    return np.broadcast_to(kept, shape) if isinstance(node, Dense) else kept.reshape(shape)


def _of_products(sums: Contraction, places: Array, factor: int) -> Array | None:
    """The same for sums of products, of which one factor has such a place in all terms."""
    most = places.max(axis=1, keepdims=True)
    if math.prod(sums.shape) >= places.size or np.any((places > 0) & (places != most)):
        return None
    alone = replace(sums, terms=1)
    ones = [np.ones((1, *shape), np.int64) for shape in alone.factors]
    ones[factor] = np.maximum(most, 1)[None]
    return np.asarray(alone.of(*ones)[0])


def _multiplied(editing: Editing, name: str, root: str, places: Array) -> str:
    """Write the product of a sum with its factors behind it; as many thresholds of its own as there may be."""
    node, shape, nodes = editing.nodes[name], editing.shapes[name], list[Node]()
    assert isinstance(node, Mean | Dense | MatrixProduct)

    def add(kind: type[Node], stem: str, *inputs: str, **fields: object) -> str:
        fresh = editing.fresh(f"{name}.{stem}", [n.name for n in nodes])
        nodes.append(kind(name=fresh, inputs=inputs, origin=node.origin, **fields))
        return fresh

    total = editing.fresh(f"{name}.terms")
    nodes.append(node.renamed(total) if isinstance(node, MatrixProduct) else node.with_bias(None).renamed(total))
    rows = next((n for n in np.cumprod(shape)[::-1] if n <= MOST_THRESHOLDS), shape[0]) if shape else 1
    wide = (int(rows), math.prod(shape) // int(rows))
    flat = add(Reshape, "flat", root, shape=(1, math.prod(editing.shapes[root])))
    each = add(Take, "each", flat, axis=1, indices=tuple((places.ravel() - 1).tolist()))
    product = add(
        Multiply, "common", add(Reshape, "factors", each, shape=wide), add(Reshape, "sums", total, shape=wide)
    )
    back = add(Reshape, "back", product, shape=shape)
    if isinstance(node, LinearNode) and node.bias is not None:
        ones = (1,) * len(shape)
        bias = np.broadcast_to(node.bias, shape)
        add(Scale, "shifted", back, gain=np.ones(ones), bias=bias)
    editing.edit(nodes, redirect={name: nodes[-1].name})
    return product
