"""The linear node that holds spikes back for some steps."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes.moving import MovingNode


@dataclass(frozen=True, eq=False, kw_only=True)
class Delay(MovingNode):
    """In step t of a spiking network its input of step t - `steps`, zero before; the identity in an analogue graph.

    An edge into it may close a cycle through populations.
    """

    steps: int

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 1:
            raise self.misfit(f"a delay of {self.steps!r} steps: it must be a whole number of them, at least 1")
        return self.one(shapes)

    def linear(self, *values: Array) -> Array:
        """The same values: a batch has no steps."""
        return values[0]

    def gain_above(self, gain: Array, *shapes: Shape) -> tuple[Array, ...] | None:
        """The same gain."""
        return (gain,)
