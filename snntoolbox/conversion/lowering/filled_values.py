"""Makes what masks that are inputs take off values as small as leaves them out of rectifiers, functions and maxima.

``max(x - 10^9 (1 - m))`` over tokens leaves out those that are not there, as ``relu(x - 10^9 (1 - m))`` does, and the
sigmoid of that. So large a number would take all levels of what compares values, and all digits of float32. With values
from l to u it is enough to take off somewhat more than ``u - l`` below a maximum, than u below a rectifier, and 32 more
below smooth functions, which are flat there. So it is with what is added, where a rectifier has a bound, or a function
is flat on the other side too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snntoolbox.conversion.lowering.bounded_masks import Mask, write
from snntoolbox.conversion.lowering.mask_sources import Scores
from snntoolbox.conversion.lowering.softmax_tables import FADED, SHOWING
from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Elementwise, MaxPool, ReLU, Tabulated
from snntoolbox.ir.nodes.elementwise import EXPONENTIAL, FUNCTIONS

ROOM = 1.25
"""How much more is taken off than samples need: others may be somewhat larger."""

LOUD = 16
"""How many times larger values of others may be that a rectifier is to leave out: what lies below takes no levels."""

FLAT = frozenset({"sigmoid", "tanh", "erf"})
"""Functions that are flat far above 0 too, as all are far below."""

_SIDES = (1, -1)

_SAME = 1e-9
"""How far outputs may be apart, as a share of the largest: a smooth function is nearly flat where values are left."""


@dataclass(frozen=True)
class FilledValues:
    """The pass; samples of each input (`data`) show what is a mask, and how far values are apart.

    Nothing changes where an output does: a maximum of which a mask leaves nothing is what the mask takes off.
    """

    data: Sequence[Array] | None

    def __call__(self, graph: Graph) -> Graph:
        """The graph with smaller masks; the same one where there are none."""
        if self.data is None or len(graph.inputs) < 2:
            return graph
        shown = [np.asarray(a[:SHOWING], np.float64) for a in self.data]
        bounded = _bounded(graph, shown)
        if bounded is graph:
            return graph
        before, after = graph.values(*shown, keep=graph.outputs), bounded.values(*shown, keep=bounded.outputs)
        pairs = [(before[o], after[p]) for o, p in zip(graph.outputs, bounded.outputs, strict=True)]
        same = all(np.abs(b - a).max(initial=0) <= _SAME * np.abs(a).max(initial=0) for a, b in pairs)
        return bounded if same else graph


def _bounded(graph: Graph, shown: Sequence[Array]) -> Graph:
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes.values():
        if any(_leaves_out(node, sign) for sign in _SIDES):
            readers.setdefault(node.inputs[0], []).append(node)
    sums = {end: Scores.under_inputs(graph, nodes[0]) for end, nodes in readers.items()}
    keep = {n for found in sums.values() for s in found for n in (*s.others, s.given)}
    if not keep:
        return graph
    read, given, editing = graph.values(*shown, keep=keep), dict(zip(graph.inputs, shown, strict=True)), Editing(graph)
    for end, found in sums.items():
        nodes = readers[end]
        for sign in (sign for sign in _SIDES if all(_leaves_out(n, sign) for n in nodes)):
            given_so = (Mask.given(scores, read, given, least=FADED, sign=sign) for scores in found)
            masks = [mask for mask in given_so if mask is not None]
            if shares := [(m, share) for m in masks if (share := _share(m, masks, nodes, read, sign)) < 1]:
                write(editing, shares, [n.name for n in nodes])
                break
    return editing.graph()


def _leaves_out(node: Node, sign: int) -> bool:
    """Whether a node says the same of all values that are far below the others, or above for a sign of -1."""
    if isinstance(node, Tabulated | Elementwise):
        return node.function in (FLAT if sign < 0 else {**FUNCTIONS, **EXPONENTIAL})
    return isinstance(node, ReLU | MaxPool) if sign > 0 else isinstance(node, ReLU) and node.max_value is not None


def _share(mask: Mask, masks: Sequence[Mask], readers: Sequence[Node], read: Mapping[str, Array], sign: int) -> float:
    """What all readers need of a mask."""
    low, high = mask.left(masks, read)
    return max(_needed(reader, *((low, high) if sign > 0 else (-high, -low))) for reader in readers) / mask.least


def _needed(reader: Node, low: float, high: float) -> float:
    """How much has to be taken off values in this range, or off those that are turned, to leave them out."""
    if isinstance(reader, MaxPool):
        return ROOM * (high - low)
    if isinstance(reader, Tabulated | Elementwise):
        return ROOM * (max(high, 0.0) - min(low, 0.0)) + FADED
    assert isinstance(reader, ReLU)
    bound = 0.0 if reader.max_value is None else float(np.max(reader.max_value))
    return LOUD * (max(high, 0.0) + bound)
