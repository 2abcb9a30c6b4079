"""An operation that a network of Lasagne recorded, as its handler gets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntoolbox.frontends.layer_call import Activation, LayerCall, Operand, Refusal
from snntoolbox.ir.node import Array


@dataclass(frozen=True, eq=False, kw_only=True)
class LasagneCall(LayerCall):
    """Its operands in order, nodes of the graph or constants, and what else it was called with."""

    operands: tuple[Any, ...]
    settings: dict[str, Any]

    def source(self) -> str:
        """The node behind the first operand."""
        first = self.operands[0] if self.operands else None
        if not isinstance(first, Activation):
            raise Refusal("works on a constant where an activation is expected")
        return first.name

    def constant(self, i: int, what: str) -> Array:
        """The value of operand i."""
        value = self.operands[i] if i < len(self.operands) else None
        if value is None or isinstance(value, Activation):
            raise Refusal(f"its {what} depends on the input" if value is not None else f"has no {what}")
        return np.asarray(value)

    def number(self, i: int, what: str) -> float:
        """The value of operand i, which is one number."""
        value = self.constant(i, what)
        if value.size != 1 or value.dtype.kind not in "fiub":
            raise Refusal(f"its {what} is not one number")
        return float(value.item())

    def operand(self, i: int) -> Operand:
        """Operand i of an operation of arithmetic."""
        value = self.operands[i]
        return value if isinstance(value, Activation) else self.constant(i, f"operand {i + 1}")

    def along(self, array: Array, axes: tuple[int, ...]) -> Array:
        """Values for some of the axes, counted with the batch, so that they broadcast to the sample."""
        shape = [1] * len(self.shape())
        for axis, size in zip(axes, array.shape, strict=True):
            shape[self.axis(axis)] = size
        return array.reshape(shape)


Handler = Callable[[LasagneCall], str]
"""Adds an operation to the graph: the node behind its result."""
