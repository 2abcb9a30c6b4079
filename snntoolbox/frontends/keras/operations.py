"""Operations of ``keras.ops`` in a functional model: arithmetic with branches and constants, and a few more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snntoolbox.frontends.keras.activations import clip, elu, hard_sigmoid, leaky, relu, smooth, softmax
from snntoolbox.frontends.keras.merging import concatenate, extreme, product, weighted_sum
from snntoolbox.frontends.keras.records import Ref
from snntoolbox.frontends.keras.shaping import resolved
from snntoolbox.frontends.keras.step import Refused, Step, constant
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Mean
from snntoolbox.ir.rectifying import add_absolute, add_maximum, add_minimum


def _operands(s: Step) -> tuple[Any, Any]:
    if len(s.args) != 2 or s.kwargs:
        raise Refused("called in a way that is not supported")
    return s.args


def _value(s: Step, operand: Any) -> Array:
    """A constant operand, without the batch axis of length one that it may have."""
    value = constant(operand)
    if value.ndim > len(s.shape):
        value = value.reshape(value.shape[1:]) if value.shape[0] == 1 else value
    if value.ndim > len(s.shape):
        raise Refused(f"a constant of shape {value.shape}")
    return value


def add(s: Step) -> str:
    """``x + y`` with a branch or a constant."""
    a, b = _operands(s)
    if isinstance(a, Ref) and isinstance(b, Ref):
        return weighted_sum(s, (a.key, b.key))
    return s.builder.affine(s.name, s.source, None, _value(s, b if isinstance(a, Ref) else a), s.origin)


def subtract(s: Step) -> str:
    """``x - y`` with a branch or a constant."""
    a, b = _operands(s)
    if isinstance(a, Ref) and isinstance(b, Ref):
        return weighted_sum(s, (a.key, b.key), (1.0, -1.0))
    if isinstance(a, Ref):
        return s.builder.affine(s.name, s.source, None, -_value(s, b), s.origin)
    return s.builder.affine(s.name, s.source, constant(-1), _value(s, a), s.origin)


def multiply(s: Step) -> str:
    """``x * c``, and ``x * f(x)`` where that is a known function."""
    a, b = _operands(s)
    if isinstance(a, Ref) and isinstance(b, Ref):
        return product(s, (a.key, b.key))
    return s.builder.affine(s.name, s.source, _value(s, b if isinstance(a, Ref) else a), None, s.origin)


def divide(s: Step) -> str:
    """``x / c``."""
    _, b = _operands(s)
    if isinstance(b, Ref):
        raise Refused("a division by a branch")
    value = _value(s, b)
    if not value.all():
        raise Refused("a division by zero")
    return s.builder.affine(s.name, s.source, 1 / value, None, s.origin)


def maximum(s: Step) -> str:
    """``max(x, y)`` with a branch or a constant: ``c + relu(x - c)``."""
    a, b = _operands(s)
    if isinstance(a, Ref) and isinstance(b, Ref):
        return extreme(s, (a.key, b.key), add_maximum)
    return _bounded(s, _value(s, b if isinstance(a, Ref) else a), 1.0)


def minimum(s: Step) -> str:
    """``min(x, y)`` with a branch or a constant: ``c - relu(c - x)``."""
    a, b = _operands(s)
    if isinstance(a, Ref) and isinstance(b, Ref):
        return extreme(s, (a.key, b.key), add_minimum)
    return _bounded(s, _value(s, b if isinstance(a, Ref) else a), -1.0)


def _bounded(s: Step, bound: Array, sign: float) -> str:
    """``bound + sign * relu(sign * (x - bound))``."""
    if sign > 0 and not bound.any():
        return relu(s, s.source, s.name)
    beyond = s.builder.affine(f"{s.name}_beyond", s.source, constant(sign), -sign * bound, s.origin)
    excess = relu(s, beyond, s.name)
    return s.builder.affine(f"{s.name}_bounded", excess, constant(sign), bound, s.origin)


def clip_between(s: Step) -> str:
    """``min(max(x, low), high)`` with numbers as bounds."""
    low, high = s.config["x_min"], s.config["x_max"]
    bounds = [None if b is None else constant(b) for b in (low, high)]
    if any(b is not None and b.ndim for b in bounds):
        raise Refused("clips at bounds that differ between values")
    return clip(s, s.source, s.name, *(None if b is None else float(b) for b in bounds))


def item(s: Step) -> str:
    """``x[:, 1:, ::2, 0]``: slices and single indices along the axes of the sample."""
    key = s.args[1] if len(s.args) > 1 else s.kwargs.get("key")
    picks = key if isinstance(key, tuple | list) else (key,)
    whole = picks[:1] == (slice(None),) or picks[:1] == [slice(None)]
    if not whole or len(picks) > len(s.shape) + 1 or not all(isinstance(p, slice | int) for p in picks):
        raise Refused("picks values in a way that is not supported")
    x, kept = s.source, list(s.shape)
    for axis, pick in enumerate(picks[1:]):
        span = range(s.shape[axis])[pick if isinstance(pick, slice) else slice(pick, pick + 1 or None)]
        x = s.builder.take(s.name, x, axis, span, s.origin)
        kept[axis] = len(span) if isinstance(pick, slice) else 0
    return s.builder.reshape(f"{s.name}_picked", x, [n for n in kept if n], s.origin)


def squeeze(s: Step) -> str:
    """Axes of length one left out."""
    axes = s.config.get("axis")
    axes = [axes] if isinstance(axes, int) else axes
    out = {s.axis(a) for a in axes} if axes else {i for i, n in enumerate(s.shape) if n == 1}
    return s.builder.reshape(s.name, s.source, [n for i, n in enumerate(s.shape) if i not in out], s.origin)


def expand_dims(s: Step) -> str:
    """An axis of length one put in."""
    axis = s.axis(s.config["axis"], len(s.shape) + 1)
    return s.builder.reshape(s.name, s.source, (*s.shape[:axis], 1, *s.shape[axis:]), s.origin)


def reshape(s: Step) -> str:
    """The first size is the batch."""
    return s.builder.reshape(s.name, s.source, resolved(s.shape, s.config["newshape"][1:]), s.origin)


def transpose(s: Step) -> str:
    """Axes counted with the batch, which must stay in its place."""
    axes = s.config.get("axes")
    if not axes or axes[0] != 0:
        raise Refused(f"moves the batch axis (axes {axes})")
    return s.builder.permute(s.name, s.source, [s.axis(a) for a in axes[1:]], s.origin)


def mean(s: Step) -> str:
    """The mean over some axes, the batch not among them."""
    axes = s.config.get("axis")
    axes = [axes] if isinstance(axes, int) else axes
    if not axes:
        raise Refused("a mean over the batch")
    keep = bool(s.config.get("keepdims", False))
    over = tuple(s.axis(a) for a in axes)
    return s.builder.add(Mean(name=s.name, inputs=(s.source,), axes=over, keepdims=keep, origin=s.origin))


def absolute(s: Step) -> str:
    """``relu(x) + relu(-x)``."""
    return add_absolute(s.builder, s.name, s.source, s.origin)


def _smooth(function: str) -> Callable[[Step], str]:
    return lambda s: smooth(s, s.source, s.name, function)


_TABLE: dict[str, Callable[[Step], str]] = {
    "Add": add,
    "Subtract": subtract,
    "Multiply": multiply,
    "Divide": divide,
    "TrueDivide": divide,
    "Negative": lambda s: s.builder.affine(s.name, s.source, constant(-1), None, s.origin),
    "Maximum": maximum,
    "Minimum": minimum,
    "Absolute": absolute,
    "Abs": absolute,
    "Clip": clip_between,
    "GetItem": item,
    "Squeeze": squeeze,
    "ExpandDims": expand_dims,
    "Concatenate": concatenate,
    "Reshape": reshape,
    "Transpose": transpose,
    "Mean": mean,
    "Relu": lambda s: relu(s, s.source, s.name),
    "Relu6": lambda s: relu(s, s.source, s.name, 6.0),
    "LeakyRelu": lambda s: leaky(s, s.source, s.name, float(s.config.get("negative_slope", 0.2))),
    "HardSigmoid": lambda s: hard_sigmoid(s, s.source, s.name, 1 / 6),
    "HardTanh": lambda s: clip(s, s.source, s.name, -1.0, 1.0),
    "HardSilu": lambda s: smooth(s, s.source, s.name, "hard_swish"),
    "Elu": lambda s: elu(s, s.source, s.name, float(s.config.get("alpha", 1.0))),
    "Gelu": lambda s: smooth(s, s.source, s.name, "gelu_tanh" if s.config.get("approximate", True) else "gelu"),
    **{name.capitalize(): _smooth(name) for name in ("sigmoid", "tanh", "silu", "selu", "softplus")},
    "Softmax": lambda s: softmax(s, s.source, s.name, s.axis(s.config["axis"])),
    "LogSoftmax": lambda s: softmax(s, s.source, s.name, s.axis(s.config["axis"]), log=True),
}

HANDLERS = {f"keras.ops.{name}": handler for name, handler in _TABLE.items()}
