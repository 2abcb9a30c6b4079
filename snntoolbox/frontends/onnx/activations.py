"""Handlers of activation functions: rectifiers and bounds, smooth functions, softmax."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.frontends import functions
from snntoolbox.frontends.functions import SELU, smooth
from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.frontends.onnx.call import OnnxCall

# -- straight pieces ------------------------------------------------------------------------------------------------


def clip(call: OnnxCall) -> str:
    """``min(max(x, min), max)``, either bound left out."""
    low, high = (_bound(call, what, i) for i, what in ((1, "min"), (2, "max")))
    return functions.clipped(call, call.source(), low, high)


def _bound(call: OnnxCall, what: str, i: int) -> float | None:
    """A bound from an attribute (opset 10 and older) or an input."""
    if what in call.attributes:
        return float(call.attribute(what, 0.0))
    array = call.optional(i, what)
    if array is None:
        return None
    if array.size != 1:
        raise Refusal(f"its {what} is not one number")
    return float(array.item())


def maximum(call: OnnxCall) -> str:
    """The largest of activations and constants."""
    return functions.extreme(call, call.operands(), 1.0)


def minimum(call: OnnxCall) -> str:
    """The smallest of activations and constants."""
    return functions.extreme(call, call.operands(), -1.0)


def leaky_relu(call: OnnxCall) -> str:
    """``max(x, 0) + alpha * min(x, 0)``."""
    return functions.leaky_relu(call, call.source(), call.number("alpha", 0.01))


def prelu(call: OnnxCall) -> str:
    """The same with trained slopes that broadcast to the sample."""
    slope = call.operand(1)
    if isinstance(slope, Activation):
        raise Refusal("its slopes depend on the input")
    return functions.leaky_relu(call, call.source(), call.per_sample(slope, len(call.shape())))


def thresholded_relu(call: OnnxCall) -> str:
    """``x if x > alpha else 0``, which jumps unless alpha is zero."""
    return functions.thresholded_relu(call, call.source(), call.number("alpha", 1.0))


def hard_sigmoid(call: OnnxCall) -> str:
    """``min(max(alpha * x + beta, 0), 1)``."""
    return functions.hard_sigmoid(call, call.source(), call.number("alpha", 0.2), call.number("beta", 0.5))


# -- smooth functions -----------------------------------------------------------------------------------------------


def gelu(call: OnnxCall) -> str:
    """GELU, exact or by tanh."""
    approximation = call.attribute("approximate", "none")
    if approximation not in ("none", "tanh"):
        raise Refusal(f"approximate = '{approximation}' is not known")
    return smooth("gelu_tanh" if approximation == "tanh" else "gelu")(call, call.source())


def elu(call: OnnxCall) -> str:
    """``x`` above zero, ``alpha * (exp(x) - 1)`` below."""
    return functions.elu(call, call.source(), call.number("alpha", 1.0))


def celu(call: OnnxCall) -> str:
    """CELU with alpha 1."""
    return functions.celu(call, call.source(), call.number("alpha", 1.0))


def selu(call: OnnxCall) -> str:
    """SELU with its own alpha and gamma."""
    return functions.scaled_elu(call, call.source(), call.number("alpha", SELU[0]), call.number("gamma", SELU[1]))


def swish(call: OnnxCall) -> str:
    """``x * sigmoid(alpha * x) = silu(alpha * x) / alpha``."""
    alpha, build, silu = call.number("alpha", 1.0), call.builder, smooth("silu")
    if alpha == 1:
        return silu(call, call.source())
    if not alpha:
        return build.affine(call.name, call.source(), np.full((), 0.5), None, call.origin)
    inner = build.affine(f"{call.name}_inner", call.source(), np.full((), alpha), None, call.origin)
    return build.affine(f"{call.name}_outer", silu(call, inner), np.full((), 1 / alpha), None, call.origin)


# -- softmax --------------------------------------------------------------------------------------------------------


def softmax(call: OnnxCall) -> str:
    """Softmax over one axis, or over all from `axis` on (before opset 13)."""
    return _softmax(call, log=False)


def log_softmax(call: OnnxCall) -> str:
    """The logarithm of softmax."""
    return _softmax(call, log=True)


def _softmax(call: OnnxCall, *, log: bool) -> str:
    shape, build, source = call.shape(), call.builder, call.source()
    axis = call.axis(call.attribute("axis", 1 if call.opset < 13 else -1))
    if call.opset < 13 and math.prod(shape[axis:]) != shape[axis]:
        source = build.reshape(f"{call.name}_joint", source, (*shape[:axis], math.prod(shape[axis:])), call.origin)
    normalised = functions.softmax(call, source, axis, log=log)
    return build.reshape(f"{call.name}_shape", normalised, shape, call.origin)
