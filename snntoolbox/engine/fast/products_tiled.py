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
    from snntoolbox.engine.fast.products_tile_intrinsics import four_products

    return four_products()


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

    `weight` are the layer's in the order in which the bytes lie, `shape` that of one sample of these.
    """

    def __init__(self, node: Conv | Dense, weight: Array, shape: Shape) -> None:
        self.flat, self.filters, self.channels = isinstance(node, Dense), len(weight), weight.shape[1]
        self.geometry = geometry(node, weight, (self.channels,) if self.flat else shape)
        self.weight = packed(planar(weight), 4, np.int8)

    @classmethod
    def of(cls, node: Conv | Dense, weight: Array, shape: Shape) -> Tiles | None:
        """None where there are none, or oneDNN is as fast."""
        fitting = weight.size <= LARGEST and (isinstance(node, Conv) or weight.shape[1] % 4 == 0)
        return cls(node, weight, shape) if works() and fitting and possible(node) else None

    def fire(self, x: Tensor, firing: Firing, steps: int, points: Points | None = None) -> Tensor:
        """The spikes (steps * samples, *shape) of neurons that have the product as their current, and `points`."""
        given, state = rows(x).contiguous().numpy().reshape(-1), firing.loop_state(True, steps, points)
        batch = firing.batch
        if self.flat:
            sizes = batch, steps, self.channels, self.filters, int(self.geometry[6])
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
