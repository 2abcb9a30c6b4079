"""Handlers of quantised arithmetic: values are kept as what their integers stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.frontends.onnx import arithmetic, weighted
from snntoolbox.frontends.onnx.call import Known, OnnxCall
from snntoolbox.frontends.quantising import BY_SAMPLE, FIXED_GRID, Grid, of_integers, quantised
from snntoolbox.ir.node import Array

RANGES: Mapping[str, tuple[int, int]] = {
    "uint4": (0, 15),
    "int4": (-8, 7),
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65535),
    "int16": (-32768, 32767),
}
MAKING: Mapping[str, tuple[int, int]] = {"QuantizeLinear": (1, 2), "QLinearConv": (6, 7), "QLinearMatMul": (6, 7)}
"""Operators whose result is quantised: which inputs are its scale and its zero point."""

_MOVING = ("Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "MaxPool", "Concat")
ON_GRIDS = frozenset({*MAKING, *_MOVING, "DequantizeLinear"})
"""Operators that take quantised integers."""

_TYPES = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 21: "uint4", 22: "int4"}  # TensorProto.DataType


def grid_of(call: OnnxCall, scale: int, zero: int) -> Grid:
    """The grid that two inputs of a node say, by their numbers; Refusal where it differs within the tensor."""
    factor = call.constant(scale, "scale")
    point = call.optional(zero, "zero point")
    if factor.size != 1 or (point is not None and point.size != 1):
        raise Refusal("quantises activations by a scale for each channel", hint="quantise activations per tensor")
    value = call.value(zero)
    kind = str(value.first.dtype) if isinstance(value, Known) else ""
    kind = kind or _TYPES.get(call.attribute("output_dtype", 0), "uint8")
    if kind not in RANGES:
        raise Refusal(f"quantises to {kind}; known are {', '.join(RANGES)}")
    low, high = RANGES[kind]
    return Grid(scale=float(factor.item()), zero=0 if point is None else int(point.item()), low=low, high=high)


def quantize(call: OnnxCall) -> str:
    """The nearest value of its grid: a rectifier with levels, or two where something can be below zero."""
    return quantised(call, call.source(), grid_of(call, 1, 2))


def dequantize(call: OnnxCall) -> str:
    """What quantised values stand for, which they are kept as; of data that are integers their values."""
    if call.grids:
        _check_same(call, call.grids[0], 1, 2)
        return call.source()
    scale, zero = call.constant(1, "scale"), call.optional(2, "zero point")
    if scale.size != 1 or (zero is not None and zero.size != 1):
        raise Refusal("has a scale for each channel of the data", hint="quantise the data per tensor")
    return of_integers(call, call.source(), float(scale.item()), 0.0 if zero is None else float(zero.item()))


def conv(call: OnnxCall) -> str:
    """QLinearConv: convolution of what its integers stand for, put on the grid of its result."""
    return _linear(call, weighted.conv, bias=8)


def matmul(call: OnnxCall) -> str:
    """QLinearMatMul: the same for a matrix product with a constant."""
    return _linear(call, arithmetic.matmul, bias=None)


def by_sample(call: OnnxCall) -> str:
    """Dynamic quantisation is refused: no neuron knows the largest value of its layer."""
    raise Refusal(f"quantised arithmetic: {BY_SAMPLE}", hint=FIXED_GRID)


def _linear(call: OnnxCall, handler: Callable[[OnnxCall], object], bias: int | None) -> str:
    """Inputs x, its scale and zero point, w, its two, y's two, and a bias in units of both scales."""
    _check_same(call, call.grids[0] if call.grids else None, 1, 2)
    factor = call.constant(4, "scale of its weight").astype(np.float64)
    weight = _values(call.constant(3, "weight"), factor, call.constant(5, "zero point of its weight"), bias is not None)
    inputs = [call.inputs[0], Known(weight, weight)]
    if bias is not None and call.optional(bias, "bias") is not None:
        row = call.constant(bias, "bias") * (factor.reshape(-1) * float(call.constant(1, "scale").item()))
        inputs.append(Known(row, row))
    result = handler(replace(call.named(f"{call.name}_sum"), inputs=tuple(inputs), grids=()))
    source = result.name if isinstance(result, Activation) else str(result)
    return quantised(call, source, grid_of(call, 6, 7))


def grid_made(kind: str, call: OnnxCall) -> Grid | None:
    """The grid that a node's result lies on; None where it is no longer one of integers."""
    if kind in MAKING:
        return grid_of(call, *MAKING[kind])
    if not call.grids or kind == "DequantizeLinear":
        return None
    if len({*call.grids}) > 1 or len(call.grids) < len(call.sources):
        raise Refusal("joins quantised values of different grids", hint="quantise what is joined by one scale")
    return call.grids[0]


def _values(weight: Array, scale: Array, zero: Array, filters: bool) -> Array:
    """What integer weights stand for; scales are one, or one for each filter (of a matrix for each column)."""

    def along(value: Array) -> Array:
        return value.reshape(-1, *(1,) * (weight.ndim - 1)) if filters and value.size > 1 else value

    return np.asarray((weight.astype(np.float64) - along(zero.astype(np.float64))) * along(scale))


def _check_same(call: OnnxCall, grid: Grid | None, scale: int, zero: int) -> None:
    """Refusal where values lie on another grid than the node takes them for."""
    if grid is None:
        raise Refusal("reads integers that no QuantizeLinear has made")
    factor, point = call.constant(scale, "scale"), call.optional(zero, "zero point")
    own = (0 if point is None else int(point.reshape(-1)[0])), float(factor.reshape(-1)[0])
    if factor.size != 1 or own != (grid.zero, grid.scale):
        raise Refusal("takes its integers for values of another grid than they were put on")
