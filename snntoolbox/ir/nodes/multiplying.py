"""The product of two values, which is not linear: the gates of squeeze and excitation, and of gated units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.node import Array, Node, Shape

MOST_THRESHOLDS = 4096
"""Of products that lie along the first axis to have thresholds of their own: each needs a histogram of its values."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Multiply(Node):
    """``x * y``, value by value, of two inputs of one shape; one input may come twice.

    With `whole` a conversion rounds nothing of the second: what is constant or analogue in it gets its own neurons.
    """

    whole: bool = False

    def output_shape(self, *shapes: Shape) -> Shape:
        """The shape of both."""
        if len(shapes) != 2 or shapes[0] != shapes[1]:
            raise self.misfit(f"takes two inputs of one shape, got {', '.join(map(str, shapes))}")
        return shapes[0]

    def apply(self, *values: Array) -> Array:
        """The product."""
        x, y = values
        return x * y


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixProduct(Node):
    """Sums of products of two inputs, which may be one that comes twice: what the `contraction` makes of them."""

    contraction: Contraction

    def output_shape(self, *shapes: Shape) -> Shape:
        """The shape of the sums."""
        if shapes != self.contraction.factors:
            wanted = " and ".join(map(str, self.contraction.factors))
            raise self.misfit(f"takes inputs of shapes {wanted}, got {', '.join(map(str, shapes))}")
        return self.contraction.shape

    def apply(self, *values: Array) -> Array:
        """The sums of products."""
        return np.asarray(self.contraction.of(*values))


PRODUCTS = (Multiply, MatrixProduct)
"""What multiplies activations."""
