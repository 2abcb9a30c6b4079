"""Convolutions whose events are spread to all sums they reach: their weights as the loop reads them, and its call."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import events_spread_loops, jit
from snntoolbox.engine.fast.bytes_layout import aligned, rows
from snntoolbox.engine.fast.bytes_maps import Form
from snntoolbox.engine.fast.events_spread_loops import SIDE, SIZES
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.fast.neurons_firing import Firing, Points
from snntoolbox.ir.node import Array

_SHORT = 2**15 - 1

RING = 2**15
"""Bytes that the sums of a step may take: they stay in the first-level cache."""


@cache
def place_bytes() -> int:
    """Bytes that the sums of a place may take: more, and those that an event reaches do not stay in registers."""
    if not jit.installed():
        return 128
    from snntoolbox.engine.fast.products_tile_intrinsics import wide_registers

    return 128 if wide_registers() else 64


class Spread:
    """A convolution on bytes of one form, with the neurons behind it; `weight` (filters, channels, rows, columns).

    `geometry` is that of `bytes_layout.geometry`. Whole weights are summed as integers, of 16 bits where no sum of any
    events leaves them.
    """

    def __init__(self, weight: Array, geometry: Array, form: Form, *, whole: bool) -> None:
        self.geometry, self.form = geometry, form
        filters, channels, taps, side = weight.shape
        width, size = int(geometry[1]), int(geometry[6])
        factors = weight * form.factor
        self.like: Array = np.empty(0, _type(factors, form.peak) if whole else np.float32)
        narrow = whole and np.abs(factors).max(initial=0) <= _SHORT
        turned = factors[..., ::-1].transpose(1, 2, 3, 0)
        full = np.zeros((channels, taps, side, size), np.int16 if narrow else self.like.dtype)
        np.copyto(full[..., :filters], turned, casting="unsafe")
        self.weight = aligned(full)
        place = np.arange(width * channels)
        self.column_of = (place // channels * size).astype(np.uint32)
        self.row_of = (place % channels * taps * side * size).astype(np.uint32)

    @classmethod
    def of(cls, weight: Array, geometry: Array, form: Form, *, whole: bool) -> Spread | None:
        """None where there are no instructions for it, or windows move by more than one place, leave gaps or reach
        beyond what is there, or sums take too much memory.
        """
        height, width, _, rows_, columns, _, size, *kernel = map(int, geometry[:9])
        stride, (top, left), dilation = geometry[9:11], geometry[11:13].tolist(), geometry[13:15]
        inside = top < SIDE and left < SIDE and rows_ <= height + top and columns <= width + left
        small = 4 * SIDE * (width + SIDE - 1) * size <= RING
        if kernel != [SIDE, SIDE] or size not in SIZES or not (inside and small) or np.any(stride * dilation != 1):
            return None
        found = cls(weight, geometry, form, whole=whole)
        return found if size * found.like.itemsize <= place_bytes() else None

    def fire(self, x: Tensor, firing: Firing, steps: int, points: Points | None = None) -> Tensor:
        """The spikes (steps * samples, *shape) of neurons that have the product as their current, and `points`."""
        batch = firing.batch
        bands = min(int(self.geometry[3]), -(-torch.get_num_threads() // max(batch, 1)))
        given = rows(x).contiguous().numpy().reshape(-1)
        layer = self.weight, self.form.peak > 1, self.column_of, self.row_of, self.like
        state = firing.loop_state(True, steps, points)
        call = given, self.geometry, bands, batch, steps, *layer, *state
        in_parallel(compiled(events_spread_loops.spread), batch * bands, *call)
        return firing.room(steps)


def _type(weight: Array, peak: int) -> type:
    """The narrowest integers that hold the sum of any events."""
    flat = weight.reshape(len(weight), -1)
    ends = (peak * np.abs(side.sum(axis=1)).max(initial=0) for side in (np.maximum(flat, 0), np.minimum(flat, 0)))
    return np.int16 if max(ends) <= _SHORT else np.int32
