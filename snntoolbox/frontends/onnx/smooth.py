"""Handlers of smooth functions: those of each value, and softmax."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.frontends.onnx.call import Call, Handler, Refusal
from snntoolbox.ir.nodes import Elementwise, Softmax

SELU = (1.6732632423543772, 1.0507009873554805)  # alpha and gamma


def smooth(function: str) -> Handler:
    """A handler that emits this function."""

    def handler(call: Call) -> str:
        return _emit(call, call.source(), function)

    handler.__doc__ = f"{function}(x), for each value."
    return handler


def _emit(call: Call, source: str, function: str) -> str:
    return call.builder.add(Elementwise(name=call.name, inputs=(source,), function=function, origin=call.origin))


def gelu(call: Call) -> str:
    """GELU, exact or by tanh."""
    how = call.attribute("approximate", "none")
    if how not in ("none", "tanh"):
        raise Refusal(f"approximate = '{how}' is not known")
    return _emit(call, call.source(), "gelu_tanh" if how == "tanh" else "gelu")


def elu(call: Call) -> str:
    """ELU (also as Celu) with alpha 1."""
    alpha = call.number("alpha", 1.0)
    if alpha != 1:
        raise Refusal(f"alpha = {alpha}; only 1 is known")
    return _emit(call, call.source(), "elu")


def selu(call: Call) -> str:
    """SELU with its own alpha and gamma."""
    given = tuple(call.number(what, value) for what, value in zip(("alpha", "gamma"), SELU, strict=True))
    if not np.allclose(given, SELU, rtol=1e-6, atol=0):
        raise Refusal(f"alpha and gamma {given}; only {SELU} are known")
    return _emit(call, call.source(), "selu")


def swish(call: Call) -> str:
    """``x * sigmoid(alpha * x) = silu(alpha * x) / alpha``."""
    alpha, build = call.number("alpha", 1.0), call.builder
    if alpha == 1:
        return _emit(call, call.source(), "silu")
    if not alpha:
        return build.affine(call.name, call.source(), np.full((), 0.5), None, call.origin)
    inner = build.affine(f"{call.name}_inner", call.source(), np.full((), alpha), None, call.origin)
    return build.affine(f"{call.name}_outer", _emit(call, inner, "silu"), np.full((), 1 / alpha), None, call.origin)


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
