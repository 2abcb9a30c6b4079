"""Nodes that are not linear: the rectifier, floor, max pooling, softmax, and the graph's inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.node import Array, Node, Shape, broadcasts
from snntoolbox.ir.nodes.windows import Padding, extract_windows, geometry_fault, window_output

LEFT_OUT = -1e30
"""What stands for minus infinity where a constant is added to what a softmax leaves out."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Input(Node):
    """A placeholder for the user's data of this `shape` (without batch), in the user's own layout.

    With `truths` these are 0 and 1 alone, which say false and true.
    """

    shape: Shape
    truths: bool = False

    def output_shape(self, *shapes: Shape) -> Shape:
        """`shape`."""
        return self.shape

    def apply(self, *values: Array) -> Array:
        """The data as they come."""
        (x,) = values
        return x


@dataclass(frozen=True, eq=False, kw_only=True)
class ReLU(Node):
    """``min(max(x, 0), max_value)``; None is no upper bound. ReLU6 and Clip(0, m) are this.

    An array as bound has the rank of the sample and broadcasts to it. With a number of `levels` L it is the
    quantised rectifier of Bu et al. (arXiv 2303.04347, QCFS), ``m / L * clip(floor(x L / m + 1/2), 0, L)``, which an
    integrate-and-fire neuron with threshold m computes in L steps from half a threshold on. With `halves_to_even` a
    value half-way between two levels takes the even one, as integer arithmetic rounds, where that neuron takes the
    upper one.

    Each of its values is said by so many `neurons` together, whose start potentials are parts of a level apart: that
    is how it is to be converted, and changes nothing of the function.
    """

    max_value: float | Array | None = None
    levels: int | None = None
    halves_to_even: bool = False
    neurons: int = 1

    @property
    def of_input(self) -> bool:
        """Whether it rectifies what it reads, not a function of that."""
        return True

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        shape = self.one(shapes)
        bound = np.asarray(1.0 if self.max_value is None else self.max_value)
        if not np.all(bound > 0):
            raise self.misfit(f"its upper bound {bound.min()} is not above zero")
        if bound.ndim and not (bound.ndim == len(shape) and broadcasts(bound.shape, shape)):
            raise self.misfit(f"its upper bounds of shape {bound.shape} do not fit {shape}")
        if self.levels is not None and (self.levels < 1 or self.max_value is None):
            raise self.misfit(f"{self.levels} levels need an upper bound and to be at least one")
        if self.neurons < 1:
            raise self.misfit(f"{self.neurons} neurons for each value are none")
        return shape

    def apply(self, *values: Array) -> Array:
        """The rectified batch."""
        (x,) = values
        if self.max_value is None:
            return np.clip(x, 0, None)
        bound = np.asarray(self.max_value).astype(x.dtype if np.issubdtype(x.dtype, np.floating) else np.float64)
        if self.levels is None:
            return np.asarray(np.clip(x, 0, bound))
        level = bound / self.levels
        nearest = np.rint(x / level) if self.halves_to_even else np.floor(x / level + 0.5)
        return np.asarray(level * np.clip(nearest, 0, self.levels))

    @property
    def shifts(self) -> tuple[float, ...]:
        """How much higher each of its neurons starts, in levels: ``(k + 1/2) / c - 1/2`` for k = 0 ... c - 1.

        Then c of them count c times as finely together, as ``sum floor(y + 1/2 + shift_k) = floor(c y + 1/2)``.
        """
        return tuple((k + 0.5) / self.neurons - 0.5 for k in range(self.neurons))

    def bounds(self, low: Array, high: Array) -> tuple[Array, Array]:
        """The least and largest value for inputs between these."""
        return self.apply(low), self.apply(high)

    def bounded(self, scale: Array, largest_rate: float = 1.0) -> Array:
        """The scale of its neurons where a rule chose `scale`: at most the bound, and with levels the bound itself.

        A neuron saturates at its largest rate, one spike per step or what `IF.largest_rate` says, so with the bound
        over that rate as scale saturation *is* the bound.
        """
        if self.max_value is None:
            return scale
        top = np.asarray(self.max_value, np.float64) / largest_rate
        if self.levels is None:
            return np.minimum(scale, top)
        return np.broadcast_to(top, np.broadcast_shapes(scale.shape, top.shape)).astype(float)


@dataclass(frozen=True, eq=False, kw_only=True)
class Floor(Node):
    """The largest whole number not above x: the middle of a quantised rectifier (see `ReadQuantizers`)."""

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return self.one(shapes)

    def apply(self, *values: Array) -> Array:
        """The batch rounded downwards."""
        (x,) = values
        return np.floor(x)


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPool(Node):
    """The maximum over windows of the spatial axes; input (channels, *space); padding never wins."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    dilation: tuple[int, ...]

    def output_shape(self, *shapes: Shape) -> Shape:
        """(channels, *windows)."""
        shape = self.one(shapes)
        if len(shape) != len(self.kernel) + 1:
            raise self.misfit(f"expects {len(self.kernel)} spatial axes behind the channels, got shape {shape}")
        geometry = (shape[1:], self.kernel, self.stride, self.padding, self.dilation)
        if fault := geometry_fault(*geometry):
            raise self.misfit(fault)
        return (shape[0], *window_output(*geometry))

    def apply(self, *values: Array) -> Array:
        """The maximum of each window."""
        (x,) = values
        if not np.issubdtype(x.dtype, np.floating):
            x = x.astype(np.float64)
        windows = extract_windows(x, self.kernel, self.stride, self.padding, self.dilation, fill=-np.inf)
        return np.asarray(windows.max(axis=tuple(range(-len(self.kernel), 0))))


@dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Node):
    """``exp(x) / sum(exp(x))`` along `axis` of the sample, or its logarithm."""

    axis: int = -1
    log: bool = False

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        shape = self.one(shapes)
        if not -len(shape) <= self.axis < len(shape):
            raise self.misfit(f"has no axis {self.axis} in shape {shape}")
        return shape

    def apply(self, *values: Array) -> Array:
        """The probabilities (or log-probabilities)."""
        (x,) = values
        axis = self.axis % (x.ndim - 1) + 1
        shifted = x - x.max(axis=axis, keepdims=True)
        total = np.exp(shifted).sum(axis=axis, keepdims=True)
        return np.asarray(shifted - np.log(total) if self.log else np.exp(shifted) / total)
