"""Products of sparse bytes with float weights: the weight rows of the events are summed, where that is faster."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import loops
from snntoolbox.engine.fast.forms import Form
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.kernels import Kernel
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Conv, Dense

SPARSE = {"conv": 0.18, "dense": 0.22}
"""Shares of bytes other than 0 below which events beat dense products in large layers; see `limit`."""


def limit(kind: str, channels: int, filters: int, peak: int) -> float:
    """The share of bytes other than 0 below which events are faster, for bytes up to `peak`.

    Few filters make each event's row short, few channels each window's list, and bytes above 1 are several events.
    Measured on AVX-512; docs/performance.md has the command.
    """
    share = SPARSE[kind] * min(1.0, filters / 64) * (0.75 if peak > 1 else 1.0)
    return share * min(1.0, channels / 64) if kind == "conv" else share


class EventProduct:
    """A convolution over two axes or a dense layer on bytes of one form; `dense` computes the same from floats.

    `taken` says which of the two ways have been used.
    """

    def __init__(
        self, node: Conv | Dense, weight: Array, shape: Shape, form: Form, dense: Kernel, *, always: bool
    ) -> None:
        self.form, self.dense, self.always = form, dense, always
        self.taken: set[str] = set()
        channels, *space = shape if isinstance(node, Conv) else (weight.shape[1], 1, 1)
        self.height, self.width = space
        self.channels = channels
        out = node.output_shape(shape) if isinstance(node, Conv) else (len(weight), 1, 1)
        self.filters, *self.windows = out
        self.flat = isinstance(node, Dense)
        self.sparse = limit("dense" if self.flat else "conv", channels, self.filters, form.peak)
        self.weight = weight
        whole = np.ones(2, np.int64)
        self.kernel = np.array(weight.shape[2:], np.int64) if isinstance(node, Conv) else whole
        self.stride = np.array(node.stride, np.int64) if isinstance(node, Conv) else whole
        self.before = np.array([lo for lo, _ in node.padding], np.int64) if isinstance(node, Conv) else 0 * whole
        self.dilation = np.array(node.dilation, np.int64) if isinstance(node, Conv) else whole

    @cached_property
    def rows(self) -> Array:
        """The weights of each input channel under each tap, (taps * channels, filters); made when first needed."""
        taps = self.weight.reshape(self.filters, self.channels, -1).transpose(2, 1, 0)
        rows = np.empty(taps.shape, np.float32)
        np.multiply(taps, self.form.factor, out=rows, casting="same_kind")
        return rows.reshape(-1, self.filters)

    def __call__(self, x: Tensor) -> Tensor:
        """The product, in whichever way is faster for so many events."""
        positions = (x if self.flat else x.movedim(1, -1)).reshape(-1, self.channels).numpy()
        if not self.always and np.count_nonzero(positions) > self.sparse * positions.size:
            self.taken.add("dense")
            values = x.to(torch.float32)
            return self.dense(values if self.form.factor == 1 else values.mul_(self.form.factor))
        self.taken.add("event")
        return self._summed(positions, len(x))

    def _summed(self, positions: Array, samples: int) -> Tensor:
        index = np.empty((len(positions), self.channels * self.form.peak), np.uint16)
        number = np.empty(len(positions), np.int32)
        in_parallel(compiled(loops.list_events), len(positions), positions, self.form.peak == 1, index, number)
        out = torch.empty((samples, *self.windows, self.filters))
        places = (self.height, self.width, out.numpy(), self.kernel, self.stride, self.before, self.dilation)
        units = samples * self.windows[0]
        in_parallel(compiled(loops.gather), units, index, number, self.channels, self.rows, *places)
        return out.view(samples, self.filters) if self.flat else out.movedim(-1, 1)
