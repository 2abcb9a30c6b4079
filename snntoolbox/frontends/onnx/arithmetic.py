"""Handlers of sums and of arithmetic with constants, under numpy's broadcasting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snntoolbox.frontends.onnx.call import PROBES, Activation, Call, Known, Refusal
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Add
from snntoolbox.ir.products import add_gated


def sample_constant(call: Call, i: int, shape: Shape) -> Array:
    """Constant input i as an array that broadcasts against samples of `shape`: its batch axis, if any, is dropped."""
    value = call.value(i)
    if isinstance(value, Known) and not value.fixed:
        return _same_for_all(value)
    array = call.constant(i, "constant")
    if array.ndim > len(shape) + 1:
        raise Refusal(f"its constant of shape {array.shape} has more axes than the input")
    if array.ndim == len(shape) + 1:
        if len(array) != 1 and not (len(array) == call.batch and np.all(array == array[:1])):
            raise Refusal(f"its constant of shape {array.shape} varies over the batch")
        array = array[0]
    return array.reshape((1,) * (len(shape) - array.ndim) + array.shape)


def _same_for_all(value: Known) -> Array:
    """A constant expanded to the batch size, for one sample."""
    rows = [v[:1] for v in (value.first, value.second) if v.ndim and np.all(v == v[:1])]
    if len(rows) != 2 or (len(value.first), len(value.second)) != PROBES or not np.array_equal(rows[0], rows[1]):
        raise Refusal("its constant depends on the batch size")
    row: Array = rows[0][0]
    return row


def stretched(call: Call, source: str, shape: Sequence[int]) -> str:
    """`source` with axes of length one repeated to `shape`."""
    call.bound(shape)
    for axis, (n, wanted) in enumerate(zip(call.builder.shape(source), shape, strict=True)):
        if n == 1 and wanted > 1:
            source = call.builder.take(f"{call.name}_stretched", source, axis, (0,) * wanted, call.origin)
    return source


def common_shape(shapes: Sequence[Shape]) -> Shape:
    """The shape that all broadcast to."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise Refusal(f"cannot broadcast shapes {', '.join(map(str, shapes))}") from None


def _affine(call: Call, i: int, gain: Array | None, bias: Array | None) -> str:
    """``gain * x_i + bias``, x stretched where the constants are larger."""
    shape = call.shape(i)
    constants = [c.shape for c in (gain, bias) if c is not None and c.ndim]
    source = stretched(call, call.source(i), common_shape([shape, *constants]))
    return call.builder.affine(call.name, source, gain, bias, call.origin)


def _weighted_sum(call: Call, coefficients: Sequence[float]) -> str:
    """``sum(c_i * x_i)`` of activations and constants."""
    active = [i for i, v in enumerate(call.inputs) if isinstance(v, Activation)]
    if len({len(call.shape(i)) for i in active}) > 1:
        raise Refusal("broadcasts a batch axis: its inputs have different numbers of axes")
    shape = common_shape([call.shape(i) for i in active])
    constants = [coefficients[i] * sample_constant(call, i, shape) for i in range(len(call.inputs)) if i not in active]
    shape = common_shape([shape, *(c.shape for c in constants)])
    sources = tuple(stretched(call, call.source(i), shape) for i in active)
    factors = tuple(float(coefficients[i]) for i in active)
    if len(sources) > 1:
        given = None if set(factors) == {1.0} else factors
        source = call.builder.add(Add(name=call.name, inputs=sources, coefficients=given, origin=call.origin))
        factors = (1.0,)
    else:
        (source,) = sources
    if not constants and factors == (1.0,):
        return source
    gain = None if factors == (1.0,) else np.array(factors[0])
    bias = sum(constants[1:], constants[0]) if constants else None
    return call.builder.affine(call.name, source, gain, bias, call.origin)


def add(call: Call) -> str:
    """x + y."""
    return _weighted_sum(call, (1.0, 1.0))


def subtract(call: Call) -> str:
    """x - y."""
    return _weighted_sum(call, (1.0, -1.0))


def total(call: Call) -> str:
    """The sum of any number of inputs."""
    return _weighted_sum(call, (1.0,) * len(call.inputs))


def mean(call: Call) -> str:
    """The mean of any number of inputs."""
    return _weighted_sum(call, (1 / len(call.inputs),) * len(call.inputs))


def negate(call: Call) -> str:
    """-x."""
    return _affine(call, 0, np.array(-1.0), None)


def multiply(call: Call) -> str:
    """x * c; of two activations, what is a known function of one (SiLU)."""
    if len(call.inputs) == 2 and all(isinstance(v, Activation) for v in call.inputs):
        gated = add_gated(call.builder, call.name, call.source(0), call.source(1), call.origin)
        if gated is None:
            raise Refusal("product of two activations")
        return gated
    active = _one_activation(call, "product")
    return _affine(call, active, sample_constant(call, 1 - active, call.shape(active)), None)


def divide(call: Call) -> str:
    """x / c."""
    if _one_activation(call, "quotient") != 0:
        raise Refusal("divides by an activation")
    divisor = sample_constant(call, 1, call.shape())
    if not np.all(divisor):
        raise Refusal("divides by zero")
    return _affine(call, 0, 1 / divisor.astype(np.float64), None)


def _one_activation(call: Call, what: str) -> int:
    """Which of the two inputs is the activation."""
    active = [i for i, v in enumerate(call.inputs) if isinstance(v, Activation)]
    if len(active) != 1 or len(call.inputs) != 2:
        raise Refusal(f"{what} of two activations")
    return active[0]
