"""Operations of ``keras.ops`` in a functional model: arithmetic with branches and constants, and a few more."""

from __future__ import annotations

from typing import Any

from snntoolbox.frontends.keras.activations import relu, softmax
from snntoolbox.frontends.keras.merging import concatenate, weighted_sum
from snntoolbox.frontends.keras.records import Ref
from snntoolbox.frontends.keras.shaping import resolved
from snntoolbox.frontends.keras.step import Refused, Step, constant
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Mean


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
    """``x * c``."""
    a, b = _operands(s)
    if isinstance(a, Ref) and isinstance(b, Ref):
        raise Refused("a product of two branches")
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
    """``max(x, 0)``."""
    other = [o for o in _operands(s) if not isinstance(o, Ref)]
    if len(other) != 1 or constant(other[0]).any():
        raise Refused("a maximum of other things than a branch and 0")
    return relu(s, s.source, s.name)


def clip(s: Step) -> str:
    """``min(max(x, 0), bound)``."""
    low, high = s.config["x_min"], s.config["x_max"]
    if low != 0:
        raise Refused(f"clips below at {low} (only 0 is supported)")
    return relu(s, s.source, s.name, float(high))


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


_TABLE = {
    "Add": add,
    "Subtract": subtract,
    "Multiply": multiply,
    "Divide": divide,
    "TrueDivide": divide,
    "Negative": lambda s: s.builder.affine(s.name, s.source, constant(-1), None, s.origin),
    "Maximum": maximum,
    "Clip": clip,
    "Concatenate": concatenate,
    "Reshape": reshape,
    "Transpose": transpose,
    "Mean": mean,
    "Relu": lambda s: relu(s, s.source, s.name),
    "Relu6": lambda s: relu(s, s.source, s.name, 6.0),
    "Softmax": lambda s: softmax(s, s.source, s.name, s.axis(s.config["axis"])),
    "LogSoftmax": lambda s: softmax(s, s.source, s.name, s.axis(s.config["axis"]), log=True),
}

HANDLERS = {f"keras.ops.{name}": handler for name, handler in _TABLE.items()}
