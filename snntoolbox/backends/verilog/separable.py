"""The target neurons and weights of a spike as sums over the axes of its layer, as far as a path allows that.

A spike at (i, j, ...) of its source reaches neuron n with weight word v where n = n_i + n_j + ... and
v = v_i + v_j + ..., each axis having a few (n, v) per coordinate: whatever moves or sums along one axis (stride,
padding, dilation, pooling, slices, offsets) is in these short lists, and a kernel is kept once. A path that is no such
sum (say, a reshape that cuts an axis of the source) is a list of synapses instead, see `Irregular`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from snntoolbox.ir.node import Array, LinearNode, Shape, collapse, uniform_along
from snntoolbox.ir.nodes import AveragePool, Conv, Dense, Mean, Pad, Permute, Reshape, Scale, Sparse, Take
from snntoolbox.ir.nodes.windows import window_indices
from snntoolbox.ir.paths import Path

Entry = tuple[int, int]
"""Where a coordinate leads: a place on an axis (later: an offset of the neuron), and an offset of the weights."""
Rows = tuple[tuple[Entry, ...], ...]
"""For each coordinate of an axis its entries."""
DENSE = 0.5
"""A sparse matrix with at least this share of entries is kept as a dense one."""


class Irregular(Exception):  # noqa: N818 - it asks for another representation, and is always caught
    """A path that is no sum over axes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Separable:
    """A path as sums over the axes of its source.

    rows: for each axis of the source its entries; home: the axis of the target that they move along (None: nowhere).
    base: a place on each axis of the target, `word` a weight word, where the sums begin.
    loop: the target's axis along which each weight word goes from there, `loop_step` places at a time (None: one
    place alone).
    words: the weights, (words, loop length), whole numbers.
    """

    shape: Shape
    rows: tuple[Rows, ...]
    home: tuple[int | None, ...]
    base: tuple[int, ...]
    word: int = 0
    loop: int | None = None
    loop_step: int = 1
    words: Array = field(default_factory=lambda: np.ones((1, 1), np.int64))
    weighted: bool = False

    @classmethod
    def identity(cls, shape: Shape) -> Separable:
        """Each value to itself, with weight 1."""
        rows = tuple(tuple(((i, 0),) for i in range(n)) for n in shape)
        return cls(shape=shape, rows=rows, home=tuple(range(len(shape))), base=(0,) * len(shape))

    def tied(self, axis: int) -> list[int]:
        """The axes of the source that move along an axis of the target."""
        return [a for a, home in enumerate(self.home) if home == axis]

    def along(self, axis: int, relation: Sequence[Sequence[Entry]], size: int) -> Separable:
        """Followed by a map along one axis: place p to the places, and further in the weights, of ``relation[p]``."""
        tied, looped = self.tied(axis), self.loop == axis
        shape = (*self.shape[:axis], size, *self.shape[axis + 1 :])
        if line := _line(relation):
            return replace(self._on_line(axis, *line), shape=shape)
        if looped or len(tied) > 1:
            raise Irregular
        base = self.base[axis]
        if not tied:
            if len(relation[base]) != 1:
                raise Irregular
            ((place, word),) = relation[base]
            return replace(self._based(axis, place), word=self.word + word, shape=shape)
        rows = list(self.rows)
        rows[tied[0]] = tuple(tuple((q, v + w) for p, v in row for q, w in relation[base + p]) for row in rows[tied[0]])
        return replace(self._based(axis, 0), rows=tuple(rows), shape=shape)

    def _based(self, axis: int, place: int) -> Separable:
        return replace(self, base=(*self.base[:axis], place, *self.base[axis + 1 :]))

    def _on_line(self, axis: int, gain: int, offset: int, word_gain: int, word: int) -> Separable:
        """Followed by p -> gain * p + offset, with word_gain * p + word further in the weights."""
        if self.loop == axis and word_gain:
            raise Irregular
        rows = tuple(
            tuple(tuple((gain * p, v + word_gain * p) for p, v in row) for row in rows) if home == axis else rows
            for rows, home in zip(self.rows, self.home, strict=True)
        )
        base = self.base[axis]
        step = self.loop_step * (gain if self.loop == axis else 1)
        moved = replace(self, rows=rows, word=self.word + word_gain * base + word, loop_step=step)
        return moved._based(axis, gain * base + offset)

    def reshaped(self, shape: Shape) -> Separable:
        """Followed by a reshape that joins axes, or drops or adds axes of length one."""
        home: dict[int | None, int | None] = {None: None}
        scale, base, loop, position = [1] * len(self.shape), [0] * len(shape), self.loop, 0
        for axis, size in enumerate(shape):
            first, count = position, 1
            while position < len(self.shape) and count * self.shape[position] <= size:
                count *= self.shape[position]
                position += 1
            if count != size:
                raise Irregular
            for old in range(first, position):
                home[old] = axis
                scale[old] = math.prod(self.shape[old + 1 : position])
                base[axis] += scale[old] * self.base[old]
        rows = tuple(
            r if h is None else tuple(tuple((scale[h] * p, v) for p, v in row) for row in r)
            for r, h in zip(self.rows, self.home, strict=True)
        )
        step = self.loop_step * (1 if loop is None else scale[loop])
        loop = home[loop]
        homes = tuple(home.get(h) for h in self.home)
        return replace(self, shape=shape, rows=rows, home=homes, base=tuple(base), loop=loop, loop_step=step)

    def permuted(self, axes: Sequence[int]) -> Separable:
        """Followed by a permutation: new axis i is axis ``axes[i]``."""
        new: dict[int | None, int | None] = {None: None, **{old: i for i, old in enumerate(axes)}}
        return replace(
            self,
            shape=tuple(self.shape[a] for a in axes),
            home=tuple(new[h] for h in self.home),
            base=tuple(self.base[a] for a in axes),
            loop=new[self.loop],
        )

    def without(self, axes: Sequence[int]) -> Separable:
        """Followed by dropping axes of length one."""
        kept = [a for a in range(len(self.shape)) if a not in axes]
        new: dict[int | None, int | None] = {None: None, **dict.fromkeys(axes), **{a: i for i, a in enumerate(kept)}}
        return replace(
            self,
            shape=tuple(self.shape[a] for a in kept),
            home=tuple(new[h] for h in self.home),
            base=tuple(self.base[a] for a in kept),
            loop=new[self.loop],
        )

    def with_words(self, words: Array, loop: int | None) -> Separable:
        """With the weights of the path."""
        if self.weighted:
            raise Irregular
        return replace(self, words=np.asarray(words), loop=loop, weighted=True)


