"""One ONNX node on its way into the graph: its attributes, its inputs' values, and the checks that handlers share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntoolbox.frontends.onnx.model import MOST_VALUES
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.node import Array, Origin, Shape

# Two batch sizes at which what depends on the batch alone is worked out: see `Known`.
PROBES = (61, 67)

EVALUATE = "export the model in evaluation mode"
FREE_BATCH = "export the model with a free first axis, and treat every sample alone"


class Batch:
    """The mark that stands for the batch size in a list of sizes."""


BATCH = Batch()
Size = int | Batch


class Refusal(Exception):  # noqa: N818 - not an error: it says no
    """Why a node cannot be taken, and what to do; caught by the lowering, which lists every one."""

    def __init__(self, reason: str, *, hint: str | None = None) -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True)
class Activation:
    """A tensor that depends on the data: a node of the graph under construction."""

    name: str


@dataclass(frozen=True, eq=False)
class Known:
    """A tensor that does not depend on the data: its value at each of the two batch sizes in `PROBES`.

    Entries that differ depend on the batch size (exporters compute the targets of Reshape from it).
    """

    first: Array
    second: Array

    @property
    def fixed(self) -> bool:
        """Whether the value does not depend on the batch size either."""
        return self.first is self.second or np.array_equal(self.first, self.second)


@dataclass(frozen=True)
class Lost:
    """A tensor of which nothing is known: it comes from a refused node."""


Value = Activation | Known | Lost


@dataclass(frozen=True, eq=False)
class Call:
    """A node with the values of its inputs (None where an optional one is left out)."""

    op: str
    name: str
    origin: Origin
    attributes: dict[str, Any]
    inputs: tuple[Value | None, ...]
    outputs: tuple[str, ...]
    opset: int
    batch: int | None
    builder: GraphBuilder

    # -- inputs -------------------------------------------------------------------------------------------------

    def value(self, i: int) -> Value | None:
        """The value of input i, None where it is left out."""
        return self.inputs[i] if i < len(self.inputs) else None

    def source(self, i: int = 0) -> str:
        """The graph node behind input i."""
        value = self.value(i)
        if not isinstance(value, Activation):
            raise Refusal(f"input {i + 1} is a constant, expected an activation")
        return value.name

    def shape(self, i: int = 0) -> Shape:
        """The sample shape of input i."""
        return self.builder.shape(self.source(i))

    def constant(self, i: int, what: str) -> Array:
        """The value of input i, as float32 where its own type is a shorter float."""
        value = self.value(i)
        if not isinstance(value, Known):
            raise Refusal(f"{what} is not constant" if value else f"has no {what}")
        if not value.fixed:
            raise Refusal(f"{what} depends on the batch size")
        return _wide(value.first)

    def optional(self, i: int, what: str) -> Array | None:
        """The constant input i, None where it is left out."""
        return None if self.value(i) is None else self.constant(i, what)

    def setting(self, name: str, i: int) -> list[Any] | None:
        """A list that older opsets keep in an attribute and newer ones in input i; None where it is left out."""
        if name in self.attributes:
            return list(self.attributes[name])
        array = self.optional(i, name)
        return None if array is None else list(np.ravel(array).tolist())

    def sizes(self, name: str, i: int) -> list[Size] | None:
        """Like `setting`, for sizes of which some may be the batch's."""
        value = self.value(i)
        if name in self.attributes or value is None or (isinstance(value, Known) and value.fixed):
            return self.setting(name, i)
        if not isinstance(value, Known) or value.first.shape != value.second.shape:
            raise Refusal(f"its {name} is not constant")
        pairs = zip(np.ravel(value.first).tolist(), np.ravel(value.second).tolist(), strict=True)
        return [self._size(a, b) for a, b in pairs]

    def _size(self, a: int, b: int) -> Size:
        if a == b:
            return a
        if (a, b) != PROBES:
            raise Refusal("mixes the batch with other axes", hint=FREE_BATCH)
        return BATCH

    def is_batch(self, size: Size) -> bool:
        """Whether a size at the first axis means the batch: its mark, the size that the file fixes, or one sample."""
        return size is BATCH or size == self.batch or (self.batch is None and size == 1)

    # -- attributes ---------------------------------------------------------------------------------------------

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute or its default; Refusal where one is text and the other is not."""
        value = self.attributes.get(name, default)
        if default is not None and isinstance(value, str) != isinstance(default, str):
            raise Refusal(f"its attribute {name} is malformed")
        return value

    def number(self, name: str, default: float) -> float:
        """A numerical attribute or its default; Refusal where it is not finite."""
        value = self.attribute(name, default)
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise Refusal(f"its attribute {name} is malformed")
        return float(value)

    def flag(self, name: str, default: int = 0) -> bool:
        """A yes-or-no attribute."""
        return bool(self.attribute(name, default))

    def axis(self, axis: int, rank: int | None = None) -> int:
        """The sample's axis for an axis of the whole tensor, of `rank` axes with the batch (default: the input's)."""
        rank = len(self.shape()) + 1 if rank is None else rank
        if not -rank <= axis < rank:
            raise Refusal(f"has no axis {axis}: the tensor has {rank}")
        if axis % rank == 0:
            raise Refusal("works across the batch axis")
        return axis % rank - 1

    # -- outputs ------------------------------------------------------------------------------------------------

    def bound(self, shape: Sequence[int]) -> None:
        """Refuse an output that no real network has, before it is made."""
        if math.prod(shape) > MOST_VALUES:
            raise Refusal(f"its output of shape {tuple(shape)} is too large")


Handler = Callable[[Call], str | tuple[str | None, ...]]


def _wide(array: Array) -> Array:
    """Float types shorter than four bytes as float32."""
    short_float = array.dtype.kind not in "fiub" or array.dtype == np.float16
    return array.astype(np.float32) if short_float else array
