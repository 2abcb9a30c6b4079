"""Products of sparse bytes with weights: the weight rows of the events are summed, where that is faster."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import compiled_loops, products_tiled
from snntoolbox.engine.fast.bytes_layout import aligned, geometry, planar, rows, shaped
from snntoolbox.engine.fast.bytes_maps import Form
from snntoolbox.engine.fast.events_spread import Spread
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.fast.neurons_firing import Firing, Points, no_points
from snntoolbox.engine.fast.products_tiled import Tiles
from snntoolbox.engine.kernels import Kernel
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Conv, Dense

SPARSE = {"float": 0.35, "whole": 0.18, "slow": 0.3, "dense": 0.25, "spread": 0.25}
"""Shares of bytes other than 0 below which events beat dense products: of float weights; 8-bit ones of whole weights
in a convolution, and where the processor adds no four products of bytes at once; the same without taps, which are less
efficient for few samples and steps; and where events are spread, at most. See `limit`."""

CURRENT_BYTES = 2**22
"""About how large the currents of a dense product may be before the neurons take them: the second-level cache's."""

SAMPLED, FEWEST_UNITS = 2**17, 32
"""Bytes that say how many events there are among all, and units of one step of a sample that they are of, at least."""

FEWEST = 2048
"""Whole products of a window and row of the kernel from which on listing its events pays."""

_LARGEST_LIST = 2**16
_SHORT = 2**15 - 1


def limit(weight: Array, *, whole: bool, spread: bool = False) -> float:
    """The share of bytes other than 0 up to which events are faster for weights (filters, channels, rows, columns).

    Measured on AVX-512, and for what is otherwise without it on AVX2, by benchmarks/events.py; `spread` is for layers
    whose events are.
    """
    if not whole:
        return SPARSE["float"]
    if spread:
        return float(min(SPARSE["spread"], 0.05 + 0.0035 * weight.shape[1]))
    if weight[0, 0].size == 1:
        return SPARSE["dense"]
    usual = SPARSE["whole" if products_tiled.works() and not products_tiled.sums_in_pairs() else "slow"]
    return usual if weight[..., 0, :].size >= FEWEST else 0.0


def limit_of_pairs(weight: Array, *, spread: bool) -> float:
    """The same beside tiles of bytes whose products are added in pairs."""
    filters, channels = weight.shape[:2]
    if spread:
        return float(min(SPARSE["spread"], 0.05 + 0.002 * channels))
    if weight[0, 0].size == 1:
        return float(np.clip(0.0006 * filters - 0.02, 0.0, SPARSE["dense"]))
    return SPARSE["dense"] if weight[..., 0, :].size >= FEWEST else 0.0


