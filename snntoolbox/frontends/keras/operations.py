"""Operations of ``keras.ops`` in a functional model: arithmetic with branches and constants, and a few more."""

from __future__ import annotations

import math
from collections.abc import Callable

from snntoolbox.frontends import maps, normalising
from snntoolbox.frontends.functions import clipped, elu, extreme, leaky_relu, of_source, softmax
from snntoolbox.frontends.keras.call import KerasCall, constant
from snntoolbox.frontends.keras.comparing import COMPARING
from snntoolbox.frontends.keras.merging import concatenate
from snntoolbox.frontends.keras.shaping import resolved
from snntoolbox.frontends.layer_call import TREAT_ALONE, Activation, Refusal

# -- arithmetic -----------------------------------------------------------------------------------------------------


def add(call: KerasCall) -> str:
    """``x + y`` with a branch or a constant."""
    return maps.weighted_sum(call, call.operands(), (1.0, 1.0))


def subtract(call: KerasCall) -> str:
    """``x - y`` with a branch or a constant."""
    return maps.weighted_sum(call, call.operands(), (1.0, -1.0))


def multiply(call: KerasCall) -> str:
    """``x * c``, and ``x * f(x)`` where that is a known function."""
    return maps.product(call, *call.operands())


def divide(call: KerasCall) -> str:
    """``x / c``."""
    return maps.quotient(call, *call.operands())


def square(call: KerasCall) -> str:
    """``x * x``."""
    return maps.power(call, call.source(), 2)


def power(call: KerasCall) -> str:
    """``x ** n`` for a small whole number n."""
    base, exponent = call.operands()
    if not isinstance(base, Activation) or isinstance(exponent, Activation) or exponent.size != 1:
        raise Refusal("an exponent that depends on the input, or one for each value")
    return maps.power(call, base.name, float(exponent.item()))


def glu(call: KerasCall) -> str:
    """The first half of an axis times the sigmoid of the second."""
    return maps.gated_half(call, call.source(), call.axis(call.config.get("axis", -1)))


def matmul(call: KerasCall) -> str:
    """``x @ W`` with a constant matrix, ``W @ x``, or the product of two branches."""
    return maps.matrix_product(call, *call.operands())


def negative(call: KerasCall) -> str:
    """``-x``."""
    return maps.negative(call, call.source())


def maximum(call: KerasCall) -> str:
    """``max(x, y)`` with a branch or a constant: ``c + relu(x - c)``."""
    return extreme(call, call.operands(), 1.0)


def minimum(call: KerasCall) -> str:
    """``min(x, y)`` with a branch or a constant: ``c - relu(c - x)``."""
    return extreme(call, call.operands(), -1.0)


def clip(call: KerasCall) -> str:
    """``min(max(x, low), high)`` with numbers as bounds."""
    low, high = (None if b is None else constant(b) for b in (call.config["x_min"], call.config["x_max"]))
    if any(b is not None and b.ndim for b in (low, high)):
        raise Refusal("clips at bounds that differ between values")
    return clipped(call, call.source(), *(None if b is None else float(b) for b in (low, high)))


def mean(call: KerasCall) -> str:
    """The mean over some axes, the batch not among them."""
    return _reduced(call, maps.mean)


def total(call: KerasCall) -> str:
    """The sum over some axes, the batch not among them."""
    return _reduced(call, maps.total)


def _reduced(call: KerasCall, reduction: Callable[..., str]) -> str:
    axes = call.axes(call.config.get("axis"))
    return reduction(call, call.source(), axes, keepdims=bool(call.config.get("keepdims", False)))


# -- shapes ---------------------------------------------------------------------------------------------------------


def item(call: KerasCall) -> str:
    """``x[:, 1:, ::2, 0]``: slices and single indices along the axes of the sample."""
    key = call.args[1] if len(call.args) > 1 else call.kwargs.get("key")
    picks, shape = key if isinstance(key, tuple | list) else (key,), call.shape()
    whole = picks[:1] == (slice(None),) or picks[:1] == [slice(None)]
    if not whole or len(picks) > len(shape) + 1 or not all(isinstance(p, slice | int) for p in picks):
        raise Refusal("picks values in a way that is not supported")
    x, kept = call.source(), list(shape)
    for axis, pick in enumerate(picks[1:]):
        span = range(shape[axis])[pick if isinstance(pick, slice) else slice(pick, pick + 1 or None)]
        x = call.builder.take(call.name, x, axis, span, call.origin)
        kept[axis] = len(span) if isinstance(pick, slice) else 0
    return call.builder.reshape(f"{call.name}_picked", x, [n for n in kept if n], call.origin)