def separable(path: Path, source: Shape) -> Separable:
    """The path as sums over the axes of the source; Irregular where it is none."""
    state = Separable.identity(source)
    for node in path.nodes:
        rule = _RULES.get(type(node))
        if rule is None:
            raise Irregular
        state = rule(node, state)
    return replace(state, words=state.words * path.factor)


def _line(relation: Sequence[Sequence[Entry]]) -> tuple[int, int, int, int] | None:
    """(gain, offset, word gain, word) of a relation that gives each place one other, evenly spaced."""
    if any(len(entries) != 1 for entries in relation):
        return None
    places = [entries[0] for entries in relation]
    gain, word_gain = (b - a for a, b in zip(places[0], places[1], strict=True)) if len(places) > 1 else (1, 0)
    offset, word = places[0]
    even = all(entry == (gain * p + offset, word_gain * p + word) for p, entry in enumerate(places))
    return (gain, offset, word_gain, word) if even else None


# -- one rule per node type ----------------------------------------------------------------------------------------


def _windowed(
    state: Separable, axis: int, kernel: int, stride: int, pads: tuple[int, int], dilation: int, tap_words: int = 0
) -> Separable:
    """Followed by windows along one axis, each tap being `tap_words` further in the weights."""
    size = state.shape[axis]
    positions = window_indices((size,), (kernel,), (stride,), (pads,), (dilation,))
    relation: list[list[Entry]] = [[] for _ in range(size)]
    for window, tap in zip(*np.nonzero(positions >= 0), strict=True):
        relation[positions[window, tap]].append((int(window), int(tap) * tap_words))
    return state.along(axis, relation, len(positions))


