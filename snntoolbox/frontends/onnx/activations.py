"""Handlers of activation functions: rectifiers in their several spellings, and softmax."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.frontends.onnx.call import Activation, Call, Refusal
from snntoolbox.ir.nodes import ReLU, Softmax

UNBOUNDED = 3.4e38  # exporters write the largest float32 for no bound


def _rectify(call: Call, source: str, top: float | None) -> str:
    name = call.builder.add(ReLU(name=call.name, inputs=(source,), max_value=top, origin=call.origin))
    call.rectified.add(name)
    return name


def relu(call: Call) -> str:
    """``max(x, 0)``."""
    return _rectify(call, call.source(), None)


def clip(call: Call) -> str:
    """A rectifier where the lower bound is zero, or there is none and the input is rectified already."""
    low, high = (_bound(call, what, i) for i, what in ((1, "min"), (2, "max")))
    return _clip(call, call.source(), low, high)


def _bound(call: Call, what: str, i: int) -> float | None:
    """A bound from an attribute (opset 10 and older) or an input."""
    if what in call.attributes:
        value = float(call.attribute(what, 0.0))
    else:
        array = call.optional(i, what)
        if array is None:
            return None
        if array.size != 1:
            raise Refusal(f"its {what} is not one number")
        value = float(array.item())
    if math.isnan(value):
        raise Refusal(f"its {what} is not a number")
    return None if abs(value) >= UNBOUNDED and (value < 0) == (what == "min") else value


def _clip(call: Call, source: str, low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return source
    if source in call.rectified and (low or 0) <= 0:
        low = 0.0
    if low != 0 or (high is not None and not 0 < high < UNBOUNDED):
        raise Refusal(f"clips to [{low}, {high}]; only [0, m] is a rectifier")
    return _rectify(call, source, high)


def maximum(call: Call) -> str:
    """Max with the constant zero."""
    source, constant = _one_constant(call)
    return _clip(call, source, constant, None)


def minimum(call: Call) -> str:
    """Min of a rectified input with a constant above zero."""
    source, constant = _one_constant(call)
    return _clip(call, source, None, constant)


def _one_constant(call: Call) -> tuple[str, float]:
    """The activation and the one number that Max or Min joins."""
    sources = [v.name for v in call.inputs if isinstance(v, Activation)]
    constants = [call.constant(i, "constant") for i, v in enumerate(call.inputs) if not isinstance(v, Activation)]
    if len(sources) != 1 or len(constants) != 1:
        raise Refusal(f"{call.op} of several activations")
    constant, rank = constants[0], len(call.builder.shape(sources[0])) + 1
    if constant.size < 1 or constant.ndim > rank or np.ptp(constant) != 0:
        raise Refusal(f"{call.op} with a constant that varies")
    if constant.size > 1 and np.broadcast_shapes(constant.shape, (1, *call.builder.shape(sources[0]))) != (
        1,
        *call.builder.shape(sources[0]),
    ):
        raise Refusal(f"{call.op} with a constant of shape {constant.shape}, larger than the sample")
    return sources[0], float(constant.ravel()[0])


def softmax(call: Call) -> str:
    """Softmax over one axis, or over all from `axis` on (before opset 13)."""
    return _softmax(call, log=False)


def log_softmax(call: Call) -> str:
    """The logarithm of softmax."""
    return _softmax(call, log=True)


def _softmax(call: Call, log: bool) -> str:
    shape, build = call.shape(), call.builder
    axis = call.axis(call.attribute("axis", 1 if call.opset < 13 else -1))
    source = call.source()
    joint = call.opset < 13 and math.prod(shape[axis:]) != shape[axis]
    if joint:
        source = build.reshape(f"{call.name}_joint", source, (*shape[:axis], math.prod(shape[axis:])), call.origin)
    out = build.add(Softmax(name=call.name, inputs=(source,), axis=axis, log=log, origin=call.origin))
    return build.reshape(f"{call.name}_shape", out, shape, call.origin)
