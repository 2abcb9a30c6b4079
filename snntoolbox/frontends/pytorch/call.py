"""One operation of an exported program as its handler gets it: arguments by name, and torch's own result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from snntoolbox.frontends.layer_call import (
    TREAT_ALONE,
    Activation,
    LayerCall,
    Operand,
    Refusal,
    check_size,
    per_axis,
    real,
)
from snntoolbox.ir.node import Array, Shape

EVALUATE = (
    "call model.eval() before torch.export; where forward() itself turns training on, as F.dropout(x, training=True) "
    "does, write training=self.training"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class TorchCall(LayerCall):
    """`args` holds Activations, tensors (constants) and plain values; `out` the torch values of the result.

    `samples` is the size of the batch, a symbol where it is free. Axes given to a handler are those of torch. Of the
    Activations the `truths` are truth values.
    """

    op: str
    args: dict[str, Any]
    out: Any
    samples: Any
    target: Any
    truths: frozenset[str] = frozenset()

    # -- arguments ----------------------------------------------------------------------------------------------

    def get(self, name: str, default: Any = None) -> Any:
        """An argument, `default` where the operation has none of that name or it is None."""
        value = self.args.get(name)
        return default if value is None else value

    def source(self, name: str = "self") -> str:
        """The graph node of an argument that must depend on the input."""
        value = self.args.get(name, self.args.get("input") if name == "self" else None)
        if not isinstance(value, Activation):
            raise Refusal(f"'{name}' of {self.op} is a constant")
        return value.name

    def constant(self, name: str) -> Array | None:
        """A constant argument as an array, None where it is None; refused where it depends on the input."""
        value = self.args.get(name)
        if value is None:
            return None
        if not isinstance(value, torch.Tensor):
            raise Refusal(f"'{name}' of {self.op} depends on the input")
        return as_array(value)

    def required(self, name: str) -> Array:
        """A constant argument that must be there."""
        value = self.constant(name)
        if value is None:
            raise Refusal(f"{self.op} without '{name}'")
        return value

    def operand(self, name: str) -> Operand:
        """An argument of arithmetic: an activation, or a constant as an array."""
        value = self.args[name]
        return value if isinstance(value, Activation) else self.array(value)

    def array(self, value: Any) -> Array:
        """A constant, tensor or number, as an array."""
        if isinstance(value, torch.Tensor):
            return as_array(value)
        if isinstance(value, (bool, int, float)):
            return np.asarray(float(value))
        if isinstance(value, complex):
            return real(np.asarray(value))
        raise Refusal(f"{self.op} computes with the batch size", hint=TREAT_ALONE)

    def number(self, name: str, default: float | None = None) -> float | None:
        """A plain number; refused where it is computed."""
        value = self.args.get(name)
        if value is None:
            return default
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = value.item()
        if isinstance(value, (bool, int, float)):
            return float(value)
        raise Refusal(f"'{name}' of {self.op} is computed from the input or the batch size")

    def ints(self, name: str, rank: int, default: int | None = None, *, least: int = 0) -> tuple[int, ...]:
        """One integer per axis; one alone is repeated, and an empty list means `default`."""
        value = self.args.get(name)
        if value is None or (isinstance(value, Sequence) and not value):
            if default is None:
                raise Refusal(f"'{name}' of {self.op} is missing")
            value = default
        if any(isinstance(v, torch.SymInt) for v in (value if isinstance(value, Sequence) else (value,))):
            raise Refusal(f"'{name}' of {self.op} depends on the batch size", hint=TREAT_ALONE)
        return per_axis(name, value, rank, least=least)

    # -- the result ---------------------------------------------------------------------------------------------

    def sample_shape(self, value: Any = None, place: int | None = None) -> Shape:
        """The shape of a result without batch; refused where that does not lie at `place`, by default as before."""
        value = self.out if value is None else value
        if not isinstance(value, torch.Tensor):
            raise Refusal(f"{self.op} gives no tensor")
        place = self.batch_axis if place is None else place
        shown = f"({', '.join(map(str, value.shape))})"
        if value.ndim <= place or str(value.shape[place]) != str(self.samples):
            raise Refusal(f"{self.op} touches the batch axis (its result has shape {shown})", hint=TREAT_ALONE)
        rest = (*value.shape[:place], *value.shape[place + 1 :])
        if any(not isinstance(d, int) for d in rest):
            raise Refusal(f"the shape of its result, {shown}, depends on the batch size", hint=TREAT_ALONE)
        check_size(rest)
        return tuple(rest)

    def expanded(self, constant: Any, shape: Shape) -> Array:
        """A constant argument as large as a sample."""
        return np.broadcast_to(self.per_sample(self.array(constant), len(shape)), shape)

    def reshaped(self, source: str, shape: Shape) -> str:
        """The node under another sample shape."""
        return self.builder.reshape(self.name, source, shape, self.origin)


def as_array(value: torch.Tensor) -> Array:
    """A constant tensor in numpy; half precision becomes float32."""
    value = value.detach().cpu()
    if value.dtype in (torch.bfloat16, torch.float16):
        value = value.float()
    if value.is_quantized or value.layout is not torch.strided:
        raise Refusal("quantised and sparse constants are not supported", hint="give them as dense floats")
    array: Array = real(np.asarray(value.resolve_conj().resolve_neg().numpy()))
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)