def _conv(node: Conv, state: Separable) -> Separable:
    filters, per_group, *kernel = node.weight.shape
    share, taps = filters // node.groups, math.prod(kernel)
    geometry = zip(kernel, node.stride, node.padding, node.dilation, strict=True)
    for axis, (k, s, pads, d) in enumerate(geometry, start=1):
        state = _windowed(state, axis, k, s, pads, d, math.prod(kernel[axis:]))
    channels = [[(c // per_group * share, c * taps)] for c in range(node.groups * per_group)]
    words = node.weight.reshape(node.groups, share, per_group, taps).transpose(0, 2, 3, 1).reshape(-1, share)
    return state.along(0, channels, filters).with_words(words, 0)


def _dense(node: Dense, state: Separable) -> Separable:
    axis = node.axis % len(state.shape)
    features = [[(0, i)] for i in range(node.weight.shape[1])]
    return state.along(axis, features, node.weight.shape[0]).with_words(node.weight.T, axis)


def _scale(node: Scale, state: Separable) -> Separable:
    gain, stride = node.gain, 1
    for axis in range(gain.ndim):
        gain = collapse(gain, (axis,)) if uniform_along(gain, (axis,)) else gain
    for axis in reversed(range(len(state.shape))):
        if gain.shape[axis] > 1:
            size = state.shape[axis]
            state = state.along(axis, [[(i, i * stride)] for i in range(size)], size)
            stride *= size
    return state.with_words(gain.reshape(-1, 1), None)


def _sparse(node: Sparse, state: Separable) -> Separable:
    if node.matrix.nnz < DENSE * math.prod(node.matrix.shape):
        return _blocks(node, state)
    dense = Dense(name=node.name, weight=node.matrix.toarray())
    return _dense(dense, state.reshaped((math.prod(node.shape_in),))).reshaped(node.shape_out)


def _blocks(node: Sparse, state: Separable) -> Separable:
    """A dense matrix of its own for each place of one axis, such as for each token of a sequence; else Irregular."""
    if len(node.shape_in) != 2 or len(node.shape_out) != 2:
        raise Irregular
    found = node.matrix.tocoo()
    to, by = np.unravel_index(found.row, node.shape_out), np.unravel_index(found.col, node.shape_in)
    for axis, home in product(range(2), repeat=2):
        places, inputs, outputs = node.shape_in[axis], node.shape_in[1 - axis], node.shape_out[1 - home]
        enough = found.nnz >= DENSE * places * inputs * outputs
        if places == node.shape_out[home] and enough and np.array_equal(to[home], by[axis]):
            words = np.zeros((places * inputs, outputs))
            words[by[axis] * inputs + by[1 - axis], to[1 - home]] = found.data
            state = state.along(axis, [[(i, i * inputs)] for i in range(places)], places)
            state = state.along(1 - axis, [[(0, i)] for i in range(inputs)], outputs).with_words(words, 1 - axis)
            return state if axis == home else state.permuted((1, 0))
    raise Irregular


def _average_pool(node: AveragePool, state: Separable) -> Separable:
    if not node.summed:
        raise Irregular
    over = node.overhang or (0,) * len(node.kernel)
    for axis, (k, s, (lo, hi), o) in enumerate(zip(node.kernel, node.stride, node.padding, over, strict=True), start=1):
        state = _windowed(state, axis, k, s, (lo, hi + o), 1)
    return state


def _mean(node: Mean, state: Separable) -> Separable:
    if not node.summed:
        raise Irregular
    for axis in node.axes:
        state = state.along(axis, [[(0, 0)]] * state.shape[axis], 1)
    return state if node.keepdims else state.without(node.axes)


def _take(node: Take, state: Separable) -> Separable:
    relation: list[list[Entry]] = [[] for _ in range(state.shape[node.axis])]
    for place, index in enumerate(node.indices):
        relation[index].append((place, 0))
    return state.along(node.axis, relation, len(node.indices))


def _pad(node: Pad, state: Separable) -> Separable:
    for axis, (lo, hi) in enumerate(node.pads):
        if lo or hi:
            size = state.shape[axis]
            state = state.along(axis, [[(i + lo, 0)] for i in range(size)], lo + size + hi)
    return state


_RULES: Mapping[type[LinearNode], Callable[[Any, Separable], Separable]] = {
    Conv: _conv,
    Dense: _dense,
    Scale: _scale,
    Sparse: _sparse,
    AveragePool: _average_pool,
    Mean: _mean,
    Take: _take,
    Pad: _pad,
    Permute: lambda node, state: state.permuted(node.axes),
    Reshape: lambda node, state: state.reshaped(node.shape),
}