class EventProduct:
    """A convolution over one or two axes or a dense layer on bytes of one form; `dense` computes the same.

    Whole weights are summed as integers. `taken` says which ways have been used; `other` is the name of `dense`.
    `tiles` compute that together with the neurons, where they are faster, see `beside`; `spread` does so with events.
    """

    def __init__(
        self,
        node: Conv | Dense,
        weight: Array,
        shape: Shape,
        form: Form,
        dense: Kernel,
        *,
        always: bool,
        whole: bool = False,
        other: str = "dense",
    ) -> None:
        self.form, self.dense, self.always, self.other = form, dense, always, other
        self.whole = whole
        self.tiles: Tiles | None = None
        self.taken: set[str] = set()
        self.flat = isinstance(node, Dense)
        self.out_shape = node.output_shape(shape) if isinstance(node, Conv) else (len(weight),)
        self.weight = planar(weight)
        self.geometry = geometry(node, weight, (weight.shape[1],) if self.flat else shape)
        self.spread = None if self.flat else Spread.of(self.weight, self.geometry, form, whole=whole)
        self.sparse = limit(self.weight, whole=whole)
        self.fired = limit(self.weight, whole=whole, spread=self.spread is not None)

    def beside(self, tiles: Tiles | None) -> None:
        """Take these tiles for dense products with neurons behind, if there are any."""
        self.tiles = tiles
        if tiles is not None and products_tiled.sums_in_pairs():
            self.fired = limit_of_pairs(self.weight, spread=self.spread is not None)

    @cached_property
    def rows(self) -> Array:
        """The weights of each input channel under each tap, (taps * channels, filters); made when first needed.

        Filters are filled up to a multiple of 16. 16 bits are enough where some products fit them.
        """
        filters, channels = self.weight.shape[:2]
        taps = self.weight.reshape(filters, channels, -1).transpose(2, 1, 0).reshape(-1, filters)
        dtype = np.float32 if not self.whole else np.int16 if self.most >= 16 else np.int32
        found = np.zeros((len(taps), int(self.geometry[6])), dtype)
        np.multiply(taps, self.form.factor, out=found[:, :filters], casting="unsafe")
        return aligned(found)

    @cached_property
    def most(self) -> int:
        """So many products of a byte and a weight stay within 16 bits."""
        return int(_SHORT // max(1, self.form.peak * int(np.abs(self.weight).max(initial=0))))

    def suits(self, x: Tensor, *, fires: bool = False) -> bool:
        """Whether so few bytes are not 0 that events are faster, with neurons or alone; notes the way that is taken."""
        events, share = self.always, self.fired if fires else self.sparse
        if share and not events:
            events = share_of_events(rows(x).numpy()) <= share
        self.taken.add("event" if events else self.other)
        return events

    def __call__(self, x: Tensor) -> Tensor:
        """The product, (samples, *shape), in whichever way is faster for so many events."""
        return self.summed(x) if self.suits(x) else self.dense(x)

    def summed(self, x: Tensor) -> Tensor:
        """The product from events."""
        out = torch.empty((len(x), math.prod(self.out_shape)))
        nothing = np.empty(0, np.float32)
        state = (0, nothing, nothing, False, nothing, np.float32(0), np.empty(0, np.int32), np.empty(0, np.uint8))
        self._gather(x, 1, out.numpy().reshape(-1), False, (*state, no_points(np.float32)))
        return shaped(out, self.out_shape)

    def fire(self, x: Tensor, firing: Firing, steps: int, points: Points | None = None) -> Tensor:
        """The spikes (steps * samples, *shape) of neurons that have the product as their current, and `points`."""
        if self.spread is not None:
            return self.spread.fire(x, firing, steps, points)
        self._gather(x, steps, np.empty(0, np.float32), True, firing.loop_state(True, steps, points))
        return firing.room(steps)

    def drive(self, x: Tensor, firing: Firing, steps: int, points: Points | None = None) -> Tensor:
        """The same, in whichever way is faster for so many events."""
        if self.suits(x, fires=True):
            return self.fire(x, firing, steps, points)
        if self.tiles is not None:
            return self.tiles.fire(x, firing, steps, points)
        few = max(1, CURRENT_BYTES // (firing.batch * firing.size * firing.potential.itemsize))
        for first in range(0, steps, few):
            last = min(first + few, steps)
            firing.step_on(self.dense(x[first * firing.batch : last * firing.batch]), steps, first, last, points)
        return firing.room(steps)

    def _gather(self, x: Tensor, steps: int, out: Array, fires: bool, state: tuple[object, ...]) -> None:
        batch = len(x) // steps
        bands = min(int(self.geometry[3]), -(-torch.get_num_threads() // max(batch, 1)))
        given = rows(x).contiguous().numpy().reshape(-1)
        weights = (self.rows, self.form.peak > 1, self.most if self.rows.dtype == np.int16 else _SHORT)
        in_parallel(
            compiled(compiled_loops.gather),
            batch * bands,
            *(given, self.geometry, bands, batch, steps, *weights, out, fires, *state),
        )


def share_of_events(x: Array) -> float:
    """The share of bytes (units, size) other than 0, told from units spread evenly over all where there are many."""
    every = max(1, min(len(x) // FEWEST_UNITS, x.size // SAMPLED))
    some = np.ascontiguousarray(x[:: every | 1])
    return int(np.count_nonzero(some)) / max(some.size, 1)


def suitable(node: Conv | Dense, weight: Array, shape: Shape, form: Form, *, whole: bool) -> bool:
    """Whether events of this layer can be listed, and their sums are exact where they must be."""
    if isinstance(node, Conv) and (weight.ndim > 4 or node.groups != 1):
        return False
    span = weight.shape[1] if isinstance(node, Dense) else math.prod(shape) // (shape[1] if weight.ndim == 4 else 1)
    largest = form.peak * np.abs(weight).reshape(len(weight), -1).sum(axis=1).max(initial=0)
    exact = not whole or (form.factor == 1 and bool(np.all(weight == np.rint(weight))) and largest < 2**24)
    return bool(span < _LARGEST_LIST and exact)
