"""Linear nodes without weights that only move values: reshape, permute, take, pad, concatenate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from snntoolbox.ir.node import Array, LinearNode, Shape, collapse, uniform_along


def _index_arrays(shapes: tuple[Shape, ...]) -> list[Array]:
    """For each input a batch of one whose values are 1, 2, 3, ... over all inputs together (0 means nothing)."""
    arrays, start = [], 1
    for shape in shapes:
        size = math.prod(shape)
        arrays.append(np.arange(start, start + size, dtype=np.int64).reshape(1, *shape))
        start += size
    return arrays


class MovingNode(LinearNode):
    """A linear node each of whose outputs is one of the inputs' values, or zero."""

    def synapses(self, *shapes: Shape) -> tuple[sp.csr_array, ...]:
        """Zeros and ones, found by sending indices through `linear`."""
        moved = self.linear(*_index_arrays(shapes)).ravel()
        matrices, start = [], 1
        for shape in shapes:
            size = math.prod(shape)
            rows = np.flatnonzero((moved >= start) & (moved < start + size))
            entries = (np.ones(len(rows)), (rows, moved[rows] - start))
            matrices.append(sp.csr_array(entries, shape=(len(moved), size)))
            start += size
        return tuple(matrices)

    def gain_below(self, *gains: Array) -> Array | None:
        """The gains moved like the values."""
        return np.asarray(self.linear(*(g[None] for g in gains))[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(MovingNode):
    """The same values in C order under another `shape`; flatten is ``shape = (size,)``."""

    shape: Shape

    def output_shape(self, *shapes: Shape) -> Shape:
        """`shape`."""
        shape = self.one(shapes)
        if math.prod(shape) != math.prod(self.shape):
            raise self.misfit(f"cannot reshape {shape} to {self.shape}")
        return self.shape

    def linear(self, *values: Array) -> Array:
        """The batch reshaped."""
        (x,) = values
        return x.reshape(len(x), *self.shape)

    def gain_above(self, gain: Array, *shapes: Shape) -> tuple[Array, ...] | None:
        """The gain under the input's shape."""
        return (np.broadcast_to(gain, self.shape).reshape(self.one(shapes)),)


@dataclass(frozen=True, eq=False, kw_only=True)
class Permute(MovingNode):
    """The sample's axes in another order: output axis i is input axis ``axes[i]``."""

    axes: tuple[int, ...]

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape in that order."""
        shape = self.one(shapes)
        if sorted(self.axes) != list(range(len(shape))):
            raise self.misfit(f"cannot permute shape {shape} by {self.axes}")
        return tuple(shape[a] for a in self.axes)

    def linear(self, *values: Array) -> Array:
        """The batch transposed."""
        (x,) = values
        return x.transpose(0, *(a + 1 for a in self.axes))

    @property
    def inverse(self) -> tuple[int, ...]:
        """The axes that undo it."""
        return tuple(int(i) for i in np.argsort(self.axes))

    def gain_above(self, gain: Array, *shapes: Shape) -> tuple[Array, ...] | None:
        """The gain permuted back."""
        return (gain.transpose(self.inverse),)


@dataclass(frozen=True, eq=False, kw_only=True)
class Take(MovingNode):
    """Values picked along one axis by `indices`: slice, crop, stride, flip, repeat (nearest upsampling)."""

    axis: int
    indices: tuple[int, ...]

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape with `axis` of the number of indices."""
        shape = self.one(shapes)
        if not 0 <= self.axis < len(shape) or not self.indices:
            raise self.misfit(f"cannot take {len(self.indices)} values on axis {self.axis} of shape {shape}")
        if min(self.indices) < 0 or max(self.indices) >= shape[self.axis]:
            raise self.misfit(f"an index lies outside axis {self.axis} of shape {shape}")
        return (*shape[: self.axis], len(self.indices), *shape[self.axis + 1 :])

    def linear(self, *values: Array) -> Array:
        """The picked values."""
        (x,) = values
        return x.take(self.indices, axis=self.axis + 1)

    def gain_above(self, gain: Array, *shapes: Shape) -> tuple[Array, ...] | None:
        """The same gain, where it does not vary along `axis`."""
        return (collapse(gain, (self.axis,)),) if uniform_along(gain, (self.axis,)) else None


@dataclass(frozen=True, eq=False, kw_only=True)
class Pad(MovingNode):
    """Zeros around the sample: (before, after) per axis. Another constant is a bias, see `frontends`."""

    pads: tuple[tuple[int, int], ...]

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape plus the pads."""
        shape = self.one(shapes)
        if len(self.pads) != len(shape) or any(len(pair) != 2 or min(pair) < 0 for pair in self.pads):
            raise self.misfit(f"cannot pad shape {shape} by {self.pads}")
        return tuple(n + lo + hi for n, (lo, hi) in zip(shape, self.pads, strict=True))

    def linear(self, *values: Array) -> Array:
        """The padded batch."""
        (x,) = values
        return np.pad(x, ((0, 0), *self.pads))

    def gain_above(self, gain: Array, *shapes: Shape) -> tuple[Array, ...] | None:
        """The inner part of the gain."""
        shape = self.one(shapes)
        full = np.broadcast_to(gain, self.output_shape(shape))
        return (full[tuple(slice(lo, lo + n) for n, (lo, _) in zip(shape, self.pads, strict=True))],)

    def gain_below(self, *gains: Array) -> Array | None:
        """The gain padded by its edge, so that one per channel stays one per channel."""
        return np.pad(gains[0], self.pads, mode="edge")


@dataclass(frozen=True, eq=False, kw_only=True)
class Concat(MovingNode):
    """All inputs one behind the other along `axis` of the sample."""

    axis: int = 0

    def output_shape(self, *shapes: Shape) -> Shape:
        """The shapes joined."""
        first = shapes[0] if shapes else ()
        others = {(*s[: self.axis], *s[self.axis + 1 :]) for s in shapes}
        if not 0 <= self.axis < len(first) or {len(s) for s in shapes} != {len(first)} or len(others) != 1:
            raise self.misfit(f"cannot concatenate shapes {shapes} on axis {self.axis}")
        return (*first[: self.axis], sum(s[self.axis] for s in shapes), *first[self.axis + 1 :])

    def linear(self, *values: Array) -> Array:
        """The joined batch."""
        return np.concatenate(values, axis=self.axis + 1)

    def gain_above(self, gain: Array, *shapes: Shape) -> tuple[Array, ...] | None:
        """The part of the gain that belongs to each input."""
        full = np.broadcast_to(gain, self.output_shape(*shapes))
        ends = np.cumsum([s[self.axis] for s in shapes])[:-1]
        return tuple(np.split(full, ends, axis=self.axis))
