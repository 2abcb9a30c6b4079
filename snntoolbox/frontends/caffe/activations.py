"""Handlers of functions that change value by value, and of softmax."""

from __future__ import annotations

import numpy as np

from snntoolbox.frontends import functions
from snntoolbox.frontends.caffe.call import CaffeCall
from snntoolbox.frontends.caffe.weighted import fixed_point_range
from snntoolbox.frontends.layer_call import Refusal
from snntoolbox.ir.nodes import Floor, ReLU


def relu(call: CaffeCall) -> str:
    """``max(x, 0)``, with a slope below zero where one is set."""
    slope = call.settings("relu").negative_slope
    return functions.leaky_relu(call, call.source(), slope) if slope else functions.relu(call, call.source())


def prelu(call: CaffeCall) -> str:
    """``max(x, 0) + slope * min(x, 0)``, with a slope for each channel or one for all."""
    shared = call.settings("prelu").channel_shared
    (slope,) = call.trained(() if shared else (call.shape()[0],))
    return functions.leaky_relu(call, call.source(), call.along(slope, 0 if shared else 1))


def elu(call: CaffeCall) -> str:
    """``x`` above zero, ``alpha * (exp(x) - 1)`` below."""
    return functions.elu(call, call.source(), call.settings("elu").alpha)


def clip(call: CaffeCall) -> str:
    """``min(max(x, min), max)``."""
    told = call.settings("clip")
    if not (told.HasField("min") and told.HasField("max")):
        raise Refusal("names no min or no max")
    return functions.clipped(call, call.source(), told.min, told.max)


def swish(call: CaffeCall) -> str:
    """``x * sigmoid(beta * x)``."""
    beta = call.settings("swish").beta
    if not beta:
        return call.builder.affine(call.name, call.source(), np.full((), 0.5), None, call.origin)
    inner = call.builder.affine(f"{call.name}_inner", call.source(), np.full((), beta), None, call.origin)
    silu = functions.FUNCTIONS["silu"](call, inner)
    return call.builder.affine(f"{call.name}_outer", silu, np.full((), 1 / beta), None, call.origin)


def power(call: CaffeCall) -> str:
    """``(shift + scale * x) ** power`` with the power 1."""
    told = call.settings("power")
    if told.power != 1:
        raise Refusal(f"a power of {told.power:g} is not supported")
    gain, shift = np.full((), told.scale), np.full((), told.shift)
    return call.builder.affine(call.name, call.source(), gain, shift, call.origin)


def threshold(call: CaffeCall) -> str:
    """``x > threshold``, which jumps."""
    raise functions.jumping(call.settings("threshold").threshold)


def fixed_point(call: CaffeCall) -> str:
    """The nearest numbers of few bits; behind a rectifier, or before one, that is a quantised rectifier."""
    step, most = fixed_point_range(call.settings("lpfp"))
    build, origin, source = call.builder, call.origin, call.source()
    rectified = isinstance(build.node(source), ReLU)
    counted = build.affine(f"{call.name}_steps", source, np.full((), 1 / step), np.full((), 0.5), origin)
    whole = build.add(Floor(name=f"{call.name}_whole", inputs=(counted,), origin=origin))
    levels = most / step
    bounded = functions.clipped(call, whole, 0.0 if rectified else -levels, levels)
    return build.affine(f"{call.name}_values", bounded, np.full((), step), None, origin)


def softmax(call: CaffeCall) -> str:
    """Softmax along an axis."""
    return functions.softmax(call, call.source(), call.axis(call.settings("softmax").axis))
