"""Normalisation by a sample's own values: over features (LayerNorm, RMSNorm), groups or space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.node import Array, Node, Shape


@dataclass(frozen=True, eq=False, kw_only=True)
class Normalise(Node):
    """``c / sqrt(mean(c^2) + epsilon)`` over `axes` of the sample, with ``c = x - mean(x)``, or x if not `centred`.

    Gains and shifts of single features are linear nodes behind it.
    """

    axes: tuple[int, ...]
    epsilon: float
    centred: bool = True

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        shape = self.one(shapes)
        if not self.axes or len({*self.axes}) < len(self.axes) or not all(0 <= a < len(shape) for a in self.axes):
            raise self.misfit(f"cannot normalise over the axes {self.axes} of shape {shape}")
        if not 0 <= self.epsilon < np.inf:
            raise self.misfit(f"its epsilon {self.epsilon} is not a finite number from 0 on")
        return shape

    def apply(self, *values: Array) -> Array:
        """The normalised batch; 0 where all values along the axes are, whatever epsilon."""
        (x,) = values
        x = x if np.issubdtype(x.dtype, np.floating) else x.astype(np.float64)
        axes = tuple(a + 1 for a in self.axes)
        centred = x - x.mean(axis=axes, keepdims=True) if self.centred else x
        square = (centred * centred).mean(axis=axes, keepdims=True) + x.dtype.type(self.epsilon)
        return np.asarray(centred / np.sqrt(np.maximum(square, np.finfo(x.dtype).tiny)))


@dataclass(frozen=True, eq=False, kw_only=True)
class RootMeanSquare(Node):
    """``sqrt(mean(x^2) + epsilon)`` over `axes`, which are kept with length one, or 1 over it where `inverse`.

    What models that write a normalisation out divide x by: then both become a `Normalise`.
    """

    axes: tuple[int, ...]
    epsilon: float
    inverse: bool = False

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape with ones in the place of the axes."""
        shape = self.one(shapes)
        return tuple(1 if a in self.axes else n for a, n in enumerate(shape))

    def apply(self, *values: Array) -> Array:
        """The root for each sample, or its inverse."""
        (x,) = values
        root = np.sqrt((x * x).mean(axis=tuple(a + 1 for a in self.axes), keepdims=True) + self.epsilon)
        return np.asarray(1 / root if self.inverse else root).astype(x.dtype, copy=False)
