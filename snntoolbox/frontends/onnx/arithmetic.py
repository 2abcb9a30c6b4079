"""Handlers of sums, products with constants, and matrix products, under numpy's broadcasting."""

from __future__ import annotations

from collections.abc import Sequence

from snntoolbox.frontends import maps
from snntoolbox.frontends.layer_call import Activation
from snntoolbox.frontends.onnx.call import OnnxCall


def _sum(call: OnnxCall, coefficients: Sequence[float]) -> str:
    return maps.weighted_sum(call, call.operands(), coefficients)


def add(call: OnnxCall) -> str:
    """x + y."""
    return _sum(call, (1.0, 1.0))


def subtract(call: OnnxCall) -> str:
    """x - y."""
    return _sum(call, (1.0, -1.0))


def total(call: OnnxCall) -> str:
    """The sum of any number of inputs."""
    return _sum(call, (1.0,) * len(call.inputs))


def mean(call: OnnxCall) -> str:
    """The mean of any number of inputs."""
    return _sum(call, (1 / len(call.inputs),) * len(call.inputs))


def negate(call: OnnxCall) -> str:
    """-x."""
    return maps.negative(call, call.source())


def multiply(call: OnnxCall) -> str:
    """x * c; of two activations a known function of one (SiLU), or their product."""
    return maps.product(call, call.operand(0), call.operand(1))


def divide(call: OnnxCall) -> str:
    """x / c."""
    return maps.quotient(call, call.operand(0), call.operand(1))


def matmul(call: OnnxCall) -> str:
    """``x @ W`` over the last axis, or ``W @ x`` over the last but one."""
    left, right = (v if isinstance(v := call.value(i), Activation) else call.constant(i, "weight") for i in (0, 1))
    return maps.matrix_product(call, left, right)
