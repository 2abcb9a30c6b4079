"""Makes masks that are inputs of the model as small as leaves values out, for schedules that count.

What is added to the scores of a softmax, 0 where a value takes part and -10,000 or minus infinity, for instance, where
it does not, would take all levels of what compares scores. With scores from l to u it is enough to take off
``u - l + 32``: below the least that takes part, and 0 to exp. So it is scaled, which is exact for such scores.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snntoolbox.conversion.lowering.softmax_tables import FADED, LEAST, SHOWING
from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, LinearNode, Node
from snntoolbox.ir.nodes import Add, Input, MovingNode, Scale, Softmax

log = logging.getLogger(__name__)

UNCLEAR = "what an input adds to what it reads is 1000 and more below 0, or 0, as a mask, and something between as well"
NOTHING = (
    "in some sample a mask that is an input leaves nothing of a row: leave those samples out, or let one value of such "
    "rows take part"
)
SAME = (
    "%s: what an input adds to what it reads is the same in all calibration samples; if it is a mask, give some that "
    "leave values out, or it is taken for a score"
)
SMALL = (
    "in calibration samples what it reads is about as far apart as what a mask that is an input takes off, so that "
    "nothing is left out: give a mask of larger numbers"
)
UNSEEN = "a mask that is an input needs calibration data, which say how far apart the values are that it reads"


@dataclass
class GivenMasks:
    """What was found: the graph with smaller masks, the least score of each softmax under one, and refusals."""

    graph: Graph
    lowest: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: Graph, data: Sequence[Array] | None) -> GivenMasks:
        """Those of a graph, by samples of each input."""
        sums = [s for n in graph.nodes.values() if isinstance(n, Softmax) for s in _Scores.under_inputs(graph, n)]
        found = cls(graph)
        if not sums:
            return found
        shown = None if data is None else [np.asarray(a[:SHOWING], np.float64) for a in data]
        read = {} if shown is None else graph.values(*shown, keep={n for s in sums for n in (*s.others, s.given)})
        given = {} if shown is None else dict(zip(graph.inputs, shown, strict=True))
        editing, masks = Editing(graph), dict[str, list[_Mask]]()
        for scores in sums:
            if (mask := found._look(scores, read, given.get(scores.source))) is not None:
                masks.setdefault(scores.softmax, []).append(mask)
        for name, together in masks.items():
            if _leave_some(together):
                for mask in together:
                    found._bound(editing, mask, together, read)
            else:
                found.refused[name] = NOTHING
        found.graph = editing.graph()
        return found

    def _look(self, scores: _Scores, read: Mapping[str, Array], samples: Array | None) -> _Mask | None:
        """What is given as a mask; None where it is none, or refused."""
        name = scores.softmax
        zeros, ones = (scores.at(value) for value in (0.0, 1.0))
        step = scores.added(ones - zeros)
        if samples is None:
            if np.abs(step).max() >= LEAST:
                self.refused[name] = UNSEEN
            return None
        truth = bool(np.all((samples == 0) | (samples == 1)))
        for level, other in ((zeros, ones), (ones, zeros)) if truth else ((zeros, zeros),):
            taken = scores.added(np.concatenate([read[scores.given], other]) - level)
            if np.all((taken == 0) | (taken <= -LEAST)) and np.any(taken):
                return _Mask(scores, level, taken)
        below = scores.added(read[scores.given])
        below -= below.max()
        # Of what is no mask hardly two values are the largest.
        if (truth and np.abs(step).max() >= LEAST) or (np.sum(below == 0) > 1 and np.any(below <= -LEAST)):
            self.refused[name] = UNCLEAR
        elif not np.any(np.ptp(read[scores.given], axis=0)):
            log.warning(SAME, scores.graph.nodes[name].label)
        return None

    def _bound(self, editing: Editing, own: _Mask, together: Sequence[_Mask], read: Mapping[str, Array]) -> None:
        """Write the mask anew: what it says of values that take part, and as much less of others as is enough."""
        scores, level, taken = own.scores, own.level, own.taken
        shown = {m.scores.given: np.repeat(m.level, len(read[scores.given]), 0) for m in together}
        others = {n: shown[n] if n in shown else read[n] for n in (*scores.others, scores.given)}
        values = scores.sum_of(others)[:, scores.there(level)]
        low, high = float(values.min()), float(values.max())
        share = (high - low + FADED) / float(np.abs(taken[taken < 0]).min())
        if share > 1:  # then it leaves nothing out of the original, either
            self.refused[scores.softmax] = SMALL
            return
        mask = editing.nodes[scores.given]
        rank = level.ndim - 1
        name = editing.fresh(f"{mask.name}.bounded")
        bias = (1 - share) * level[0]
        smaller = Scale(
            name=name, inputs=(mask.name,), gain=np.full((1,) * rank, share), bias=bias if np.any(bias) else None,
            origin=mask.origin,
        )  # fmt: skip
        reader = editing.nodes[scores.reader]
        place = [name if i == mask.name else i for i in reader.inputs]
        editing.edit([smaller, reader.with_inputs(*place)])
        self.lowest[scores.softmax] = low


@dataclass(frozen=True)
class _Mask:
    """What is given as a mask: what it is where values take part, and what it adds there, 0, and elsewhere.

    The samples' come first in `taken`.
    """

    scores: _Scores
    level: Array
    taken: Array

    @property
    def samples(self) -> int:
        """How many of `taken` are of samples."""
        return len(self.taken) - len(self.level)


def _leave_some(masks: Sequence[_Mask]) -> bool:
    """Whether masks leave some of each row of a softmax in all samples, together and with its constants."""
    first = masks[0]
    left = first.scores.there(first.level)[None]
    for mask in masks:
        left = left & (mask.taken[: mask.samples] == 0)
    return bool(np.all(left.any(first.scores.axis + 1)))


class _Scores:
    """What a softmax reads as a sum of what one input gives by linear maps, and of other nodes."""

    def __init__(self, graph: Graph, softmax: Softmax, reader: str, given: str, source: str) -> None:
        self.graph, self.softmax, self.reader, self.given, self.source = graph, softmax.name, reader, given, source
        self.end, self.axis = softmax.inputs[0], softmax.axis % len(graph.shapes[softmax.name])
        self.path = _path(graph, self.end)
        self.others = {i for n in self.path for i in graph.nodes[n].inputs if i not in self.path and i != given}

    @classmethod
    def under_inputs(cls, graph: Graph, softmax: Softmax) -> list[_Scores]:
        """One for each part of a sum on the way to a softmax that an input gives."""
        if softmax.log:
            return []
        found = []
        for name in _path(graph, softmax.inputs[0]):
            node = graph.nodes[name]
            sources = [_input_of(graph, i) for i in node.inputs]
            if isinstance(node, Add):
                given = zip(node.inputs, sources, strict=True)
                found += [cls(graph, softmax, name, i, source) for i, source in given if source is not None]
        return found

    def there(self, level: Array) -> Array:
        """Which values constants leave in a softmax, where an input gives this to all."""
        zeros = {n: np.zeros((1, *self.graph.shapes[n])) for n in self.others}
        constants = self.sum_of({**zeros, self.given: level})[0]
        return np.asarray(constants > constants.max(self.axis, keepdims=True) - LEAST)

    def at(self, value: float) -> Array:
        """What the input gives where all of it has this value, a batch of one."""
        values = {self.source: np.full((1, *self.graph.shapes[self.source]), value)}
        return _computed(self.graph, self.given, values)

    def added(self, given: Array) -> Array:
        """What the softmax reads more where so much more is given."""
        zeros = {n: np.zeros((len(given), *self.graph.shapes[n])) for n in self.others}
        return self.sum_of({**zeros, self.given: given}, biased=False)

    def sum_of(self, values: Mapping[str, Array], biased: bool = True) -> Array:
        """What the softmax reads for these values of what is summed."""
        return _computed(self.graph, self.end, dict(values), biased)


def _path(graph: Graph, end: str) -> list[str]:
    """The nodes by which a softmax reads sums: they move, scale and add values."""
    waiting, path = [end], list[str]()
    while waiting:
        name = waiting.pop()
        summing = name not in path and isinstance(graph.nodes[name], Scale | Add | MovingNode)
        if summing and _input_of(graph, name) is None:
            path.append(name)
            waiting += graph.nodes[name].inputs
    return path


def _input_of(graph: Graph, name: str) -> str | None:
    """The one input that gives a value by linear maps alone; None where others do, or something else."""
    waiting, seen = [name], {name}
    while waiting:
        node = graph.nodes[waiting.pop()]
        if not isinstance(node, LinearNode | Input):
            return None
        waiting += [i for i in node.inputs if i not in seen]
        seen.update(node.inputs)
    found = [n for n in seen if isinstance(graph.nodes[n], Input)]
    return found[0] if len(found) == 1 else None


def _computed(graph: Graph, end: str, values: dict[str, Array], biased: bool = True) -> Array:
    """The values of a linear node, from those of the nodes that are given."""
    if end not in values:
        node: Node = graph.nodes[end]
        assert isinstance(node, LinearNode)
        below = [_computed(graph, source, values, biased) for source in node.inputs]
        values[end] = np.asarray(node.apply(*below) if biased else node.linear(*below))
    return values[end]
