"""Writes products of matrices as single products and their sums: for simulators whose neurons cannot sum them.

``y[s, a, b] = sum_k c[s, a, k] o[s, b, k]`` with a neuron for each product, which is rounded before the sum. Exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.editing import Editing, rewritten
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import MatrixProduct, Mean, Multiply, Reshape, Take
from snntoolbox.ir.nodes.multiplying import MOST_THRESHOLDS


@dataclass(frozen=True)
class SingleProducts:
    """The pass: no `MatrixProduct` is left."""

    def __call__(self, graph: Graph) -> Graph:
        """The graph with products and sums in their place; the same one where there are none."""
        return rewritten(graph, MatrixProduct, _written)


def _written(editing: Editing, node: MatrixProduct) -> Iterator[Node]:
    """The nodes in its place; along the first axis of the products lie those that get thresholds of their own."""
    sums, name, origin = node.contraction, node.name, node.origin
    size = (sums.stack, sums.terms, sums.rows, sums.columns)
    lines = sums.stack * sums.terms
    wide = (lines * sums.rows, sums.columns)
    shape = wide if wide[0] <= MOST_THRESHOLDS else (lines, sums.rows * sums.columns)
    names = {stem: editing.fresh(f"{name}.{stem}") for stem in ("product", "terms", "sum", "all")}
    factors = []
    for stem, source, places in zip("xy", node.inputs, _places(node), strict=True):
        flat, each, laid = (editing.fresh(f"{name}.{stem}_{step}") for step in ("flat", "each", "laid"))
        yield Reshape(name=flat, inputs=(source,), shape=(1, int(np.prod(editing.shapes[source]))), origin=origin)
        yield Take(name=each, inputs=(flat,), axis=1, indices=tuple(places.ravel().tolist()), origin=origin)
        yield Reshape(name=laid, inputs=(each,), shape=shape, origin=origin)
        factors.append(laid)
    yield Multiply(name=names["product"], inputs=(factors[0], factors[1]), origin=origin)
    yield Reshape(name=names["terms"], inputs=(names["product"],), shape=size, origin=origin)
    yield Mean(name=names["sum"], inputs=(names["terms"],), axes=(1,), summed=True, origin=origin)
    yield Reshape(name=names["all"], inputs=(names["sum"],), shape=sums.shape, origin=origin)


def _places(node: MatrixProduct) -> tuple[Array, Array]:
    """For each product, (stack, terms, rows, columns), where its two factors stand in theirs."""
    sums = node.contraction
    s, k, r, c = np.ogrid[: sums.stack, : sums.terms, : sums.rows, : sums.columns]
    shape = (sums.stack, sums.terms, sums.rows, sums.columns)
    own = np.broadcast_to((s * sums.rows + r) * sums.terms + k, shape)
    other = np.broadcast_to((s * sums.columns + c) * sums.terms + k, shape)
    return (own, other) if sums.first else (other, own)
