"""Handlers of activation functions made of straight pieces: rectifiers in their several spellings, and bounds."""

from __future__ import annotations

import math
from functools import partial, reduce

import numpy as np

from snntoolbox.frontends.onnx.arithmetic import common_shape, sample_constant, stretched
from snntoolbox.frontends.onnx.call import Activation, Call, Refusal
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Floor, ReLU
from snntoolbox.ir.rectifying import add_absolute, add_bound, add_clip, add_leaky_relu, add_maximum, add_minimum

UNBOUNDED = 3.4e38  # exporters write the largest float32 for no bound


def relu(call: Call) -> str:
    """``max(x, 0)``."""
    return _clipped(call, call.source(), 0.0, None)


def clip(call: Call) -> str:
    """``min(max(x, min), max)``, either bound left out."""
    low, high = (_bound(call, what, i) for i, what in ((1, "min"), (2, "max")))
    return _clipped(call, call.source(), low, high)


def _bound(call: Call, what: str, i: int) -> float | None:
    """A bound from an attribute (opset 10 and older) or an input."""
    if what in call.attributes:
        return float(call.attribute(what, 0.0))
    array = call.optional(i, what)
    if array is None:
        return None
    if array.size != 1:
        raise Refusal(f"its {what} is not one number")
    return float(array.item())


def _clipped(call: Call, source: str, low: float | None, high: float | None) -> str:
    """The value between two numbers; None, infinity and the largest float are no bound."""
    if any(v is not None and math.isnan(v) for v in (low, high)):
        raise Refusal("its bound is not a number")
    low = None if low is None or low <= -UNBOUNDED else low
    high = None if high is None or high >= UNBOUNDED else high
    if isinstance(call.builder.node(source), ReLU) and (low is None or low < 0):
        low = 0.0  # cheaper, and the same: it is not below zero already
    if low is not None and high is not None and low >= high:
        raise Refusal(f"clips to [{low}, {high}]: only one value is left")
    return add_clip(call.builder, call.name, source, low, high, call.origin)


def maximum(call: Call) -> str:
    """The largest of activations and constants."""
    return _extreme(call, 1.0)


def minimum(call: Call) -> str:
    """The smallest of activations and constants."""
    return _extreme(call, -1.0)


def _extreme(call: Call, sign: float) -> str:
    """The largest input, or the smallest where `sign` is -1."""
    active = [i for i, v in enumerate(call.inputs) if isinstance(v, Activation)]
    if len({len(call.shape(i)) for i in active}) > 1:
        raise Refusal("broadcasts a batch axis: its inputs have different numbers of axes")
    shape = common_shape([call.shape(i) for i in active])
    constants = [sample_constant(call, i, shape) for i in range(len(call.inputs)) if i not in active]
    shape = common_shape([shape, *(c.shape for c in constants)])
    join = partial(add_maximum if sign > 0 else add_minimum, call.builder, call.name, origin=call.origin)
    source = reduce(join, (stretched(call, call.source(i), shape) for i in active))
    if not constants:
        return source
    bound = reduce(np.maximum if sign > 0 else np.minimum, constants)
    if bound.size > 1 and np.ptp(bound):
        return _bounded(call, source, bound, sign)
    level = float(bound.ravel()[0])
    return _clipped(call, source, *((level, None) if sign > 0 else (None, level)))


def _bounded(call: Call, source: str, bound: Array, sign: float) -> str:
    """``max(x, bound)``, or ``min(x, bound)`` where `sign` is -1, with a constant that varies over the sample."""
    level = bound.astype(np.float64)
    if not np.all(np.isfinite(level)):
        raise Refusal("its constant is not finite")
    return add_bound(call.builder, call.name, source, level, sign, call.origin)


def leaky_relu(call: Call) -> str:
    """``max(x, 0) + alpha * min(x, 0)``."""
    return add_leaky_relu(call.builder, call.name, call.source(), call.number("alpha", 0.01), None, call.origin)


def prelu(call: Call) -> str:
    """The same with trained slopes that broadcast to the sample."""
    shape = call.shape()
    slope = sample_constant(call, 1, shape)
    if common_shape([shape, slope.shape]) != shape or not np.all(np.isfinite(slope)):
        raise Refusal(f"its slopes of shape {slope.shape} do not fit samples of shape {shape}")
    return add_leaky_relu(call.builder, call.name, call.source(), slope, None, call.origin)


def thresholded_relu(call: Call) -> str:
    """``x if x > alpha else 0``, which jumps unless alpha is zero."""
    alpha = call.number("alpha", 1.0)
    if alpha != 0:
        raise Refusal(f"jumps at alpha = {alpha}; only zero is a rectifier")
    return relu(call)


def hard_sigmoid(call: Call) -> str:
    """``min(max(alpha * x + beta, 0), 1)``."""
    gain, shift = (np.full((), call.number(what, value)) for what, value in (("alpha", 0.2), ("beta", 0.5)))
    line = call.builder.affine(f"{call.name}_line", call.source(), gain, shift, call.origin)
    return _clipped(call, line, 0.0, 1.0)


def floor(call: Call) -> str:
    """Between bounds a quantised rectifier (QCFS), which is read as one; else refused at conversion."""
    return call.builder.add(Floor(name=call.name, inputs=(call.source(),), origin=call.origin))


def absolute(call: Call) -> str:
    """``|x|``."""
    return add_absolute(call.builder, call.name, call.source(), call.origin)
