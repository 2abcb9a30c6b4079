"""Handlers of activation functions: rectifiers in their many forms, smooth functions, softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from snntoolbox.frontends import functions
from snntoolbox.frontends.functions import of_source
from snntoolbox.frontends.layer_call import Refusal
from snntoolbox.frontends.pytorch.call import EVALUATE, TorchCall

# -- straight pieces ------------------------------------------------------------------------------------------------


def clamp(call: TorchCall) -> str:
    """``min(max(x, low), high)`` with numbers or constant tensors as bounds."""
    names = ("min_val", "max_val") if call.op == "hardtanh" else ("min", "max")
    if not any(isinstance(b, torch.Tensor) and b.numel() > 1 for b in map(call.args.get, names)):
        low, high = map(call.number, names)
        return functions.clipped(call, call.source(), low, high)
    source = call.broadcast(call.source(), call.sample_shape())
    for name, sign in zip(names, (1.0, -1.0), strict=True):
        bound = call.constant(name)
        if bound is not None:
            source = functions.bounded(call, source, call.per_sample(bound, len(call.shape(source))), sign)
    return source


def maximum(call: TorchCall) -> str:
    """``max(a, b)`` value by value."""
    return functions.extreme(call, [call.operand("self"), call.operand("other")], 1.0)


def minimum(call: TorchCall) -> str:
    """``min(a, b)`` value by value."""
    return functions.extreme(call, [call.operand("self"), call.operand("other")], -1.0)


def threshold(call: TorchCall) -> str:
    """``x if x > threshold else value`` where both are equal; it jumps otherwise."""
    level, value = call.number("threshold") or 0.0, call.number("value") or 0.0
    return functions.thresholded_relu(call, call.source(), level, value)


def leaky_relu(call: TorchCall) -> str:
    """``max(x, 0) + slope * min(x, 0)``."""
    return functions.leaky_relu(call, call.source(), call.number("negative_slope", 0.01) or 0.0)


def prelu(call: TorchCall) -> str:
    """The same with trained slopes, one or one per channel."""
    slope, rank = call.constant("weight"), len(call.shape())
    if slope is None or not rank:
        raise Refusal("prelu without channels")
    slope = slope.reshape(-1, *(1,) * (rank - 1)) if call.op == "prelu" else call.per_sample(slope, rank)
    return functions.leaky_relu(call, call.source(), slope)


def rrelu(call: TorchCall) -> str:
    """The same with the middle of the range that slopes are drawn from in training."""
    if call.get("training", False):
        raise Refusal("in training mode", hint=EVALUATE)
    middle = ((call.number("lower", 0.125) or 0.0) + (call.number("upper", 1 / 3) or 0.0)) / 2
    return functions.leaky_relu(call, call.source(), middle)


def rrelu_with_noise(call: TorchCall) -> Any:
    """The same with the noise of training, which may be a second result."""
    return [rrelu(call), None] if isinstance(call.out, (tuple, list)) else rrelu(call)


# -- smooth functions -----------------------------------------------------------------------------------------------


def gelu(call: TorchCall) -> str:
    """GELU, exact or by tanh."""
    return of_source("gelu_tanh" if call.get("approximate") == "tanh" else "gelu")(call)


def elu(call: TorchCall) -> str:
    """``x`` above zero, ``alpha * (exp(x) - 1)`` below; or SELU written as one."""
    alpha, scale, inner = (float(call.get(n, 1.0)) for n in ("alpha", "scale", "input_scale"))
    if inner != 1:
        raise Refusal(f"input_scale = {inner}; only 1 is known")
    return functions.scaled_elu(call, call.source(), alpha, scale)


def celu(call: TorchCall) -> str:
    """CELU with alpha 1."""
    return functions.celu(call, call.source(), float(call.get("alpha", 1.0)))


def softplus(call: TorchCall) -> str:
    """``log(1 + exp(x))``; torch goes straight on above a threshold, which must be too high to be seen."""
    beta, level = call.number("beta", 1.0), call.number("threshold", 20.0)
    if beta != 1 or level is None or level < 16:
        raise Refusal(f"softplus with beta {beta} and threshold {level}; only beta 1 and thresholds from 16 are known")
    return of_source("softplus")(call)


def softmax(call: TorchCall) -> str:
    """Softmax or its logarithm along an axis of the sample."""
    return functions.softmax(call, call.source(), call.axis(int(call.args["dim"])), log="log" in call.op)


HANDLERS: dict[str, Callable[[TorchCall], Any]] = {
    "relu": of_source("relu"),
    "relu6": of_source("relu6"),
    **dict.fromkeys(("hardtanh", "clamp", "clip", "clamp_min", "clamp_max"), clamp),
    **dict.fromkeys(("maximum", "fmax"), maximum),
    **dict.fromkeys(("minimum", "fmin"), minimum),
    "threshold": threshold,
    "leaky_relu": leaky_relu,
    **dict.fromkeys(("prelu", "_prelu_kernel"), prelu),
    "rrelu": rrelu,
    **dict.fromkeys(("rrelu_with_noise", "rrelu_with_noise_functional"), rrelu_with_noise),
    "hardsigmoid": of_source("hard_sigmoid"),
    "floor": of_source("floor"),
    **dict.fromkeys(("abs", "absolute"), of_source("abs")),
    **{op: of_source(op) for op in ("sigmoid", "tanh", "erf", "exp", "silu", "mish", "selu")},
    "special_expit": of_source("sigmoid"),
    "special_erf": of_source("erf"),
    "hardswish": of_source("hard_swish"),
    "gelu": gelu,
    "elu": elu,
    "celu": celu,
    "softplus": softplus,
    **dict.fromkeys(("softmax", "log_softmax", "_softmax", "_log_softmax", "special_softmax"), softmax),
}
