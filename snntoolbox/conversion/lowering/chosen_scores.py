"""Reads scores that truth values choose from as sums with a mask: ``x m - c (1 - m)`` as ``x - c (1 - m)``.

So frontends write `where` and `masked_fill` with truth values m that the input gives. Behind a softmax both are the
same where -c lies far below what is left of a row: what is left out is 0. The sum needs no products.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snntoolbox.conversion.lowering.bounded_masks import own_sum
from snntoolbox.conversion.lowering.mask_sources import LEAST, Scores, levels, path_to, sources_of
from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Multiply, Scale, Softmax

_SAME = 1e-9
"""How far shares of a softmax, of which the largest is 1, may be apart."""


def without_choices(graph: Graph, given: Mapping[str, Array]) -> Graph:
    """The graph with sums in place of such choices, wherever samples of each input give the same shares."""
    for softmax in [n for n in graph.nodes.values() if isinstance(n, Softmax) and given]:
        path = path_to(graph, softmax.inputs[0])
        chosen = [(reader, *names) for reader in path for names in _chosen(graph, reader)]
        sums = Scores.under_inputs(graph, softmax) if chosen else []
        if sums:
            editing = Editing(graph)
            own = own_sum(editing, sums[0], [softmax.name])
            for reader, name, truths in chosen:
                node = editing.nodes[own[reader]]
                scaled = _scaled(graph, name, truths).renamed(editing.fresh(f"{name}.whole"))
                editing.edit([scaled, node.with_inputs(*(scaled.name if i == name else i for i in node.inputs))])
            summed = editing.graph()
            if _same(graph, summed, softmax, given):
                graph = summed
    return graph


def _chosen(graph: Graph, reader: str) -> list[tuple[str, str]]:
    """The products with truth values that a node reads, each with these."""
    found = []
    for name in graph.nodes[reader].inputs:
        node = graph.nodes[name]
        if isinstance(node, Multiply) and graph.consumers[name] == (reader,):
            truths = [i for i in node.inputs if sources_of(graph, i)]
            if len(truths) == 1 and _level(graph, truths[0]) is not None:
                found.append((name, truths[0]))
    return found


def _level(graph: Graph, truths: str) -> Array | None:
    """What such values are where they are not 0, a batch of one; None where they may be two other numbers."""
    known = np.concatenate(levels(graph, truths, sources_of(graph, truths)))
    top = np.where(known.max(0) > 0, known.max(0), known.min(0))
    return np.asarray(top) if np.all((known == 0) | (known == top)) else None


def _scaled(graph: Graph, name: str, truths: str) -> Scale:
    """What is chosen from, whatever the truths are."""
    node, level = graph.nodes[name], _level(graph, truths)
    assert level is not None
    (source,) = (i for i in node.inputs if i != truths)
    level = level.ravel()[0].reshape((1,) * level.ndim) if np.ptp(level) == 0 else level
    return Scale(name=name, inputs=(source,), gain=level, origin=node.origin)


def _same(before: Graph, after: Graph, softmax: Softmax, given: Mapping[str, Array]) -> bool:
    """Whether both give the same shares, but in rows of which a mask leaves nothing."""
    x = [given[name] for name in before.inputs]
    read = before.values(*x, keep=[softmax.name, softmax.inputs[0]])
    old, scores, new = read[softmax.name], read[softmax.inputs[0]], after.values(*x, keep=[softmax.name])[softmax.name]
    axis = softmax.axis % (scores.ndim - 1) + 1
    nothing = (scores.max(axis, keepdims=True) <= -LEAST) & (np.ptp(scores, axis, keepdims=True) == 0)
    some = np.broadcast_to(~nothing, scores.shape)
    return bool(np.all(np.abs(old - new)[some] <= _SAME))
