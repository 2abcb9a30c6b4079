"""Handlers of sums, differences, and products with constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snntoolbox.frontends.pytorch.call import Activation, Call, Refused
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Add, Mean
from snntoolbox.ir.products import add_gated


def _signed_sum(call: Call, first: float, second: float) -> Activation:
    """``first * self + second * other``, each an activation or a constant."""
    a, b = call.args["self"], call.args["other"]
    shape = call.sample_shape()
    if isinstance(a, Activation) and isinstance(b, Activation):
        sources = (call.spread(a.name, shape), call.spread(b.name, shape))
        factors = None if first == second == 1 else (first, second)
        return Activation(
            call.builder.add(Add(name=call.name, inputs=sources, coefficients=factors, origin=call.origin))
        )
    value, constant, gain, factor = (a, b, first, second) if isinstance(a, Activation) else (b, a, second, first)
    source = call.spread(value.name, shape)
    bias = factor * call.per_sample(constant, len(shape))
    return Activation(
        call.builder.affine(call.name, source, None if gain == 1 else np.asarray(gain), bias, call.origin)
    )


def _alpha(call: Call) -> float:
    return call.number("alpha", 1.0) or 0.0


def add(call: Call) -> Activation:
    """``self + alpha * other``."""
    return _signed_sum(call, 1.0, _alpha(call))


def subtract(call: Call) -> Activation:
    """``self - alpha * other``."""
    return _signed_sum(call, 1.0, -_alpha(call))


def reverse_subtract(call: Call) -> Activation:
    """``other - alpha * self``."""
    return _signed_sum(call, -_alpha(call), 1.0)


def _scaled(call: Call, source: str, gain: Array) -> Activation:
    source = call.spread(source, call.sample_shape())
    return Activation(call.builder.affine(call.name, source, gain, None, call.origin))


def multiply(call: Call) -> Activation:
    """``self * constant`` or ``constant * other``; of activations, what is a known function of one (SiLU)."""
    a, b = call.args["self"], call.args["other"]
    if isinstance(a, Activation) and isinstance(b, Activation):
        gated = add_gated(call.builder, call.name, a.name, b.name, call.origin)
        if gated is None:
            raise Refused("product of two activations is not supported")
        return Activation(gated)
    value, constant = (a, b) if isinstance(a, Activation) else (b, a)
    return _scaled(call, value.name, call.per_sample(constant, len(call.sample_shape())))


def divide(call: Call) -> Activation:
    """``self / constant``."""
    value, constant = call.args["self"], call.args["other"]
    if call.get("rounding_mode"):
        raise Refused(f"division with rounding ({call.args['rounding_mode']})")
    if isinstance(constant, Activation):
        raise Refused("division by an activation is not supported")
    divisor = np.asarray(call.per_sample(constant, len(call.sample_shape())), np.float64)
    if np.any(divisor == 0):
        raise Refused("division by zero")
    return _scaled(call, value.name, 1 / divisor)


def negate(call: Call) -> Activation:
    """``-x``."""
    return _scaled(call, call.source(), np.asarray(-1.0))


def mean(call: Call) -> Activation:
    """The mean over axes of the sample."""
    source = call.source()
    axes, keep = call.axes("dim", source), bool(call.get("keepdim", False))
    return Activation(
        call.builder.add(Mean(name=call.name, inputs=(source,), axes=axes, keepdims=keep, origin=call.origin))
    )


def total(call: Call) -> Activation:
    """The sum over axes of the sample: the mean times their size."""
    source = call.source()
    size = np.asarray(float(np.prod([call.shape(source)[a] for a in call.axes("dim", source)])))
    return Activation(call.builder.affine(f"{call.name}_sum", mean(call).name, size, None, call.origin))


HANDLERS: dict[str, Callable[[Call], Any]] = {
    "add": add,
    "sub": subtract,
    "subtract": subtract,
    "rsub": reverse_subtract,
    "mul": multiply,
    "multiply": multiply,
    "div": divide,
    "divide": divide,
    "true_divide": divide,
    "neg": negate,
    "negative": negate,
    "mean": mean,
    "sum": total,
}
