"""Values that models round to a grid between layers: each such step becomes a rectifier with levels, or two of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snntoolbox.frontends.layer_call import LayerCall, Refusal
from snntoolbox.ir.node import LinearNode, Node
from snntoolbox.ir.nodes import Add, AveragePool, Concat, MaxPool, Mean, Pad, Permute, ReLU, Reshape, Take

BY_SAMPLE = "its grid follows from each sample's own values"
FIXED_GRID = "quantise with a fixed grid (static quantisation, from calibration data)"
TOLERANCE = 1e-7
SCALES = (1e-30, 1e30)

_MOVING = (Reshape, Permute, Take, Concat, MaxPool, Pad)
_KEEPS_SIGN = (*_MOVING, AveragePool, Mean)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The values ``scale * (q - zero)`` of the integers ``low <= q <= high``."""

    scale: float
    zero: int
    low: int
    high: int

    def __post_init__(self) -> None:
        if not (self.scale > 0 and math.isfinite(self.scale)):
            raise Refusal(f"its scale of {self.scale:g} is not above zero")
        if not SCALES[0] <= self.scale <= SCALES[1]:
            raise Refusal(f"its scale of {self.scale:g} leaves float32 no room")
        if not self.low <= self.zero <= self.high:
            raise Refusal(f"its zero point {self.zero} is outside of {self.low} to {self.high}")

    @property
    def above(self) -> int:
        """The number of levels above zero."""
        return self.high - self.zero

    @property
    def below(self) -> int:
        """The number of levels below zero."""
        return self.zero - self.low


def quantised(call: LayerCall, source: str, grid: Grid) -> str:
    """``scale * (clip(round(x / scale) + zero, low, high) - zero)``, the nearest value of the grid.

    That is a rectifier with levels for what is above zero, less one for what is below, which is left out where there
    is nothing below. Values that lie on the grid already are left as they are.
    """
    if lies_on(call, source, grid):
        return source
    both = grid.above and grid.below and not _never_below(call, source)
    positive = _side(call, source, grid, 1.0, call.name) if grid.above else ""
    if positive and not both:
        return positive
    if grid.below == 0:
        raise Refusal("its grid holds the value 0 alone")
    negative = _side(call, source, grid, -1.0, f"{call.name}_below")
    if not positive:
        return call.builder.affine(f"{call.name}_turned", negative, np.full((), -1.0), None, call.origin)
    add = Add(name=f"{call.name}_grid", inputs=(positive, negative), coefficients=(1.0, -1.0), origin=call.origin)
    return call.builder.add(add)


def as_integers(call: LayerCall, source: str, grid: Grid) -> str:
    """The integers q of values on the grid."""
    gain, zero = np.full((), 1 / grid.scale), np.full((), float(grid.zero))
    return call.builder.affine(f"{call.name}_integers", source, gain, zero if grid.zero else None, call.origin)


def of_integers(call: LayerCall, source: str, scale: float, zero: float) -> str:
    """``scale * (q - zero)`` of integers that are the model's data."""
    shift = np.full((), -scale * zero) if zero else None
    return call.builder.affine(call.name, source, np.full((), float(scale)), shift, call.origin)


def _side(call: LayerCall, source: str, grid: Grid, sign: float, name: str) -> str:
    levels = grid.above if sign > 0 else grid.below
    if sign < 0:
        source = call.builder.affine(f"{name}_sign", source, np.full((), -1.0), None, call.origin)
    bound = levels * grid.scale
    rectifier = ReLU(
        name=name, inputs=(source,), max_value=bound, levels=levels, halves_to_even=True, origin=call.origin
    )
    return call.builder.add(rectifier)


def lies_on(call: LayerCall, name: str, grid: Grid) -> bool:
    """Whether values lie on the grid already: moved, or the largest of some, since they were put there."""
    node = call.builder.node(name)
    if isinstance(node, ReLU):
        return grid.above > 0 and _levels(node, grid.above, grid.scale)
    if isinstance(node, Add) and node.factors == (1.0, -1.0):
        sides = [call.builder.node(i) for i in node.inputs]
        return all(_levels(s, n, grid.scale) for s, n in zip(sides, (grid.above, grid.below), strict=True))
    return isinstance(node, _MOVING) and _adds_nothing(node) and all(lies_on(call, i, grid) for i in node.inputs)


def _adds_nothing(node: Node) -> bool:
    """Whether all that a node gives comes from its inputs: no constant of padding is among it."""
    return bool(node.inputs) and not (isinstance(node, LinearNode) and node.bias is not None)


def _levels(node: Node, levels: int, scale: float) -> bool:
    """Whether a node is a rectifier with so many levels, or fewer of them, of this height."""
    bound = np.asarray(node.max_value, np.float64) if isinstance(node, ReLU) and node.levels else np.zeros(0)
    if not isinstance(node, ReLU) or node.levels is None or bound.size != 1:
        return False
    height = float(bound.item()) / node.levels
    return node.levels <= levels and math.isclose(height, scale, rel_tol=TOLERANCE)


def _never_below(call: LayerCall, name: str) -> bool:
    """Whether values are rectified, or moved or averaged since."""
    node = call.builder.node(name)
    if isinstance(node, ReLU):
        return True
    return isinstance(node, _KEEPS_SIGN) and _adds_nothing(node) and all(_never_below(call, i) for i in node.inputs)
