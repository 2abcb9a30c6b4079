"""The product of two values, which is not linear: the gates of squeeze and excitation, and of gated units."""

from __future__ import annotations

from dataclasses import dataclass

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
