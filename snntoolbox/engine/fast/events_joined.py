"""Currents that are sums over several trains of bytes: residual links, joined paths, the trees of max pooling."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import compiled_loops
from snntoolbox.engine.fast.bytes_layout import rows, shaped
from snntoolbox.engine.fast.bytes_maps import Form
from snntoolbox.engine.fast.bytes_places import Moved
from snntoolbox.engine.fast.events_products import EventProduct
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.fast.neurons_firing import Firing, Points
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, LinearNode, Node, Shape
from snntoolbox.ir.nodes import Add, Conv, Dense, Pad, Permute, Reshape, Scale, Take

if TYPE_CHECKING:
    from snntoolbox.engine.counts import Counts

MOST = 4
"""Trains that are weighted one value at a time, see `compiled_vectors.point_neurons`."""

_MOVES = (Take, Pad, Reshape, Permute)


@dataclass(frozen=True, eq=False)
class Term:
    """A part of a current: the bytes of `source`, moved, times `gain` (their shape); then `node`, if there is one.

    `weight` is the node's, with the gains in it.
    """

    source: str
    gain: Array
    moves: tuple[Node, ...] = ()
    node: Conv | Dense | None = None
    weight: Array | None = None


def terms(graph: Graph, name: str, forms: Mapping[str, Form]) -> list[Term] | None:
    """The value of a node as a sum over bytes; None where it is something else."""
    node = graph.nodes[name]
    if name in forms and not (isinstance(node, _MOVES) and node.inputs[0] in forms):
        return [Term(name, np.full(graph.shapes[name], forms[name].factor))]
    expand = _EXPAND.get(type(node))
    if expand is None or (isinstance(node, LinearNode) and node.bias is not None):
        return None
    inner = [terms(graph, i, forms) for i in node.inputs]
    found: list[Term] = []
    for part, factor in zip(inner, getattr(node, "factors", (1.0,) * len(inner)), strict=True):
        if part is None:
            return None
        for term in part:
            expanded = expand(node, term, factor)
            if expanded is None:
                return None
            found.append(expanded)
    return found


def _add(node: Add, term: Term, factor: float) -> Term | None:
    if term.weight is not None:
        return replace(term, weight=term.weight * factor)
    return replace(term, gain=term.gain * factor)


def _scale(node: Scale, term: Term, factor: float) -> Term | None:
    if term.weight is None:
        return replace(term, gain=term.gain * node.gain)
    if any(n != 1 for n in np.shape(node.gain)[1:]):
        return None
    gains = np.broadcast_to(np.reshape(node.gain, -1), len(term.weight))
    return replace(term, weight=term.weight * gains.reshape(-1, *[1] * (term.weight.ndim - 1)))


def _move(node: Node, term: Term, factor: float) -> Term | None:
    if term.weight is not None or not isinstance(node, LinearNode):
        return None
    return replace(term, gain=node.linear(term.gain[None])[0], moves=(*term.moves, node))


def _conv(node: Conv, term: Term, factor: float) -> Term | None:
    if term.weight is not None or node.groups != 1:
        return None
    gains = term.gain.reshape(len(term.gain), -1)
    if np.any(gains != gains[:, :1]):  # a convolution has one weight for all places
        return None
    shape = (1, -1, *[1] * (node.weight.ndim - 2))
    return replace(term, node=node, weight=node.weight * gains[:, 0].reshape(shape))


def _dense(node: Dense, term: Term, factor: float) -> Term | None:
    if term.weight is not None or term.gain.ndim != 1:
        return None
    return replace(term, node=node, weight=node.weight * term.gain)


_EXPAND: dict[type[Node], Callable[..., Term | None]] = {
    Add: _add,
    Scale: _scale,
    Conv: _conv,
    Dense: _dense,
    **dict.fromkeys(_MOVES, _move),
}


Make = Callable[[Conv | Dense, Shape, Form], EventProduct | None]


class Joined:
    """A population's current as one product of joined bytes, plus bytes times a gain each.

    `sources` names the bytes that it reads. `make` makes the product of a layer on one sample's shape, or answers None.
    """

    def __init__(
        self, found: Sequence[Term], forms: Mapping[str, Form], shapes: Mapping[str, Shape], make: Make
    ) -> None:
        self.products = [_flattened(t, shapes) for t in found if t.weight is not None]
        self.points = [t for t in found if t.weight is None]
        self.sources = tuple(dict.fromkeys(t.source for t in found))
        self.shapes = {s: shapes[s] for s in self.sources}
        self.moved = {id(t): Moved(shapes[t.source], t.moves) for t in (*self.products, *self.points)}
        self.flat = bool(self.products) and isinstance(self.products[0].node, Dense)
        self.product = self._joined(forms, shapes, make) if self.products else None
        self.taken: set[str] = self.product.taken if self.product else {"event"}
        self.gains: dict[str, tuple[Array, Array]] = {}

    @property
    def possible(self) -> bool:
        """Whether all of it can be computed so."""
        return len(self.points) <= MOST and (self.product is not None or not self.products)

    def _joined(self, forms: Mapping[str, Form], shapes: Mapping[str, Shape], make: Make) -> EventProduct | None:
        """One layer on the inputs of all products side by side."""
        first, given = self.products[0].node, [self.moved[id(t)].shape for t in self.products]
        assert first is not None
        if isinstance(first, Dense):
            given = [(math.prod(g),) for g in given]
        if any(not _alike(first, t.node) or g[1:] != given[0][1:] for t, g in zip(self.products, given, strict=True)):
            return None
        weight = np.concatenate([t.weight for t in self.products if t.weight is not None], axis=1)
        shape = (sum(g[0] for g in given), *given[0][1:])
        return make(replace(first, weight=weight), shape, Form(max(forms[t.source].peak for t in self.products)))

    def fire(self, values: Mapping[str, Tensor], firing: Firing, steps: int) -> Tensor:
        """The spikes (steps * samples, *shape) of neurons that have this current."""
        points = self._given(values, firing.shape, firing.dtype) if self.points else None
        if self.product is not None:
            return self.product.drive(self._bytes(values), firing, steps, points)
        firing.step_on(None, steps, 0, steps, points)
        return firing.room(steps)

    def current(self, values: Mapping[str, Tensor], dtype: torch.dtype) -> Tensor:
        """The current itself, (samples, *shape)."""
        parts = [] if self.product is None else [self.product(self._bytes(values)).to(dtype)]
        moved = ((t, self.moved[id(t)](values[t.source])) for t in self.points)
        parts += [x.to(dtype) * torch.from_numpy(t.gain).to(dtype) for t, x in moved]
        return sum(parts[1:], start=parts[0])

    def _bytes(self, values: Mapping[str, Tensor]) -> Tensor:
        """What the product reads: channels, or the values of dense layers, side by side."""
        if len(self.products) == 1 and not self.products[0].moves:
            x = values[self.products[0].source]
            return rows(x) if self.flat else x
        moved = [self.moved[id(t)] for t in self.products]
        sizes = [math.prod(m.shape) if self.flat else m.channels for m in moved]
        shape = (sum(sizes),) if self.flat else (sum(sizes), *moved[0].shape[1:])
        units, total, column = len(values[self.products[0].source]), math.prod(shape), 0
        out = torch.empty((units, total), dtype=torch.uint8)
        for term, part, size in zip(self.products, moved, sizes, strict=True):
            train, length, starts = part.bytes(values[term.source])
            hop = part.channels if self.flat else sum(sizes)
            places = train, length, part.channels, starts, out.numpy().reshape(-1), total, hop, column
            in_parallel(compiled(compiled_loops.take_places), units, *places)
            column += size
        return shaped(out, shape)

    def count(self, values: Mapping[str, Tensor], start: Tensor, counts: Counts) -> Tensor:
        """The counts (samples, *shape) of neurons that get this in all steps together, beside `start`."""
        current = None if self.product is None else self.product(self._bytes(values))
        if not self.points:
            assert current is not None
            return counts.made(current, 1.0, start)
        incoming = None if current is None else rows(current).to(start.dtype).contiguous().numpy().reshape(-1)
        points = self._given(values, counts.shape, start.dtype)
        return counts.made_of_points(incoming, points, len(values[self.sources[0]]), start)

    def _given(self, values: Mapping[str, Tensor], shape: Shape, dtype: torch.dtype) -> Points:
        """What single bytes bring."""
        given = [self.moved[id(t)].bytes(values[t.source]) for t in self.points]
        trains, sizes, starts = zip(*given, strict=True)
        name, n = str(dtype), math.prod(shape)
        places = n // shape[0]
        if name not in self.gains:
            self.gains[name] = self._placed(shape[0], starts, dtype)
        trains = (trains + trains[:1] * MOST)[:MOST]
        return len(given), n, places, *self.gains[name], np.array(sizes), *trains

    def _placed(self, channels: int, starts: Sequence[Array], dtype: torch.dtype) -> tuple[Array, Array]:
        """The gains of all points, and where the channels of their places begin; zeros are any bytes times 0."""
        flat = [rows(torch.from_numpy(np.ascontiguousarray(t.gain))[None]).reshape(-1, channels) for t in self.points]
        begins = np.concatenate(starts)
        gains = torch.cat(flat).to(dtype).numpy() * (begins >= 0)[:, None]
        return gains.astype(gains.dtype).reshape(-1), np.maximum(begins, 0)


def _alike(first: Conv | Dense, other: Conv | Dense | None) -> bool:
    if isinstance(first, Conv) and isinstance(other, Conv):
        names = ("stride", "padding", "dilation")
        same = all(getattr(first, n) == getattr(other, n) for n in names)
        return same and first.weight.shape[2:] == other.weight.shape[2:] and len(first.weight) == len(other.weight)
    return isinstance(first, Dense) and isinstance(other, Dense)


def _flattened(term: Term, shapes: Mapping[str, Shape]) -> Term:
    """A dense layer behind a flattening reads what lies before it, in the order in which the bytes lie."""
    if not isinstance(term.node, Dense) or not term.moves or not isinstance(term.moves[-1], Reshape):
        return term
    before = replace(term, moves=term.moves[:-1])
    shape = Moved(shapes[before.source], before.moves).shape
    if len(shape) < 2 or term.weight is None:
        return term
    weight = np.moveaxis(term.weight.reshape(len(term.weight), *shape), 1, -1)
    return replace(before, weight=weight.reshape(len(weight), -1))
