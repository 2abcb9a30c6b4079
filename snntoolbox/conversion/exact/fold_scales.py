"""Folds diagonal maps (batch normalisation, constants, threshold scales) into the weights around them.

Upwards: ``g * (W x + b) + c = (g W) x + (g b + c)``. Downwards: ``W (g x + c) + b = (W g) x + (W c + b)``, where W c is
computed with the zero padding that W applies, so the new bias may vary in space and stays exact. A scale passes sums,
joins, pools and moves on its way, and max pooling where every gain is positive. Together: scales on several inputs of
one join pass it as one. A scale moves only if the weights on every branch can take it; else it stays where it is, a
diagonal linear map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import overload

import numpy as np

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, LinearNode, Node, add_biases, collapse, uniform_along
from snntoolbox.ir.nodes import MaxPool, Scale

Edits = dict[str, Node]

_Above = tuple[str, Node, Array, Array | None]
"""A node, the one that reads it alone, and the gain and bias that it has to take."""

_Below = tuple[str, Array, Array | None]
"""A node, and the gain and bias that all its readers have to take."""


@dataclass(frozen=True)
class FoldScales:
    """The pass; exact up to rounding."""

    def __call__(self, graph: Graph) -> Graph:
        """The same function with as few `Scale` nodes as possible."""
        # Products of two numbers of single precision have no room in one: fold after fold they would round.
        scales = [n for n in graph.nodes.values() if isinstance(n, Scale)]
        editing = Editing(graph.edited([replace(n, gain=_double(n.gain), bias=_double(n.bias)) for n in scales]))
        folded = False
        while _swept(editing):  # a fold may let those in front of it fold too
            folded = True
        return editing.graph() if folded else graph


@overload
def _double(values: Array) -> Array: ...
@overload
def _double(values: None) -> None: ...
def _double(values: Array | None) -> Array | None:
    return None if values is None else values.astype(np.float64, copy=False)


def _swept(editing: Editing) -> bool:
    """Fold what folds, from the inputs to the outputs; whether anything did."""
    ways = (_Upwards(editing), _Downwards(editing), _Together(editing))
    folded = False
    for name in [n.name for n in editing.nodes.values() if isinstance(n, Scale)]:
        scale = editing.nodes.get(name)
        if isinstance(scale, Scale) and (edits := next(filter(None, (way.fold(scale) for way in ways)), None)):
            editing.edit(edits.values(), redirect={name: scale.inputs[0]})
            folded = True
    return folded


class _Upwards:
    """Tries to fold a scale into what it reads."""

    def __init__(self, graph: Editing) -> None:
        self.graph = graph

    def fold(self, scale: Scale) -> Edits | None:
        """Edits that make what the scale reads yield ``gain * value + bias``."""
        edits: Edits = {}
        waiting: list[_Above] = [(scale.inputs[0], scale, scale.gain, scale.bias)]
        while waiting:
            name, reader, gain, bias = waiting.pop()
            if self.graph.only_reader(name) is not reader:
                return None
            node = self.graph.nodes[name]
            above = self._above(node, gain, bias)
            if above is None:
                return None
            edits[name], further = above
            waiting += further
        return edits

    def _above(self, node: Node, gain: Array, bias: Array | None) -> tuple[Node, list[_Above]] | None:
        """The node that yields ``gain * value + bias``, and what its own sources have to yield for that."""
        if isinstance(node, MaxPool) and _commutes_with_max(gain, bias):
            return node, [(node.inputs[0], node, _per_channel(gain), _per_channel(bias))]
        if not isinstance(node, LinearNode):
            return None
        absorbed = node.absorb_output(gain)
        if absorbed is not None:
            return absorbed.with_bias(add_biases(absorbed.bias, bias)), []
        gains = node.gain_above(gain, *self.graph.input_shapes(node.name))
        if gains is None:
            return None
        own = None if node.bias is None else node.bias * gain
        sources: list[_Above] = [(source, node, part, None) for source, part in zip(node.inputs, gains, strict=True)]
        return node.with_bias(add_biases(own, bias)), sources


class _Downwards:
    """Tries to fold a scale into everything that reads it."""

    def __init__(self, graph: Editing) -> None:
        self.graph = graph

    def fold(self, scale: Scale) -> Edits | None:
        """Edits that make its readers act as if the scale were there; they read what it reads."""
        # Removing the scale redirects its readers, but not edited ones: those are made to read its input here.
        edits = self._into_readers(scale.name, scale.gain, scale.bias, {})
        if edits is None:
            return None
        above = {scale.name: scale.inputs[0]}
        return {n: e.with_inputs(*(above.get(i, i) for i in e.inputs)) for n, e in edits.items()}

    def _into_readers(self, name: str, gain: Array, bias: Array | None, edits: Edits) -> Edits | None:
        """`edits`, and those that make all readers of `name` act as if they read ``gain * value + bias``."""
        waiting: list[_Below] = [(name, gain, bias)]
        while waiting:
            name, gain, bias = waiting.pop()
            if not self._could_take(name):
                return None
            for reader in self.graph.readers(name):
                below = self._below(name, self.graph.nodes[reader], gain, bias)
                if below is None:
                    return None
                edits[reader], further = below
                waiting += further
        return edits

    def _could_take(self, name: str) -> bool:
        """Whether nothing but readers of this one input, whose kinds let scales in, sees the value of `name`."""
        readers = [self.graph.nodes[reader] for reader in self.graph.readers(name)]
        kinds = all(isinstance(n, (LinearNode, MaxPool)) and len(n.inputs) == 1 for n in readers)
        return bool(readers) and kinds and not self.graph.is_output(name)

    def _below(self, name: str, node: Node, gain: Array, bias: Array | None) -> tuple[Node, list[_Below]] | None:
        """The node that acts on `name` as on ``gain * value + bias``, up to what its own readers have to take."""
        shape = self.graph.shapes[name]
        if isinstance(node, MaxPool) and _commutes_with_max(gain, bias):
            return node, [(node.name, _per_channel(gain), _per_channel(bias))]
        if not isinstance(node, LinearNode):
            return None
        shift = None if bias is None else _shift(node, np.broadcast_to(bias, shape))
        absorbed = node.absorb_input(gain)
        if absorbed is not None:
            return absorbed.with_bias(add_biases(node.bias, shift)), []
        below = node.gain_below(np.broadcast_to(gain, shape))
        if below is None:
            return None
        # node(g x + c) + b = g' node(x) + (node(c) + b): the node itself loses its bias, the readers get it.
        return node.with_bias(None), [(node.name, below, add_biases(node.bias, shift))]


class _Together(_Downwards):
    """Tries to fold all scales in front of one join (or sum) into everything that reads it, once for each join."""

    def __init__(self, graph: Editing) -> None:
        super().__init__(graph)
        self.tried: set[str] = set()

    def fold(self, scale: Scale) -> Edits | None:
        """Edits that let the join read what its scales read, and its readers take their gains and biases."""
        join = self.graph.nodes[next(iter(self.graph.readers(scale.name)), scale.name)]
        if not isinstance(join, LinearNode) or len(join.inputs) < 2 or join.name in self.tried:
            return None
        self.tried.add(join.name)
        scales = [self._scale_for(i, join) for i in join.inputs] if self._could_take(join.name) else []
        if scale not in scales:
            return None
        shapes = self.graph.input_shapes(join.name)
        gains = [1.0 if s is None else s.gain for s in scales]
        below = join.gain_below(*map(np.broadcast_to, gains, shapes))
        if below is None:
            return None
        # join(g x + c) + b = g' join(x) + (join(c) + b)
        shifts = [0.0 if s is None or s.bias is None else s.bias for s in scales]
        shift = join.linear(*(np.broadcast_to(s, (1, *shape)) for s, shape in zip(shifts, shapes, strict=True)))[0]
        bias = add_biases(join.bias, shift if np.any(shift) else None)
        bypassed = (i if s is None else s.inputs[0] for i, s in zip(join.inputs, scales, strict=True))
        edits: Edits = {join.name: join.with_bias(None).with_inputs(*bypassed)}
        flat = tuple(a for a in range(below.ndim) if uniform_along(below, (a,)))
        return self._into_readers(join.name, collapse(below, flat), bias, edits)

    def _scale_for(self, name: str, join: Node) -> Scale | None:
        """The node of this name where it is a scale that only `join` reads."""
        node = self.graph.nodes[name]
        alone = list(self.graph.readers(name)) == [join.name] and not self.graph.is_output(name)
        return node if isinstance(node, Scale) and alone else None


def _shift(node: LinearNode, bias: Array) -> Array:
    """What a constant input adds to the output, one value per channel where it does not vary in space."""
    shift = node.linear(bias[None])[0]
    space = tuple(range(1, shift.ndim))
    return _per_channel(shift) if space and uniform_along(shift, space) else shift


def _per_channel(array: Array | None) -> Array:
    return array if array is None else array[(slice(None), *[slice(0, 1)] * (array.ndim - 1))]  # type: ignore[return-value]


def _commutes_with_max(gain: Array, bias: Array | None) -> bool:
    """Whether ``max(g x + c) = g max(x) + c``: positive gains, and both the same all over each window."""
    space = tuple(range(1, gain.ndim))
    return bool(np.all(gain > 0)) and uniform_along(gain, space) and (bias is None or uniform_along(bias, space))
