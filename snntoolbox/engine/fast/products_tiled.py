"""Dense products in tiles: the layers that have them, their weights as the loops read them, and their calls."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import jit, products_tile_loops
from snntoolbox.engine.fast.bytes_layout import geometry, planar, rows
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.fast.neurons_firing import Firing, Points
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Conv, Dense

LARGEST = 2**20
"""Weights that stay in the second-level cache: more are read anew for every few places."""


@cache
def works() -> bool:
    """Whether the processor has the instructions that make tiles of bytes faster than oneDNN's products."""
    if not jit.installed():
        return False
    from snntoolbox.engine.fast.products_tile_intrinsics import four_products, pairs_of_products

    return four_products() or pairs_of_products()


@cache
def sums_in_pairs() -> bool:
    """Whether products of a row are summed in 16 bits, of bytes up to 127: see `short_rows`."""
    if not jit.installed():
        return False
    from snntoolbox.engine.fast.products_tile_intrinsics import pairs_of_products

    return pairs_of_products()


def short_rows(weight: Array, peak: int, *, flat: bool) -> int | None:
    """In how many rows products of bytes up to `peak` are summed so that each row's sums fit 16 bits; None for never.

    Packed weights (rows, groups, filters, 4) are multiplied in pairs, and each of both pairs of a group has its sums.
    What is `flat` may be cut into rows of any size; rows of a kernel stay.
    """
    pairs = weight.astype(np.int64).reshape(*weight.shape[:3], 2, 2)
    for cuts in (n for n in _CUTS if (flat or n == 1) and weight.shape[1] % n == 0):
        row = pairs.reshape(-1, weight.shape[1] // cuts, *pairs.shape[2:])
        most = max(int(np.maximum(side * row, 0).sum(axis=(1, 4)).max(initial=0)) for side in (1, -1))
        if peak * most < 2**15:
            return cuts
    return None


_CUTS = tuple(range(1, 17))


def possible(node: Conv | Dense) -> bool:
    """Whether there are loops for this layer: a convolution over one or two axes, not dilated along a row."""
    return isinstance(node, Dense) or (node.groups == 1 and node.weight.ndim < 5 and node.dilation[-1] == 1)


def packed(weight: Array, each: int, dtype: type) -> Array:
    """Weights (filters, channels, rows, columns) as (rows, groups, filters, `each`): groups of `each` values of a row.

    A row holds the channels of its first column, then of the next. Filters are filled up to a multiple of 16 with
    zeros, and so are groups.
    """
    filters, channels, taps, columns = weight.shape
    groups, size = -(-columns * channels // each), -(-filters // 16) * 16
    full = np.zeros((taps, groups * each, size), dtype)
    full[:, : columns * channels, :filters] = weight.transpose(2, 3, 1, 0).reshape(taps, -1, filters)
    return np.ascontiguousarray(full.reshape(taps, groups, each, size).swapaxes(2, 3)).reshape(-1)


class Tiles:
    """A layer of 8-bit weights on bytes with the neurons behind it; sums of its products must stay below 2^24.

    `weight` are the layer's in the order in which the bytes lie, `shape` that of one sample of these. A dense layer is
    summed in so many `rows`.
    """

    def __init__(self, node: Conv | Dense, weight: Array, shape: Shape, peak: int) -> None:
        self.flat, self.filters, self.channels = isinstance(node, Dense), len(weight), weight.shape[1]
        self.geometry = geometry(node, weight, (self.channels,) if self.flat else shape)
        self.weight = packed(planar(weight), 4, np.int8)
        by_rows = self.weight.reshape(planar(weight).shape[2], -1, int(self.geometry[6]), 4)
        self.rows = short_rows(by_rows, peak, flat=self.flat) if sums_in_pairs() else 1

    @classmethod
    def of(cls, node: Conv | Dense, weight: Array, shape: Shape, peak: int) -> Tiles | None:
        """None where there are none for bytes up to `peak`, or oneDNN is as fast."""
        fitting = weight.size <= LARGEST and (isinstance(node, Conv) or weight.shape[1] % 4 == 0)
        found = cls(node, weight, shape, peak) if works() and fitting and possible(node) else None
        return None if found is None or found.rows is None else found

    def fire(self, x: Tensor, firing: Firing, steps: int, points: Points | None = None) -> Tensor:
        """The spikes (steps * samples, *shape) of neurons that have the product as their current, and `points`."""
        given, state = rows(x).contiguous().numpy().reshape(-1), firing.loop_state(True, steps, points)
        batch = firing.batch
        if self.flat:
            sizes = batch, steps, self.rows, self.channels, self.filters, int(self.geometry[6])
            in_parallel(compiled(products_tile_loops.connect), batch, given, *sizes, self.weight, *state)
        else:
            bands = min(int(self.geometry[3]), -(-torch.get_num_threads() // max(batch, 1)))
            call = given, self.geometry, bands, batch, steps, self.weight
            in_parallel(compiled(products_tile_loops.convolve), batch * bands, *call, *state)
        return firing.room(steps)


class Rounded:
    """A layer in float64 on inputs of numbers, its sums rounded half to even; `possible` layers only.

    `slack` is how much two orders of summing can differ for inputs of 1.
    """

    def __init__(self, node: Conv | Dense, shape: Shape, slack: float) -> None:
        self.slack, self.flat, self.channels = slack, isinstance(node, Dense), node.weight.shape[1]
        self.geometry = geometry(node, node.weight, (self.channels,) if self.flat else shape)
        self.weight = packed(planar(node.weight), 1, np.float64)
        if self.flat:
            self.weight = self.weight.reshape(self.channels, -1, 16).swapaxes(0, 1).reshape(-1)

    def __call__(self, x: Array, largest: float, dtype: torch.dtype) -> tuple[Tensor, Array]:
        """The sums, (samples, values) in the order of `layout.rows`, and per sample whether some are doubtful.

        `largest` is the largest amount in `x`, no number if one is none. Doubtful is what lies so near the
        middle between two whole numbers that another order of summing might round it to the other, and what is no
        number.
        """
        given = np.ascontiguousarray(x, None if x.dtype == np.float32 else np.float64).reshape(-1)
        out = torch.empty((len(x), math.prod(self.geometry[3:6].tolist())), dtype=dtype)
        near = np.empty(len(x), np.int64)
        end = self.weight, 0.5 - self.slack * largest, out.numpy().reshape(-1), near
        if self.flat:
            sizes = len(x), self.channels, *self.geometry[5:7].tolist()
            in_parallel(
                compiled(products_tile_loops.connect_rounded),
                -(-len(x) // products_tile_loops.PLACES[0]),
                given,
                *sizes,
                *end,
            )
        else:
            in_parallel(compiled(products_tile_loops.convolve_rounded), len(x), given, self.geometry, *end)
        return out, near > 0
