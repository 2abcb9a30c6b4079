"""One operation of an exported program as its handler sees it: arguments by name, and the builder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.node import Array, Origin, Shape

MOST_VALUES = 1 << 27  # of one tensor, per sample: far above any real network, far below any machine's memory
EVALUATE = "call model.eval() before torch.export"


class Refused(Exception):  # noqa: N818 - never leaves the frontend
    """The reason why an operation is refused, and what to do; caught where the program is walked."""

    def __init__(self, reason: str, *, hint: str | None = None) -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True)
class Activation:
    """A value that depends on the input: the name of a graph node."""

    name: str


@dataclass(frozen=True)
class Call:
    """`args` holds Activations, tensors (constants) and plain values; `out` the torch values of the result.

    Axes given to a handler are those of the sample: the batch axis is taken off by `axis` and refused as a target.
    """

    builder: GraphBuilder
    op: str
    name: str
    origin: Origin
    args: dict[str, Any]
    out: Any
    batch: Any
    target: Any

    # -- arguments ----------------------------------------------------------------------------------------------

    def get(self, name: str, default: Any = None) -> Any:
        """An argument, `default` where the operation has none of that name or it is None."""
        value = self.args.get(name)
        return default if value is None else value

    def source(self, name: str = "self") -> str:
        """The graph node of an argument that must depend on the input."""
        value = self.args.get(name, self.args.get("input") if name == "self" else None)
        if not isinstance(value, Activation):
            raise Refused(f"'{name}' of {self.op} is a constant")
        return value.name

    def constant(self, name: str) -> Array | None:
        """A constant argument as an array, None where it is None; refused where it depends on the input."""
        value = self.args.get(name)
        if value is None:
            return None
        if not isinstance(value, torch.Tensor):
            raise Refused(f"'{name}' of {self.op} depends on the input")
        return as_array(value)

    def number(self, name: str, default: float | None = None) -> float | None:
        """A plain number; refused where it is computed."""
        value = self.args.get(name)
        if value is None:
            return default
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = value.item()
        if isinstance(value, (bool, int, float)):
            return float(value)
        raise Refused(f"'{name}' of {self.op} is computed from the input or the batch size")

    def ints(self, name: str, rank: int, default: int | None = None) -> tuple[int, ...]:
        """One integer per axis; one alone is repeated, and an empty list means `default`."""
        value = self.args.get(name)
        if value is None or (isinstance(value, Sequence) and not value):
            if default is None:
                raise Refused(f"'{name}' of {self.op} is missing")
            value = default
        value = tuple(value) if isinstance(value, Sequence) else (value,)
        if any(not isinstance(v, int) for v in value):
            raise Refused(f"'{name}' of {self.op} depends on the batch size")
        return value * rank if len(value) == 1 else value

    # -- shapes and axes ----------------------------------------------------------------------------------------

    def shape(self, source: str) -> Shape:
        """The sample shape of a node."""
        return self.builder.shape(source)

    def axis(self, dim: int, source: str, extra: int = 0) -> int:
        """The sample axis that torch calls `dim`; the batch axis is refused."""
        rank = len(self.shape(source)) + 1 + extra
        dim = dim + rank if dim < 0 else dim
        if dim == 0:
            raise Refused(f"{self.op} works along the batch axis and would mix samples")
        return dim - 1

    def axes(self, name: str, source: str) -> tuple[int, ...]:
        """Several sample axes, sorted; none given means all, the batch too, and is refused."""
        dims = self.args.get(name)
        dims = [dims] if isinstance(dims, int) else dims
        if not dims:
            raise Refused(f"{self.op} over all axes mixes samples")
        return tuple(sorted({self.axis(d, source) for d in dims}))

    def sample_shape(self, value: Any = None) -> Shape:
        """The shape of a result without batch; refused where its first axis is not the batch."""
        value = self.out if value is None else value
        if not isinstance(value, torch.Tensor):
            raise Refused(f"{self.op} gives no tensor")
        if value.ndim == 0 or str(value.shape[0]) != str(self.batch):
            raise Refused(f"{self.op} touches the batch axis (its result has shape {_text(value.shape)})")
        if any(not isinstance(d, int) for d in value.shape[1:]):
            raise Refused(f"the shape of its result, {_text(value.shape)}, depends on the batch size")
        self.bound(value.shape[1:])
        return tuple(value.shape[1:])

    def bound(self, shape: Sequence[int]) -> None:
        """Refuse a value that no real network has, before it is made."""
        if math.prod(shape) > MOST_VALUES:
            raise Refused(f"a value of shape {_text(shape)} is too large")

    def per_sample(self, value: Any, rank: int) -> Array:
        """A constant that meets samples of this rank: its batch axis, if it has one, must be of no effect."""
        array = as_array(value) if isinstance(value, torch.Tensor) else np.asarray(plain(value, self.op))
        if array.ndim > rank + 1:
            raise Refused(f"a constant of shape {array.shape} has more axes than the data")
        if array.ndim == rank + 1:
            if len(array) > 1 and np.any(array != array[:1]):
                raise Refused(f"a constant of shape {array.shape} differs between the samples of a batch")
            array = array[0]
        return array

    # -- steps that several handlers share ----------------------------------------------------------------------

    def spread(self, source: str, shape: Shape) -> str:
        """Repeat axes of length one up to `shape` (broadcasting)."""
        mine = self.shape(source)
        if len(mine) != len(shape):
            raise Refused(f"{self.op} broadcasts {mine} to {shape} across the batch axis")
        for axis, (have, want) in enumerate(zip(mine, shape, strict=True)):
            if have != want:
                if have != 1:
                    raise Refused(f"{self.op} does not fit {mine} to {shape}")
                source = self.builder.take(f"{self.name}_spread", source, axis, (0,) * want, self.origin)
        return source

    def reshaped(self, source: str, shape: Shape) -> Activation:
        """The node under another sample shape."""
        return Activation(self.builder.reshape(self.name, source, shape, self.origin))


def as_array(value: torch.Tensor) -> Array:
    """A constant tensor in numpy; half precision becomes float32."""
    value = value.detach().cpu()
    if value.dtype in (torch.bfloat16, torch.float16):
        value = value.float()
    if value.is_complex() or value.is_quantized or value.is_sparse:
        raise Refused("complex, quantised and sparse constants are not taken")
    array: Array = np.asarray(value.numpy())
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)


def plain(value: Any, op: str) -> float:
    """A plain number."""
    if isinstance(value, (bool, int, float)):
        return float(value)
    raise Refused(f"{op} computes with the batch size")


def _text(shape: Any) -> str:
    return f"({', '.join(map(str, shape))})"
