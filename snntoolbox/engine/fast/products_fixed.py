"""First layers in fixed point: which sums float32 can tell how to round, and weights as the loops read them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import products_fixed_loops
from snntoolbox.engine.fast.bytes_layout import geometry, planar
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.fast.products_fixed_loops import PLACES, blocks
from snntoolbox.engine.fast.products_tiled import packed
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Conv, Dense

SMALLEST, LARGEST = 2.0**-20, 2.0**40
"""Between these lies the largest amount of an input: then numbers below float32's range are far below a unit."""

FEWEST = 16
"""Products of a sum; of fewer float64 takes no longer."""

DOUBTFUL = 0.2
"""The share of sums that may have to be summed again: with more of them it takes no longer, either."""

_FINEST = 40
"""Weights are multiplied by no more than this power of two, and those of a filter by no more than 2^8 beyond others."""


_MORE = 1 + 2.0**-8
"""What bounds are multiplied by for what they themselves are rounded."""


class Settings(NamedTuple):
    """What inputs are multiplied by; bits behind the point and errors of each filter's sums, in units; what is added
    to these; and by how much of them a sample's norm counts."""

    scale: float
    shift: Array
    error: Array
    least: int
    spread: float


class Fixed:
    """A layer on float32 numbers, its sums rounded half to even as float64 has them; `products_tiled.possible` ones.

    Weights and inputs are multiplied by powers of two, so that no sum leaves 32 bits. With u = 2^-24 a product loses at
    most u of its amount as its weight becomes float32, u as it is rounded, and u with each sum that it goes through in
    its short sum; a short sum loses less than a unit as it is cut to a whole number. With c the number of these u, all
    together is no more than u sum c|w| max|x|, nor than u sqrt(sum (c w)^2) sqrt(sum x^2), and a unit for each short
    sum. What lies so near a middle is summed anew in float64, where two orders of summing differ by less than `slack`
    for inputs of 1.
    """

    def __init__(self, node: Conv | Dense, shape: Shape, slack: float) -> None:
        self.slack, self.flat, self.channels = slack, isinstance(node, Dense), node.weight.shape[1]
        self.geometry = geometry(node, node.weight, (self.channels,) if self.flat else shape)
        self.size, self.sizes = math.prod(self.geometry[3:6].tolist()), self.geometry[5:7].tolist()
        inside = planar(np.asarray(node.weight, np.float64)).transpose(0, 2, 3, 1)
        filters, rows = inside.shape[:2]
        by_rows = inside.reshape(filters, rows, -1)
        amounts = np.abs(by_rows)
        powers = _powers(amounts.sum(axis=(1, 2)))
        self.powers = np.full(self.geometry[6], powers.min(initial=_FINEST))
        self.powers[:filters] = powers
        roundings = _roundings(rows, by_rows.shape[2])
        lost = (amounts * roundings).reshape(filters, -1)
        self.lost = np.zeros(len(self.powers))
        self.lost[:filters] = _MORE * 2.0**-24 * lost.sum(axis=1)
        norms = np.sqrt((lost * lost).sum(axis=1))
        self.spread = float(np.divide(norms, lost.sum(axis=1), out=np.zeros(filters), where=norms > 0).max(initial=0))
        self.least = int((roundings == roundings.min()).sum()) + 4
        self.exact = np.ascontiguousarray(by_rows).reshape(-1)
        factors = np.exp2(self.powers[:filters]).reshape(-1, *[1] * (node.weight.ndim - 1))
        self.weight = self._packed(planar(node.weight * factors))
        self.known: tuple[float, Settings | None] = (math.nan, None)

    def _packed(self, weight: Array) -> Array:
        """In float32 as the loops read them: of a dense layer in blocks of 32 filters, the last one of the rest."""
        found = packed(weight, 1, np.float32)
        if not self.flat:
            return found
        columns = found.reshape(self.channels, -1)
        blocks = (columns[:, low : low + 32].reshape(-1) for low in range(0, columns.shape[1], 32))
        return np.concatenate([*blocks])

    def settings(self, largest: float) -> Settings | None:
        """How sums of inputs up to `largest` are rounded; None where float32 is too coarse to be worth it."""
        known = self.known
        if known[0] != largest:
            known = self.known = largest, self._settings(largest)
        return known[1]

    def _settings(self, largest: float) -> Settings | None:
        if not SMALLEST <= largest <= LARGEST:
            return None
        power = min(-math.frexp(largest)[1], 30 - int(self.powers.max()))
        shift = self.powers + power
        if shift.min() < 8:  # then a sum may be no float32, either
            return None
        error = self.lost * largest * np.exp2(shift)
        doubtful = 2 * (error + self.least) / np.exp2(shift)
        if doubtful.max() > 0.9 or doubtful[: int(self.geometry[5])].mean() > DOUBTFUL:
            return None
        spread = _MORE * self.spread / (largest * 2.0**power)
        return Settings(2.0**power, shift.astype(np.int32), error.astype(np.float32), self.least, spread)

    def __call__(self, x: Array, largest: float) -> tuple[Tensor, Array] | None:
        """The sums, (samples, values) in the order of `layout.rows`, and per sample whether some are doubtful.

        `largest` is the largest amount in `x`. Doubtful is what lies so near a middle that another order of summing
        might round it to the other side. None where `settings` has none.
        """
        if (found := self.settings(largest)) is None:
            return None
        given = np.ascontiguousarray(x, np.float32).reshape(-1)
        out = torch.empty((len(x), self.size), dtype=torch.float32)
        near = np.empty(len(x), np.int64)
        tables, end = (self.weight, self.exact), (0.5 - self.slack * largest, out.numpy().reshape(-1), near)
        if self.flat:
            units, call = -(-len(x) // PLACES[0]), (given, len(x), self.channels, *self.sizes, *tables, *found, *end)
            in_parallel(compiled(products_fixed_loops.connect_fixed), units, *call)
        else:
            call = given, self.geometry, *tables, *found[:-1], *end
            in_parallel(compiled(products_fixed_loops.convolve_fixed), len(x), *call)
        return out, near > 0


def _powers(sums: Array) -> Array:
    """By which power of two the weights of each filter are multiplied: no sum of amounts then reaches 2^31."""
    powers = 31 - np.frexp(sums * (1 + 2.0**-8))[1]
    powers = np.minimum(np.where(sums > 0, powers, _FINEST), _FINEST)
    return np.asarray(np.minimum(powers, powers.min(initial=_FINEST) + 8), np.int64)


def _roundings(rows: int, groups: int) -> Array:
    """How often what each product brings is rounded until its short sum is done, (rows, groups)."""
    tall, long = blocks(rows, groups)
    row, group = np.indices((rows, groups))
    heights = np.minimum(tall, rows - row // tall * tall)
    widths = np.minimum(long, groups - group // long * long)
    before = row % tall * widths + group % long
    return np.asarray(2 + heights * widths - before)
