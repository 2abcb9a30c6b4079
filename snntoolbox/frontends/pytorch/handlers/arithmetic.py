"""Handlers of sums, products with constants and matrices, and means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snntoolbox.frontends import maps
from snntoolbox.frontends.einsum import einsum as sum_by_letters
from snntoolbox.frontends.layer_call import Activation, Operand, Refusal
from snntoolbox.frontends.pytorch.call import TorchCall
from snntoolbox.frontends.truths import chosen_by

# -- value by value -------------------------------------------------------------------------------------------------


def _sum(call: TorchCall, first: float, second: float) -> str:
    """``first * self + second * other``, each an activation or a constant."""
    return maps.weighted_sum(call, [call.operand("self"), call.operand("other")], (first, second))


def _alpha(call: TorchCall) -> float:
    return call.number("alpha", 1.0) or 0.0


def add(call: TorchCall) -> str:
    """``self + alpha * other``."""
    return _sum(call, 1.0, _alpha(call))


def subtract(call: TorchCall) -> str:
    """``self - alpha * other``."""
    return _sum(call, 1.0, -_alpha(call))


def reverse_subtract(call: TorchCall) -> str:
    """``other - alpha * self``."""
    return _sum(call, -_alpha(call), 1.0)


def multiply(call: TorchCall) -> str:
    """``self * constant`` or ``constant * other``; of two activations a known function (SiLU), or their product."""
    return maps.product(call, call.operand("self"), call.operand("other"))


def divide(call: TorchCall) -> str:
    """``self / constant``."""
    if call.get("rounding_mode"):
        raise Refusal(f"division with rounding ({call.args['rounding_mode']})")
    return maps.quotient(call, call.operand("self"), call.operand("other"))


def negate(call: TorchCall) -> str:
    """``-x``."""
    return maps.negative(call, call.source())


def power(call: TorchCall) -> str:
    """``self ** n`` for a small whole number n."""
    exponent = call.number("exponent")
    if not isinstance(call.args["self"], Activation) or exponent is None:
        raise Refusal("an exponent that depends on the input")
    return maps.power(call, call.source(), exponent)


def square(call: TorchCall) -> str:
    """``self * self``."""
    return maps.power(call, call.source(), 2)


def glu(call: TorchCall) -> str:
    """The first half of an axis times the sigmoid of the second."""
    return maps.gated_half(call, call.source(), call.axis(int(call.get("dim", -1))))


def where(call: TorchCall) -> str:
    """``self`` where a condition is true, else ``other``."""
    if isinstance(truths := call.args["condition"], Activation):
        return chosen_by(call, truths.name, call.operand("self"), call.operand("other"))
    return maps.chosen(call, call.required("condition"), call.operand("self"), call.operand("other"))


def masked_fill(call: TorchCall) -> str:
    """A value in the place of what a mask says."""
    value = call.array(call.args["value"])
    if isinstance(truths := call.args["mask"], Activation):
        return chosen_by(call, truths.name, value, call.operand("self"))
    return maps.chosen(call, call.required("mask"), value, call.operand("self"))


# -- matrices -------------------------------------------------------------------------------------------------------


def matmul(call: TorchCall) -> str:
    """A product with a constant matrix or vector, or of two activations."""
    other = "other" if "other" in call.args else "mat2" if "mat2" in call.args else "vec"
    return maps.matrix_product(call, _factor(call, "self"), _factor(call, other))


def _factor(call: TorchCall, name: str) -> Operand:
    value = call.args[name]
    return value if isinstance(value, Activation) else call.required(name)


def addmm(call: TorchCall) -> str:
    """``beta * self + alpha * mat1 @ mat2`` with constants `self` and `mat2`."""
    if not isinstance(call.args["mat1"], Activation) or isinstance(call.args["self"], Activation):
        raise Refusal("a sum of activations with a product")
    source, matrix = call.source("mat1"), call.required("mat2") * (call.number("alpha", 1.0) or 0.0)
    bias = call.per_sample(call.array(call.args["self"]), 1) * (call.number("beta", 1.0) or 0.0)
    row = np.broadcast_to(bias, (matrix.shape[1],))
    return call.builder.dense(call.name, source, matrix.T, row, origin=call.origin)


def einsum(call: TorchCall) -> str:
    """A sum of products of activations and constants, axes named by letters."""
    values = call.args["tensors"]
    operands: list[Operand] = [v if isinstance(v, Activation) else call.array(v) for v in values]
    return sum_by_letters(call, str(call.args["equation"]), operands)


# -- reductions -----------------------------------------------------------------------------------------------------


def mean(call: TorchCall) -> Activation:
    """The mean over axes of the sample."""
    return _reduced(call, maps.mean)


def total(call: TorchCall) -> Activation:
    """The sum over axes of the sample: the mean times their size."""
    return _reduced(call, maps.total)


def _reduced(call: TorchCall, reduction: Callable[..., str]) -> Activation:
    axes, keep = call.axes(call.get("dim")), bool(call.get("keepdim", False))
    before = 0 if keep else sum(a < call.batch_axis for a in axes)
    return Activation(reduction(call, call.source(), axes, keepdims=keep), call.batch_axis - before)


HANDLERS: dict[str, Callable[[TorchCall], Any]] = {
    "add": add,
    **dict.fromkeys(("sub", "subtract"), subtract),
    "rsub": reverse_subtract,
    **dict.fromkeys(("mul", "multiply"), multiply),
    **dict.fromkeys(("div", "divide", "true_divide"), divide),
    **dict.fromkeys(("neg", "negative"), negate),
    "addmm": addmm,
    **dict.fromkeys(("mm", "matmul", "mv", "bmm"), matmul),
    "einsum": einsum,
    "pow": power,
    "square": square,
    "glu": glu,
    "where": where,
    "masked_fill": masked_fill,
    "mean": mean,
    "sum": total,
}
