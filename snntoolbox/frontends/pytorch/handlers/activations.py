"""Handlers of activation functions: rectifiers in their many forms, smooth functions, softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from snntoolbox.frontends.pytorch.call import EVALUATE, Activation, Call, Refused
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Elementwise, Floor, ReLU, Softmax
from snntoolbox.ir.rectifying import add_absolute, add_bound, add_clip, add_leaky_relu, add_maximum, add_minimum

SELU = (1.6732632423543772, 1.0507009873554805)  # alpha and scale


def relu(call: Call) -> Activation:
    """``max(x, 0)``."""
    return _clipped(call, call.source(), 0.0, None)


def relu6(call: Call) -> Activation:
    """``min(max(x, 0), 6)``."""
    return _clipped(call, call.source(), 0.0, 6.0)


def _clipped(call: Call, source: str, low: float | None, high: float | None) -> Activation:
    """The value between two numbers, None or infinity being no bound."""
    if any(v is not None and math.isnan(v) for v in (low, high)):
        raise Refused(f"{call.op} by a bound that is not a number")
    low, high = (None if v is None or math.isinf(v) else v for v in (low, high))
    if isinstance(call.builder.node(source), ReLU) and (low is None or low < 0):
        low = 0.0  # cheaper, and the same: it is not below zero already
    if low is not None and high is not None and low >= high:
        raise Refused(f"{call.op} between {low} and {high}: only one value is left")
    return Activation(add_clip(call.builder, call.name, source, low, high, call.origin))


def clamp(call: Call) -> Activation:
    """``min(max(x, low), high)`` with numbers or constant tensors as bounds."""
    low_name, high_name = ("min_val", "max_val") if call.op == "hardtanh" else ("min", "max")
    bounds = [call.args.get(n) for n in (low_name, high_name)]
    if not any(isinstance(b, torch.Tensor) and b.numel() > 1 for b in bounds):
        return _clipped(call, call.source(), call.number(low_name), call.number(high_name))
    source = call.spread(call.source(), call.sample_shape())
    for bound, sign in zip(bounds, (1.0, -1.0), strict=True):
        if bound is not None:
            source = _bounded(call, source, bound, sign)
    return Activation(source)


def _bounded(call: Call, source: str, bound: Any, sign: float) -> str:
    """``max(x, bound)``, or ``min(x, bound)`` where `sign` is -1, with a constant that may vary over the sample."""
    if isinstance(bound, Activation):
        raise Refused(f"{call.op} by bounds that depend on the input")
    level = np.asarray(call.per_sample(bound, len(call.shape(source))), np.float64)
    if not np.all(np.isfinite(level)):
        raise Refused(f"{call.op} by bounds that are not finite")
    return add_bound(call.builder, call.name, source, level, sign, call.origin)


def _extreme(call: Call, sign: float) -> Activation:
    """The larger (or, by sign -1, the smaller) of two activations, or of one and a constant."""
    a, b = (call.args[n] for n in ("self", "other"))
    shape = call.sample_shape()
    if isinstance(a, Activation) and isinstance(b, Activation):
        add = add_maximum if sign > 0 else add_minimum
        first, second = (call.spread(v.name, shape) for v in (a, b))
        return Activation(add(call.builder, call.name, first, second, call.origin))
    value, bound = (a, b) if isinstance(a, Activation) else (b, a)
    source = call.spread(value.name, shape)
    if isinstance(bound, torch.Tensor) and bound.numel() > 1:
        return Activation(_bounded(call, source, bound, sign))
    level = float(bound)
    return _clipped(call, source, *((level, None) if sign > 0 else (None, level)))


def maximum(call: Call) -> Activation:
    """``max(a, b)`` value by value."""
    return _extreme(call, 1.0)


def minimum(call: Call) -> Activation:
    """``min(a, b)`` value by value."""
    return _extreme(call, -1.0)


def threshold(call: Call) -> Activation:
    """``x if x > threshold else value`` where both are equal; it jumps otherwise."""
    level, value = call.number("threshold"), call.number("value")
    if level != value:
        raise Refused(f"a threshold of {level} with the value {value}: the function jumps")
    return _clipped(call, call.source(), level, None)


def _leaky(call: Call, slope: float | Array) -> Activation:
    if not np.all(np.isfinite(slope)):
        raise Refused("a slope that is not finite")
    return Activation(add_leaky_relu(call.builder, call.name, call.source(), slope, None, call.origin))


def leaky_relu(call: Call) -> Activation:
    """``max(x, 0) + slope * min(x, 0)``."""
    return _leaky(call, call.number("negative_slope", 0.01) or 0.0)


def prelu(call: Call) -> Activation:
    """The same with trained slopes, one or one per channel."""
    slope, rank = call.constant("weight"), len(call.shape(call.source()))
    if slope is None or not rank:
        raise Refused("prelu without channels")
    if call.op == "prelu":
        return _leaky(call, slope.reshape(-1, *(1,) * (rank - 1)))
    return _leaky(call, call.per_sample(call.args["weight"], rank))


def rrelu(call: Call) -> Activation:
    """The same with the middle of the range that slopes are drawn from in training."""
    if call.get("training", False):
        raise Refused("rrelu in training mode", hint=EVALUATE)
    return _leaky(call, ((call.number("lower", 0.125) or 0.0) + (call.number("upper", 1 / 3) or 0.0)) / 2)


def rrelu_with_noise(call: Call) -> Any:
    """The same with the noise of training, which may be a second result."""
    made = rrelu(call)
    return [made, None] if isinstance(call.out, (tuple, list)) else made


def hardsigmoid(call: Call) -> Activation:
    """``min(max(x / 6 + 1 / 2, 0), 1)``."""
    sixth, half = np.full((), 1 / 6), np.full((), 0.5)
    return _clipped(call, call.builder.affine(f"{call.name}_line", call.source(), sixth, half, call.origin), 0.0, 1.0)


def floor(call: Call) -> Activation:
    """Between bounds a quantised rectifier (QCFS), which is read as one; else refused at conversion."""
    return Activation(call.builder.add(Floor(name=call.name, inputs=(call.source(),), origin=call.origin)))


def absolute(call: Call) -> Activation:
    """``|x|``."""
    return Activation(add_absolute(call.builder, call.name, call.source(), call.origin))


# -- smooth functions -------------------------------------------------------------------------------------------


def _smooth(function: str) -> Callable[[Call], Activation]:
    """A handler that emits this function."""

    def handler(call: Call) -> Activation:
        node = Elementwise(name=call.name, inputs=(call.source(),), function=function, origin=call.origin)
        return Activation(call.builder.add(node))

    handler.__doc__ = f"{function}(x), for each value."
    return handler


def gelu(call: Call) -> Activation:
    """GELU, exact or by tanh."""
    return _smooth("gelu_tanh" if call.get("approximate") == "tanh" else "gelu")(call)


def elu(call: Call) -> Activation:
    """ELU (also as CELU) with alpha 1, or SELU written as one."""
    alpha, scale, inner = (float(call.get(n, 1.0)) for n in ("alpha", "scale", "input_scale"))
    if (alpha, scale, inner) == (1.0, 1.0, 1.0):
        return _smooth("elu")(call)
    if inner == 1.0 and np.allclose((alpha, scale), SELU, rtol=1e-6, atol=0):
        return _smooth("selu")(call)
    raise Refused(f"{call.op} with alpha {alpha} and scale {scale}; only alpha 1 is known")


def softplus(call: Call) -> Activation:
    """``log(1 + exp(x))``; torch goes straight on above a threshold, which must be too high to be seen."""
    beta, level = call.number("beta", 1.0), call.number("threshold", 20.0)
    if beta != 1 or level is None or level < 16:
        raise Refused(f"softplus with beta {beta} and threshold {level}; only beta 1 and thresholds from 16 are known")
    return _smooth("softplus")(call)


def softmax(call: Call) -> Activation:
    """Softmax or its logarithm along an axis of the sample."""
    source = call.source()
    axis, log = call.axis(int(call.args["dim"]), source), "log" in call.op
    node = Softmax(name=call.name, inputs=(source,), axis=axis, log=log, origin=call.origin)
    return Activation(call.builder.add(node))


HANDLERS: dict[str, Callable[[Call], Any]] = {
    "relu": relu,
    "relu6": relu6,
    **dict.fromkeys(("hardtanh", "clamp", "clip", "clamp_min", "clamp_max"), clamp),
    **dict.fromkeys(("maximum", "fmax"), maximum),
    **dict.fromkeys(("minimum", "fmin"), minimum),
    "threshold": threshold,
    "leaky_relu": leaky_relu,
    **dict.fromkeys(("prelu", "_prelu_kernel"), prelu),
    "rrelu": rrelu,
    **dict.fromkeys(("rrelu_with_noise", "rrelu_with_noise_functional"), rrelu_with_noise),
    "hardsigmoid": hardsigmoid,
    "floor": floor,
    **dict.fromkeys(("abs", "absolute"), absolute),
    **{op: _smooth(op) for op in ("sigmoid", "tanh", "erf", "silu", "mish", "selu")},
    "special_expit": _smooth("sigmoid"),
    "special_erf": _smooth("erf"),
    "hardswish": _smooth("hard_swish"),
    "gelu": gelu,
    **dict.fromkeys(("elu", "celu"), elu),
    "softplus": softplus,
    **dict.fromkeys(("softmax", "log_softmax", "_softmax", "_log_softmax", "special_softmax"), softmax),
}
