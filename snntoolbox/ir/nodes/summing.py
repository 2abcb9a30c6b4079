"""Linear nodes without weights that sum or average values: add, average pooling, mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from snntoolbox.ir.node import Array, LinearNode, Shape, collapse, uniform_along
from snntoolbox.ir.nodes.windows import Padding, extract_windows, geometry_fault, window_indices, window_output


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(LinearNode):
    """``sum(c_i * x_i)`` of inputs of one shape; `coefficients` default to one each.

    Subtract is (1, -1); an average of n branches is (1/n, ...). One input may come twice.
    """

    coefficients: tuple[float, ...] | None = None

    @property
    def factors(self) -> tuple[float, ...]:
        """One coefficient per input."""
        return self.coefficients or (1.0,) * len(self.inputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        """The shape of each input."""
        if not shapes or any(s != shapes[0] for s in shapes):
            raise self.misfit(f"cannot add shapes {', '.join(map(str, shapes))}")
        if len(self.factors) != len(shapes):
            raise self.misfit(f"has {len(self.factors)} coefficients for {len(shapes)} inputs")
        return shapes[0]

    def linear(self, *values: Array) -> Array:
        """The weighted sum."""
        out = values[0] * values[0].dtype.type(self.factors[0])
        for factor, x in zip(self.factors[1:], values[1:], strict=True):
            out = out + x.dtype.type(factor) * x
        return np.asarray(out)

    def synapses(self, *shapes: Shape) -> tuple[sp.csr_array, ...]:
        """One scaled identity per input."""
        return tuple(sp.csr_array(c * sp.eye_array(math.prod(s))) for c, s in zip(self.factors, shapes, strict=True))

    def gain_above(self, gain: Array, *shapes: Shape) -> tuple[Array, ...] | None:
        """The same gain on every branch."""
        return (gain,) * len(shapes)

    def gain_below(self, *gains: Array) -> Array | None:
        """The common gain of all branches."""
        return gains[0] if all(np.array_equal(g, gains[0]) for g in gains[1:]) else None


@dataclass(frozen=True, eq=False, kw_only=True)
class AveragePool(LinearNode):
    """The mean over windows of the spatial axes; input (channels, *space).

    `padding` is (before, after) zeros per axis that count in the divisor when `count_padding`; `overhang` further
    positions behind (ceil mode) never count. With `summed` the sums are not divided (quantised networks).
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    count_padding: bool = False
    overhang: tuple[int, ...] | None = None
    summed: bool = False

    @property
    def _pads(self) -> Padding:
        over = self.overhang or (0,) * len(self.kernel)
        return tuple((lo, hi + o) for (lo, hi), o in zip(self.padding, over, strict=True))

    @property
    def _ones(self) -> tuple[int, ...]:
        return (1,) * len(self.kernel)

    def output_shape(self, *shapes: Shape) -> Shape:
        """(channels, *windows)."""
        shape = self.one(shapes)
        if len(shape) != len(self.kernel) + 1:
            raise self.misfit(f"expects {len(self.kernel)} spatial axes behind the channels, got shape {shape}")
        if len(self.padding) != len(self.kernel) or len(self.overhang or self.kernel) != len(self.kernel):
            raise self.misfit(f"padding {self.padding}, overhang {self.overhang} do not match kernel {self.kernel}")
        geometry = (shape[1:], self.kernel, self.stride, self._pads, self._ones)
        if fault := geometry_fault(*geometry):
            raise self.misfit(fault)
        return (shape[0], *window_output(*geometry))

    def divisor(self, space: Shape) -> Array:
        """How many positions each window averages, shape (*windows); ones where sums are not divided."""
        if self.summed:
            return np.ones(self.output_shape((1, *space))[1:])
        total: Array = np.ones((), dtype=np.float64)
        axes = zip(space, self.kernel, self.stride, self.padding, self._pads, strict=True)
        for n, k, s, (lo, hi), (_, extended) in axes:
            starts = np.arange((n + lo + extended - k) // s + 1) * s - lo
            first, last = (-lo, n + hi) if self.count_padding else (0, n)
            count = np.minimum(starts + k, last) - np.maximum(starts, first)
            total = np.multiply.outer(total, np.maximum(count, 1).astype(np.float64))
        return total

    def linear(self, *values: Array) -> Array:
        """The mean of each window."""
        (x,) = values
        windows = extract_windows(x, self.kernel, self.stride, self._pads, self._ones)
        sums = windows.sum(axis=tuple(range(-len(self.kernel), 0)))
        return np.asarray(sums / self.divisor(x.shape[2:]).astype(x.dtype))

    def synapses(self, *shapes: Shape) -> tuple[sp.csr_array, ...]:
        """One over the divisor for each position of a window, channel by channel."""
        shape = self.one(shapes)
        positions = window_indices(shape[1:], self.kernel, self.stride, self._pads, self._ones)
        rows, taps = np.nonzero(positions >= 0)
        data = (1 / self.divisor(shape[1:])).ravel()[rows]
        one = sp.csr_array((data, (rows, positions[rows, taps])), shape=(len(positions), math.prod(shape[1:])))
        return (sp.csr_array(sp.kron(sp.eye_array(shape[0]), one, format="csr")),)

    def gain_above(self, gain: Array, *shapes: Shape) -> tuple[Array, ...] | None:
        """The same gain, where it is one per channel."""
        space = tuple(range(1, gain.ndim))
        return (collapse(gain, space),) if uniform_along(gain, space) else None

    def gain_below(self, *gains: Array) -> Array | None:
        """The same gain, where it is one per channel."""
        space = tuple(range(1, gains[0].ndim))
        return collapse(gains[0], space) if uniform_along(gains[0], space) else None


@dataclass(frozen=True, eq=False, kw_only=True)
class Mean(LinearNode):
    """The mean over some axes of the sample (global average pooling), keeping them with length one or not.

    With `summed` the sums are not divided (quantised networks).
    """

    axes: tuple[int, ...]
    keepdims: bool = False
    summed: bool = False

    def divisor(self, shape: Shape) -> int:
        """How many values each mean is over; one where sums are not divided."""
        return 1 if self.summed else math.prod(shape[a] for a in self.axes)

    def output_shape(self, *shapes: Shape) -> Shape:
        """The shape without those axes, or with ones there."""
        shape = self.one(shapes)
        if not self.axes or len({*self.axes}) < len(self.axes) or any(not 0 <= a < len(shape) for a in self.axes):
            raise self.misfit(f"cannot average axes {self.axes} of shape {shape}")
        if self.keepdims:
            return tuple(1 if a in self.axes else n for a, n in enumerate(shape))
        return tuple(n for a, n in enumerate(shape) if a not in self.axes)

    def linear(self, *values: Array) -> Array:
        """The mean."""
        (x,) = values
        sums = x.sum(axis=tuple(a + 1 for a in self.axes), keepdims=self.keepdims)
        return np.asarray(sums / x.dtype.type(self.divisor(x.shape[1:])))

    def synapses(self, *shapes: Shape) -> tuple[sp.csr_array, ...]:
        """One over the number of averaged positions."""
        shape = self.one(shapes)
        kept = tuple(1 if a in self.axes else n for a, n in enumerate(shape))
        target = np.broadcast_to(np.arange(math.prod(kept)).reshape(kept), shape).ravel()
        data = np.full(target.size, 1 / self.divisor(shape))
        return (sp.csr_array((data, (target, np.arange(target.size))), shape=(math.prod(kept), target.size)),)

    def gain_above(self, gain: Array, *shapes: Shape) -> tuple[Array, ...] | None:
        """The same gain on every averaged position."""
        return (gain if self.keepdims else np.expand_dims(gain, self.axes),)

    def gain_below(self, *gains: Array) -> Array | None:
        """The same gain, where it does not vary along the averaged axes."""
        if not uniform_along(gains[0], self.axes):
            return None
        kept = collapse(gains[0], self.axes)
        return kept if self.keepdims else kept.squeeze(self.axes)
