"""Functions of single values that several frameworks have: each is put into the graph in one way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import numpy as np

from snntoolbox.frontends import normalising
from snntoolbox.frontends.layer_call import LayerCall, Operand, Refusal
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Add, Elementwise, Floor, ReLU, Scale, Softmax
from snntoolbox.ir.rectifying import add_absolute, add_bound, add_clip, add_leaky_relu, add_maximum, add_minimum

Function = Callable[[LayerCall, str], str]
"""Adds a function of the values of a node behind it; the name of the last node added."""

SELU = (1.6732632423543772, 1.0507009873554805)  # alpha and scale (Klambauer et al. 2017)
SWAMPS = 1e6  # beside it float32 rounds to sixteenths
_UNBOUNDED = 3.4e38  # exporters write the largest float32 for no bound

# -- straight pieces ------------------------------------------------------------------------------------------------


def clipped(call: LayerCall, source: str, low: float | None, high: float | None) -> str:
    """``min(max(x, low), high)``; None, infinity and the largest float32 are no bound."""
    if any(v is not None and math.isnan(v) for v in (low, high)):
        raise Refusal("its bound is not a number")
    low = None if low is None or low <= -_UNBOUNDED else low
    if low is not None and high is None and (length := normalising.least_length(call, source, low)) is not None:
        return length
    high = None if high is None or high >= _UNBOUNDED else high
    if isinstance(call.builder.node(source), ReLU) and (low is None or low < 0):
        low = 0.0  # cheaper, and the same: it is not below zero already
    least, most = -math.inf if low is None else low, math.inf if high is None else high
    if least >= min(most, _UNBOUNDED) or most <= -_UNBOUNDED:
        raise Refusal(f"clips to [{least}, {most}]: only one value is left")
    return add_clip(call.builder, call.name, source, low, high, call.origin)


def bounded(call: LayerCall, source: str, bound: Array, sign: float) -> str:
    """``max(x, bound)``, or ``min(x, bound)`` where `sign` is -1, with a constant that may vary over the sample."""
    level = np.asarray(bound, np.float64)
    number = float(level.ravel()[0])
    if np.all(level == number):
        return clipped(call, source, *((number, None) if sign > 0 else (None, number)))
    if not np.all(np.isfinite(level)):
        raise Refusal("its bound is not finite")
    return add_bound(call.builder, call.name, source, level, sign, call.origin)


def extreme(call: LayerCall, operands: Sequence[Operand], sign: float) -> str:
    """The largest of activations and constants, value by value, or the smallest where `sign` is -1."""
    sources, constants = call.broadcast_together(operands)
    add = add_maximum if sign > 0 else add_minimum
    source = reduce(lambda a, b: add(call.builder, call.name, a, b, call.origin), sources)
    if not constants:
        return source
    return bounded(call, source, reduce(np.maximum if sign > 0 else np.minimum, constants), sign)


def relu(call: LayerCall, source: str) -> str:
    """``max(x, 0)``."""
    return clipped(call, source, 0.0, None)


def relu6(call: LayerCall, source: str) -> str:
    """``min(max(x, 0), 6)``."""
    return clipped(call, source, 0.0, 6.0)


def hard_tanh(call: LayerCall, source: str) -> str:
    """``min(max(x, -1), 1)``."""
    return clipped(call, source, -1.0, 1.0)


def hard_sigmoid(call: LayerCall, source: str, slope: float = 1 / 6, shift: float = 0.5) -> str:
    """``min(max(x / 6 + 1 / 2, 0), 1)``, or of another slope and shift."""
    line = call.builder.affine(f"{call.name}_line", source, np.full((), slope), np.full((), shift), call.origin)
    return clipped(call, line, 0.0, 1.0)


def leaky_relu(call: LayerCall, source: str, slope: float | Array, high: float | None = None) -> str:
    """``min(max(x, 0), high) + slope * min(x, 0)``, with slopes that may vary over the sample."""
    shape, slopes = call.shape(source), np.shape(slope)
    if not np.all(np.isfinite(slope)):
        raise Refusal("its slope is not finite")
    axes = zip(reversed(slopes), reversed(shape), strict=False)
    if len(slopes) > len(shape) or any(n not in (1, size) for n, size in axes):
        raise Refusal(f"its slopes of shape {slopes} do not fit samples of shape {shape}")
    return add_leaky_relu(call.builder, call.name, source, slope, high, call.origin)


def thresholded_relu(call: LayerCall, source: str, threshold: float, otherwise: float = 0.0) -> str:
    """``x if x > threshold else otherwise``: a rectifier where both are equal, else it jumps."""
    if threshold != otherwise:
        raise jumping(threshold)
    return clipped(call, source, threshold, None)


def jumping(threshold: float) -> Refusal:
    """The refusal of a function that leaps to its value at the threshold."""
    return Refusal(f"jumps at its threshold of {threshold}, which no rectifier does")


def absolute(call: LayerCall, source: str) -> str:
    """``|x|``."""
    return add_absolute(call.builder, call.name, source, call.origin)


def floor(call: LayerCall, source: str) -> str:
    """Between bounds a quantised rectifier (QCFS), which is read as one; else refused at conversion."""
    return call.builder.add(Floor(name=call.name, inputs=(source,), origin=call.origin))


# -- smooth functions -----------------------------------------------------------------------------------------------


def smooth(function: str) -> Function:
    """What adds this smooth function."""

    def add(call: LayerCall, source: str) -> str:
        return call.builder.add(Elementwise(name=call.name, inputs=(source,), function=function, origin=call.origin))

    add.__doc__ = f"{function}(x), for each value."
    return add


def elu(call: LayerCall, source: str, alpha: float = 1.0) -> str:
    """``x`` above zero, ``alpha * (exp(x) - 1)`` below: ``alpha * elu(x) + (1 - alpha) * relu(x)``."""
    plain = smooth("elu")(call, source)
    if alpha == 1:
        return plain
    parts = (plain, relu(call.named(f"{call.name}_relu"), source))
    return call.builder.add(
        Add(name=f"{call.name}_scaled", inputs=parts, coefficients=(alpha, 1 - alpha), origin=call.origin)
    )


def scaled_elu(call: LayerCall, source: str, alpha: float, scale: float) -> str:
    """``scale * elu(x)``: SELU with its own alpha and scale, or ELU with the scale 1."""
    if np.allclose((alpha, scale), SELU, rtol=1e-6, atol=0):
        return smooth("selu")(call, source)
    if scale != 1:
        raise Refusal(f"alpha {alpha} and scale {scale}; beside the scale 1 only those of SELU, {SELU}, are known")
    return elu(call, source, alpha)


def celu(call: LayerCall, source: str, alpha: float) -> str:
    """``x`` above zero, ``alpha * (exp(x / alpha) - 1)`` below, with alpha 1."""
    if alpha != 1:
        raise Refusal(f"alpha = {alpha}; only 1 is known")
    return elu(call, source)


def softmax(call: LayerCall, source: str, axis: int = -1, *, log: bool = False) -> str:
    """Softmax along an axis of the sample, or its logarithm."""
    _check_offset(call, source, axis)
    return call.builder.add(Softmax(name=call.name, inputs=(source,), axis=axis, log=log, origin=call.origin))


def _check_offset(call: LayerCall, source: str, axis: int) -> None:
    """Refuse a row to all of whose values such constants are added that float32 keeps nothing of the values."""
    node, shape = call.builder.node(source), call.shape(source)
    if not isinstance(node, Scale | Add) or node.bias is None:
        return
    heard = np.broadcast_to(node.gain != 0 if isinstance(node, Scale) else True, shape)
    added = np.broadcast_to(node.bias, shape)
    if np.any((added.max(axis) < -SWAMPS) & heard.any(axis)):
        raise Refusal(
            f"{added.max(axis).min():g} and less is added to all values of a row: float32 rounds the values away, so "
            "that what the model gives is no softmax of them",
            hint="let its mask leave each row a value, or mask by minus infinity and leave such rows out of the model",
        )


# -- the table ------------------------------------------------------------------------------------------------------

_SMOOTH = ("sigmoid", "tanh", "erf", "silu", "mish", "selu", "softplus", "hard_swish", "gelu", "gelu_tanh", "exp")

FUNCTIONS: Mapping[str, Function] = {
    "relu": relu,
    "relu6": relu6,
    "hard_tanh": hard_tanh,
    "hard_sigmoid": hard_sigmoid,
    "abs": absolute,
    "floor": floor,
    "elu": elu,
    **{name: smooth(name) for name in _SMOOTH},
}
"""The functions that need no setting, by name."""


def of_source(name: str) -> Callable[[LayerCall], str]:
    """A handler that puts this function behind the only node that its layer reads."""
    function = FUNCTIONS[name]

    def handler(call: LayerCall) -> str:
        return function(call, call.source())

    handler.__doc__ = function.__doc__
    return handler
