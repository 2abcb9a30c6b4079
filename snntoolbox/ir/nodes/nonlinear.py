"""Nodes that are not linear: the rectifier, max pooling, softmax, and the graph's inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.node import Array, Node, Shape
from snntoolbox.ir.nodes.windows import Padding, extract_windows, geometry_fault, window_output


@dataclass(frozen=True, eq=False, kw_only=True)
class Input(Node):
    """A placeholder for the user's data of this `shape` (without batch), in the user's own layout."""

    shape: Shape

    def output_shape(self, *shapes: Shape) -> Shape:
        """`shape`."""
        return self.shape

    def apply(self, *values: Array) -> Array:
        """The data as they come."""
        (x,) = values
        return x


@dataclass(frozen=True, eq=False, kw_only=True)
class ReLU(Node):
    """``min(max(x, 0), max_value)``; None is no upper bound. ReLU6 and Clip(0, m) are this."""

    max_value: float | None = None

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        if self.max_value is not None and self.max_value <= 0:
            raise self.misfit(f"its upper bound {self.max_value} is not above zero")
        return self.one(shapes)

    def apply(self, *values: Array) -> Array:
        """The rectified batch."""
        (x,) = values
        return np.clip(x, 0, self.max_value)


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
