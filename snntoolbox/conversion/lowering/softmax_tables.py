"""Writes a softmax between layers with tables and a product, for schedules that count before others fire.

``softmax(x) = e r`` with ``e = exp(x - max(x))`` and ``r = 1 / sum(e)``: the maximum is a tree of rectifiers, so that
no e is above 1 and one of each row is 1, exp and the inverse of a number from 1 to the length of a row are tables, and
the product is one of counts. Exact; tables and rectifiers round to the levels of a window. As r is common to a row,
several tables share it, which round at places of their own.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snntoolbox.conversion.lowering.mask_sources import LEAST, truths_of
from snntoolbox.conversion.lowering.shared_values import COMMON
from snntoolbox.ir.editing import Editing, rewritten
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import (
    Add,
    MaxPool,
    Mean,
    MovingNode,
    Multiply,
    Pad,
    Permute,
    ReLU,
    Reshape,
    Scale,
    Softmax,
    Tabulated,
    Take,
)
from snntoolbox.ir.nodes.multiplying import MOST_THRESHOLDS
from snntoolbox.ir.nodes.nonlinear import LEFT_OUT

log = logging.getLogger(__name__)


FADED = 32.0
"""So far below the largest of a row, but less than `LEAST`, constants added to what softmax reads take levels."""

SHOWING = 64
"""Samples that show whether constants leave values out."""


@dataclass(frozen=True)
class SoftmaxTables:
    """The pass; those in `kept` and logarithms stay.

    What a mask leaves out of a row has no neurons: it is no candidate for the maximum, and its share is 0 exactly.
    Where an input says what is left out, `lowest` has the least score of those that take part: candidates are rectified
    there, so that a tree of comparisons tells the largest without rounding, whatever lies below.
    """

    kept: frozenset[str] = frozenset()
    lowest: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, graph: Graph) -> Graph:
        """The graph without the others."""
        def rows(editing: Editing, node: Softmax) -> list[Node]:
            return _Rows(editing, node, there(graph, graph.nodes[node.name]), self.lowest.get(node.name)).written()

        return rewritten(graph, Softmax, rows, lambda node: not node.log and node.name not in self.kept)


def masked(graph: Graph, data: Sequence[Array] | None = None) -> dict[str, str]:
    """For each softmax between layers that cannot be written why, by name; warns of masks that take levels.

    Samples show whether constants leave values out: an offset that they bear themselves is not to be taken for a mask.
    """
    kept: dict[str, str] = {}
    nodes = [n for n in graph.nodes.values() if isinstance(n, Softmax)]
    read = {} if data is None else graph.values(*(a[:SHOWING] for a in data), keep=[n.inputs[0] for n in nodes])
    for node in nodes:
        added = _added(graph, node)
        if added is None:
            continue
        axis = node.axis % added.ndim
        if np.any(added.max(axis) <= LEFT_OUT / 2):
            kept[node.name] = "a mask leaves nothing of a row, whose softmax is then no number"
            continue
        there = np.broadcast_to(_there(added, axis), added.shape)
        if read and _nearest(read[node.inputs[0]], there, axis) > -FADED:
            kept[node.name] = "constants as far apart as those of a mask are added to what it reads, and samples make "
            kept[node.name] += "up for them: give the model samples without that offset"
            continue
        distance = float((added.max(axis, keepdims=True) - added)[_there(added, axis)].max())
        if distance >= FADED:
            told = "%s: constants %g apart are added to what softmax reads; that takes levels of the other values: %s"
            log.warning(told, node.label, distance, "longer windows, or a mask of minus infinity, keep them")
    return kept


def _nearest(read: Array, there: Array, axis: int) -> float:
    """The largest of what is left out beside what takes part, in any row of any sample: how far it lies above."""
    top = np.where(there, read, -np.inf).max(axis + 1, keepdims=True)
    return float(np.where(there, -np.inf, read - top).max(initial=-np.inf))


def there(graph: Graph, node: Node) -> Array | None:
    """What of the values of a softmax takes part, in its shape; None where all does."""
    assert isinstance(node, Softmax)
    added = _added(graph, node)
    if added is None:
        return None
    found = _there(added, node.axis % added.ndim)
    return None if found.all() else found


def _there(added: Array, axis: int) -> Array:
    return np.asarray(added > added.max(axis, keepdims=True) - LEAST)


def _added(graph: Graph, node: Softmax) -> Array | None:
    """The constants that are added to what a softmax reads, in its shape; None where there are none.

    What truth values add is none: the most that they do counts.
    """
    waiting, path, biased = [node.inputs[0]], [], False
    while waiting:
        source = graph.nodes[waiting.pop()]
        if isinstance(source, Scale | Add | MovingNode) and source.name not in path:
            path.append(source.name)
            biased |= source.bias is not None
            waiting += source.inputs
    if not biased:
        return None
    ends = {i for name in path for i in graph.nodes[name].inputs if i not in path}
    total = none = _summed(graph, node.inputs[0], path, {})
    for group in truths_of(graph, ends):
        total = total + np.max([_summed(graph, node.inputs[0], path, given) - none for given in group], axis=0)
    return total


def _summed(graph: Graph, end: str, path: Sequence[str], given: Mapping[str, Array]) -> Array:
    """A sum of constants and of what is given; the others of what it reads are 0."""
    values: dict[str, Array] = dict(given)
    for name, source in graph.nodes.items():  # each behind those it reads
        if name in path:
            below = [values.get(i, np.zeros((1, *graph.shapes[i]))) for i in source.inputs]
            values[name] = source.apply(*below)
    return np.asarray(values[end][0])


class _Rows:
    """A softmax over rows, written node by node; `there` is what of its values takes part, None for all.

    What lies below `low`, if there is such a number, is no candidate for the maximum.
    """

    def __init__(self, editing: Editing, node: Softmax, there: Array | None, low: float | None) -> None:
        self.editing, self.node, self.low = editing, node, low
        self.nodes: dict[str, Node] = {}
        shape = editing.shapes[node.name]
        axis = node.axis % len(shape)
        self.order = (*(a for a in range(len(shape)) if a != axis), axis)
        self.turned = tuple(shape[a] for a in self.order)
        self.shape = (math.prod(self.turned[:-1]), self.turned[-1])
        self.there = None if there is None else there.transpose(self.order).reshape(self.shape)

    def written(self) -> list[Node]:
        """The nodes that take its place, the last one with its values: 1 where a row has one value."""
        if self.shape[1] == 1:
            ones = (1,) * len(self.turned)
            self._add(Scale, "one", *self.node.inputs, gain=np.zeros(ones), bias=np.ones(ones))
            return list(self.nodes.values())
        (source,), length, axes = self.node.inputs, self.shape[1], len(self.order)
        turns = self.order != tuple(range(axes))
        if turns:
            source = self._add(Permute, "turned", source, axes=self.order)
        rows = self._add(Reshape, "rows", source, shape=self.shape)
        window = {"kernel": (length,), "stride": (length,), "padding": ((0, 0),), "dilation": (1,)}
        top = self._add(MaxPool, "top", self._above(self._candidates(rows)), **window)
        tops = self._add(Take, "tops", top, axis=1, indices=(0,) * length)
        bias = np.full((1, 1), -self.low) if self.low else None
        below = self._add(Add, "below", rows, tops, coefficients=(1.0, -1.0), bias=bias)
        exp = self._add(Tabulated, "exp", self._seen("below", below), function="exp", most=0.0)
        total = self._add(Mean, "sum", self._put("exp", exp), axes=(1,), keepdims=True, summed=True)
        inverse = self._inverse(total, float(length))
        inverses = self._add(Take, "inverses", inverse, axis=1, indices=(0,) * length)
        share = self._shares(self._seen("inverses", inverses), exp)
        whole = self._add(Reshape, "whole", self._put("share", share), shape=self.turned)
        if turns:
            self._add(Permute, "back", whole, axes=tuple(self.order.index(a) for a in range(axes)))
        return list(self.nodes.values())

    def _inverse(self, total: str, most: float) -> str:
        """The factor that the values of a row have in common."""
        return self._add(Tabulated, "inverse", total, function="inverse", neurons=COMMON, most=most)

    def _shares(self, inverses: str, exp: str) -> str:
        """The products, each with a threshold of its own where they are not too many to need a histogram each."""
        count = math.prod(self.shape) if self.there is None else int(self.there.sum())
        if count > MOST_THRESHOLDS:
            return self._add(Multiply, "share", inverses, exp)
        column = (self._add(Reshape, f"share_{k}", s, shape=(count, 1)) for k, s in enumerate((inverses, exp)))
        share = self._add(Multiply, "share", *column)
        return self._add(Reshape, "shares", share, shape=self.shape if self.there is None else (1, count))

    def _candidates(self, rows: str) -> str:
        """The rows with a value that takes part in the place of each that does not."""
        if self.there is None:
            return rows
        count, length = self.shape
        columns = np.where(self.there, np.arange(length), self.there.argmax(axis=1)[:, None])
        places = (columns + length * np.arange(count)[:, None]).ravel()
        flat = self._add(Reshape, "flat", rows, shape=(count * length,))
        seen = self._add(Take, "seen", flat, axis=0, indices=tuple(places.tolist()))
        return self._add(Reshape, "candidates", seen, shape=self.shape)

    def _above(self, candidates: str) -> str:
        """What of them is above the least."""
        if self.low is None:
            return candidates
        ones = np.ones((1, 1))
        above = self._add(Scale, "above", candidates, gain=ones, bias=-self.low * ones)
        return self._add(ReLU, "rectified", above)

    def _seen(self, stem: str, rows: str) -> str:
        """What takes part of rows, as one row."""
        if self.there is None:
            return rows
        flat = self._add(Reshape, f"{stem}_flat", rows, shape=(1, self.there.size))
        places = tuple(np.flatnonzero(self.there).tolist())
        return self._add(Take, f"{stem}_seen", flat, axis=1, indices=places)

    def _put(self, stem: str, row: str) -> str:
        """Such a row as rows again, with zeros for what takes no part."""
        if self.there is None:
            return row
        places = np.where(self.there, self.there.cumsum().reshape(self.shape) - 1, self.there.sum()).ravel()
        padded = self._add(Pad, f"{stem}_padded", row, pads=((0, 0), (0, 1)))
        spread = self._add(Take, f"{stem}_spread", padded, axis=1, indices=tuple(places.tolist()))
        return self._add(Reshape, f"{stem}_rows", spread, shape=self.shape)

    def _add(self, kind: type[Node], stem: str, *inputs: str, **fields: object) -> str:
        name = self.editing.fresh(f"{self.node.name}.{stem}", self.nodes)
        self.nodes[name] = kind(name=name, inputs=inputs, origin=self.node.origin, **fields)
        return name