def squeeze(call: KerasCall) -> str:
    """Axes of length one left out."""
    axes, shape = call.config.get("axis"), call.shape()
    out = call.axes(axes) if axes is not None else [i for i, n in enumerate(shape) if n == 1]
    return call.builder.reshape(call.name, call.source(), [n for i, n in enumerate(shape) if i not in out], call.origin)


def expand_dims(call: KerasCall) -> str:
    """An axis of length one put in."""
    axis, shape = call.axis(call.config["axis"], added=1), call.shape()
    return call.builder.reshape(call.name, call.source(), (*shape[:axis], 1, *shape[axis:]), call.origin)


def reshape(call: KerasCall) -> str:
    """The first size is the batch."""
    shape = resolved(call.shape(), call.config["newshape"][1:])
    if math.prod(shape) != math.prod(call.shape()):
        told = f"reshapes samples of shape {call.shape()} to {shape}: it joins the batch with other axes"
        raise Refusal(told, hint="keep an axis of windows beside the batch: (batch, windows, steps, features)")
    return call.builder.reshape(call.name, call.source(), shape, call.origin)


def transpose(call: KerasCall) -> str:
    """Axes counted with the batch, which must stay in its place."""
    axes = call.config.get("axes")
    if not axes or axes[0] != 0:
        raise Refusal(f"moves the batch axis (axes {axes})", hint=TREAT_ALONE)
    return call.builder.permute(call.name, call.source(), [call.axis(a) for a in axes[1:]], call.origin)


# -- activation functions -------------------------------------------------------------------------------------------


def leaky(call: KerasCall) -> str:
    """``max(x, 0) + slope * min(x, 0)``."""
    return leaky_relu(call, call.source(), float(call.config.get("negative_slope", 0.2)))


def exponential_linear(call: KerasCall) -> str:
    """``x`` above zero, ``alpha * (exp(x) - 1)`` below."""
    return elu(call, call.source(), float(call.config.get("alpha", 1.0)))


def gelu(call: KerasCall) -> str:
    """GELU, exact or by tanh."""
    return of_source("gelu_tanh" if call.config.get("approximate", True) else "gelu")(call)


def normalised(*, log: bool) -> Callable[[KerasCall], str]:
    """Softmax along an axis of the sample, or its logarithm."""
    return lambda call: softmax(call, call.source(), call.axis(call.config["axis"]), log=log)


_TABLE: dict[str, Callable[[KerasCall], str]] = {
    "Add": add,
    "Subtract": subtract,
    "Multiply": multiply,
    "Divide": divide,
    "TrueDivide": divide,
    "Negative": negative,
    "Sqrt": lambda call: normalising.root(call, call.source()),
    "Rsqrt": lambda call: normalising.root(call, call.source(), inverse=True),
    "Matmul": matmul,
    "Square": square,
    "Power": power,
    **COMPARING,
    "Glu": glu,
    "Maximum": maximum,
    "Minimum": minimum,
    "Absolute": of_source("abs"),
    "Abs": of_source("abs"),
    "Clip": clip,
    "GetItem": item,
    "Squeeze": squeeze,
    "ExpandDims": expand_dims,
    "Concatenate": concatenate,
    "Reshape": reshape,
    "Transpose": transpose,
    "Mean": mean,
    "Sum": total,
    "Relu": of_source("relu"),
    "Relu6": of_source("relu6"),
    "LeakyRelu": leaky,
    "HardSigmoid": of_source("hard_sigmoid"),
    "HardTanh": of_source("hard_tanh"),
    "HardSilu": of_source("hard_swish"),
    "Elu": exponential_linear,
    "Gelu": gelu,
    **{name.capitalize(): of_source(name) for name in ("sigmoid", "tanh", "silu", "selu", "softplus", "exp", "erf")},
    "Softmax": normalised(log=False),
    "LogSoftmax": normalised(log=True),
}

HANDLERS = {f"keras.ops.{name}": handler for name, handler in _TABLE.items()}
