"""Patterns of synapses without their weights: which values of a source reach which values of a node.

The pattern of a linear node is a product over axes: a convolution joins channels by its groups and positions by one
small matrix per spatial axis. A `Support` keeps such a product as far as it can and multiplies it out only where
paths of different shape meet, so that counts are exact and cheap at any size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from snntoolbox.ir.node import Array, Shape


@dataclass(frozen=True, eq=False)
class Outer:
    """The pattern that joins each marked row with each marked column (both bool), kept as the two marks."""

    rows: Array
    columns: Array


Pattern: TypeAlias = sp.csr_array | Outer
"""Which rows (outputs) are joined with which columns (inputs); matrices are bool."""


def _sparse(pattern: Pattern) -> sp.csr_array:
    """The pattern as a matrix."""
    if isinstance(pattern, Outer):
        return sp.csr_array(sp.csr_array(pattern.rows[:, None]) @ sp.csr_array(pattern.columns[None]))
    return pattern


def _times(left: Pattern, right: Pattern) -> Pattern:
    """The boolean product: joined by at least one path."""
    if isinstance(left, Outer) and isinstance(right, Outer):
        return Outer(left.rows & bool(np.any(left.columns & right.rows)), right.columns)
    if isinstance(right, Outer):
        return Outer(np.asarray(left @ right.rows, bool), right.columns)
    if isinstance(left, Outer):
        return Outer(left.rows, np.asarray(right.T @ left.columns, bool))
    return sp.csr_array(left @ right)


def _kron(left: Pattern, right: Pattern) -> Pattern:
    """The Kronecker product: axes of `left` in front of those of `right`."""
    if isinstance(left, Outer) and isinstance(right, Outer):
        return Outer(np.kron(left.rows, right.rows), np.kron(left.columns, right.columns))
    return sp.csr_array(sp.kron(_sparse(left), _sparse(right), format="csr"))


def _reordered(pattern: Pattern, rows: Array, columns: Array) -> Pattern:
    if isinstance(pattern, Outer):
        return Outer(pattern.rows[rows], pattern.columns[columns])
    return sp.csr_array(pattern[rows][:, columns])


def _column_counts(pattern: Pattern) -> Array:
    if isinstance(pattern, Outer):
        return np.asarray(np.count_nonzero(pattern.rows) * pattern.columns, np.int64)
    return np.asarray(np.bincount(pattern.indices, minlength=pattern.shape[1]), np.int64)


def _identity(size: int) -> sp.csr_array:
    return sp.csr_array(sp.eye_array(size, dtype=bool, format="csr"))


def all_to_all(rows: int, columns: int) -> Outer:
    """The pattern of a dense matrix."""
    return Outer(np.ones(rows, bool), np.ones(columns, bool))


@dataclass(frozen=True, eq=False)
class _Block:
    """A factor of a support: the pattern between some axes of the source and some of the current shape."""

    sources: tuple[int, ...]
    axes: tuple[int, ...]
    pattern: Pattern

    def relabelled(self, names: dict[int, int]) -> _Block:
        return replace(self, axes=tuple(names[a] for a in self.axes))


@dataclass(frozen=True, eq=False)
class Support:
    """The pattern between a source of shape `source` and a node of shape `shape`: the product of its blocks."""

    source: Shape
    shape: Shape
    blocks: tuple[_Block, ...]

    @classmethod
    def identity(cls, shape: Shape) -> Support:
        """Each value joined with itself."""
        return cls(shape, shape, tuple(_Block((a,), (a,), _identity(n)) for a, n in enumerate(shape)))

    def fan_out(self) -> Array:
        """For each value of the source the number of values that it is joined with, int64, of the source's shape."""
        counts = np.ones(self.source, np.int64)
        for block in self.blocks:
            sizes = [self.source[a] for a in block.sources]
            order = np.argsort(block.sources)
            part = _column_counts(block.pattern).reshape(sizes).transpose(order)
            counts = counts * part.reshape([n if a in block.sources else 1 for a, n in enumerate(self.source)])
        return counts

    def synapses(self) -> int:
        """The number of joined pairs."""
        return math.prod(int(_column_counts(block.pattern).sum()) for block in self.blocks)

    def on_axis(self, axis: int, pattern: Pattern) -> Support:
        """Followed by a map along one axis."""
        position = next(i for i, b in enumerate(self.blocks) if axis in b.axes)
        block = self.blocks[position]
        at = block.axes.index(axis)
        before, after = (math.prod(self.shape[a] for a in part) for part in (block.axes[:at], block.axes[at + 1 :]))
        rows = len(pattern.rows) if isinstance(pattern, Outer) else pattern.shape[0]
        pattern = _kron(_identity(before), pattern) if before > 1 else pattern
        pattern = _kron(pattern, _identity(after)) if after > 1 else pattern
        blocks = list(self.blocks)
        blocks[position] = replace(block, pattern=_times(pattern, block.pattern))
        return Support(self.source, (*self.shape[:axis], rows, *self.shape[axis + 1 :]), tuple(blocks))

    def permuted(self, axes: Sequence[int]) -> Support:
        """Followed by a permutation: new axis i is axis ``axes[i]``."""
        names = {old: new for new, old in enumerate(axes)}
        return Support(self.source, tuple(self.shape[a] for a in axes), tuple(b.relabelled(names) for b in self.blocks))

    def reshaped(self, shape: Shape) -> Support:
        """Followed by a reshape in C order; axes are multiplied out only where the reshape mixes them."""
        fresh = len(self.shape)  # new axes are numbered behind the old ones until the end
        sizes = dict(enumerate((*self.shape, *shape)))
        blocks = list(self.blocks)
        for old, new in _aligned(self.shape, shape):
            merged = self._merged([b for b in blocks if set(b.axes) & set(old)], old, sizes)
            renumbered = tuple(fresh + a for a in new)
            blocks = [b for b in blocks if not set(b.axes) & set(old)]
            blocks.append(replace(merged, axes=renumbered + merged.axes[len(old) :]))
        names = {fresh + a: a for a in range(len(shape))}
        return Support(self.source, shape, tuple(b.relabelled(names) for b in blocks))

    def whole(self) -> Support:
        """The same with all axes multiplied out to one block in C order."""
        sizes = dict(enumerate(self.shape))
        return replace(self, blocks=(self._merged(self.blocks, range(len(self.shape)), sizes),))

    def union(self, other: Support) -> Support:
        """Joined by either of two supports of one source and shape."""
        (first,), (second,) = self.whole().blocks, other.whole().blocks
        pattern = sp.csr_array(_sparse(first.pattern) + _sparse(second.pattern))
        return replace(self, blocks=(replace(first, pattern=pattern),))

    def _merged(self, blocks: Sequence[_Block], first: Iterable[int], sizes: Mapping[int, int]) -> _Block:
        """One block whose axes begin with `first` and whose sources are in order."""
        sources = tuple(s for b in blocks for s in b.sources)
        axes = tuple(a for b in blocks for a in b.axes)
        wanted = (*first, *(a for a in axes if a not in set(first)))
        pattern = reduce(_kron, [b.pattern for b in blocks] or [_identity(1)])
        if wanted != axes or sources != tuple(sorted(sources)):
            rows = _transposed([sizes[a] for a in axes], [axes.index(a) for a in wanted])
            columns = _transposed([self.source[s] for s in sources], [sources.index(s) for s in sorted(sources)])
            pattern = _reordered(pattern, rows, columns)
        return _Block(tuple(sorted(sources)), wanted, pattern)


def _transposed(sizes: Sequence[int], order: Sequence[int]) -> Array:
    """The flat positions of an array of these sizes, read in another order of its axes."""
    return np.arange(math.prod(sizes)).reshape(sizes).transpose(order).ravel()


def _aligned(old: Shape, new: Shape) -> list[tuple[range, range]]:
    """The smallest runs of axes of both shapes that hold the same number of values."""
    runs, i, j = [], 0, 0
    while i < len(old) or j < len(new):
        start, p, q = (i, j), math.prod(old[i : i + 1]), math.prod(new[j : j + 1])
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while p != q:
            if p < q:
                p, i = p * old[i], i + 1
            else:
                q, j = q * new[j], j + 1
        runs.append((range(start[0], i), range(start[1], j)))
    return runs
