"""Folds diagonal maps (batch normalisation, constants, threshold scales) into the weights around them.

Upwards: ``g * (W x + b) + c = (g W) x + (g b + c)``. Downwards: ``W (g x + c) + b = (W g) x + (W c + b)``, where W c is
computed with the zero padding that W applies, so the new bias may vary in space and stays exact. A scale passes sums,
joins, pools and moves on its way, and max pooling where every gain is positive. Together: scales on several inputs of
one join pass it as one. A scale moves only if the weights on every branch can take it; else it stays where it is, a
diagonal linear map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, LinearNode, Node, add_biases, collapse, uniform_along
from snntoolbox.ir.nodes import MaxPool, Scale

Edits = dict[str, Node]


@dataclass(frozen=True)
class FoldScales:
    """The pass; exact up to rounding."""

    def __call__(self, graph: Graph) -> Graph:
        """The same function with as few `Scale` nodes as possible."""
        stuck: set[str] = set()
        while True:
            scale = next((n for n in graph.nodes.values() if isinstance(n, Scale) and n.name not in stuck), None)
            if scale is None:
                return graph
            edits = _Upwards(graph).fold(scale) or _Downwards(graph).fold(scale) or _Together(graph).fold(scale)
            if edits is None:
                stuck.add(scale.name)
            else:
                graph = graph.edited(edits.values(), redirect={scale.name: scale.inputs[0]})
                stuck.clear()  # its neighbours may fold now


class _Upwards:
    """Tries to fold a scale into what it reads."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def fold(self, scale: Scale) -> Edits | None:
        return self._into(scale.inputs[0], scale.name, scale.gain, scale.bias, {})

    def _into(self, name: str, reader: str, gain: Array, bias: Array | None, edits: Edits) -> Edits | None:
        """Edits that make node `name`, read by `reader` alone, yield ``gain * value + bias``."""
        node = self.graph.nodes[name]
        if self.graph.consumers[name] != (reader,) or name in self.graph.outputs or name in edits:
            return None
        if isinstance(node, MaxPool):
            return self._through_max(node, gain, bias, edits)
        if not isinstance(node, LinearNode):
            return None
        absorbed = node.absorb_output(gain)
        if absorbed is not None:
            return {**edits, name: absorbed.with_bias(add_biases(absorbed.bias, bias))}
        gains = node.gain_above(gain, *self.graph.input_shapes(name))
        if gains is None:
            return None
        own = None if node.bias is None else node.bias * gain
        edits = {**edits, name: node.with_bias(add_biases(own, bias))}
        for source, part in zip(node.inputs, gains, strict=True):
            folded = self._into(source, name, part, None, edits)
            if folded is None:
                return None
            edits = folded
        return edits

    def _through_max(self, pool: MaxPool, gain: Array, bias: Array | None, edits: Edits) -> Edits | None:
        if not _commutes_with_max(gain, bias):
            return None
        return self._into(pool.inputs[0], pool.name, _per_channel(gain), _per_channel(bias), {**edits, pool.name: pool})


class _Downwards:
    """Tries to fold a scale into everything that reads it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def fold(self, scale: Scale) -> Edits | None:
        # Removing the scale redirects its readers, but not edited ones: those are made to read its input here.
        edits = self._into_readers(scale.name, scale.gain, scale.bias, {})
        if edits is None:
            return None
        above = {scale.name: scale.inputs[0]}
        return {n: e.with_inputs(*(above.get(i, i) for i in e.inputs)) for n, e in edits.items()}

    def _into_readers(self, name: str, gain: Array, bias: Array | None, edits: Edits) -> Edits | None:
        """Edits that make all readers of `name` act as if they read ``gain * value + bias``."""
        if name in self.graph.outputs or not self.graph.consumers[name]:
            return None
        for reader in self.graph.consumers[name]:
            node = self.graph.nodes[reader]
            if len(node.inputs) != 1 or reader in edits:
                return None
            folded = self._into_one(name, node, gain, bias, edits)
            if folded is None:
                return None
            edits = folded
        return edits

    def _into_one(self, name: str, node: Node, gain: Array, bias: Array | None, edits: Edits) -> Edits | None:
        shape = self.graph.shapes[name]
        if isinstance(node, MaxPool):
            if not _commutes_with_max(gain, bias):
                return None
            return self._into_readers(node.name, _per_channel(gain), _per_channel(bias), {**edits, node.name: node})
        if not isinstance(node, LinearNode):
            return None
        shift = None if bias is None else _shift(node, np.broadcast_to(bias, shape))
        absorbed = node.absorb_input(gain)
        if absorbed is not None:
            return {**edits, node.name: absorbed.with_bias(add_biases(node.bias, shift))}
        below = node.gain_below(np.broadcast_to(gain, shape))
        if below is None:
            return None
        # node(g x + c) + b = g' node(x) + (node(c) + b): the node itself loses its bias, the readers get it.
        total = add_biases(node.bias, shift)
        return self._into_readers(node.name, below, total, {**edits, node.name: node.with_bias(None)})


class _Together(_Downwards):
    """Tries to fold all scales in front of one join (or sum) into everything that reads it."""

    def fold(self, scale: Scale) -> Edits | None:
        join = self.graph.nodes[next(iter(self.graph.consumers[scale.name]), scale.name)]
        if not isinstance(join, LinearNode) or len(join.inputs) < 2:
            return None
        scales = [self._scale_for(i, join) for i in join.inputs]
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
        alone = set(self.graph.consumers[name]) == {join.name} and name not in self.graph.outputs
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
