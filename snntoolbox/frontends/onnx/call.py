"""An ONNX node as its handler gets it: its attributes, and the values of its inputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntoolbox.frontends.layer_call import TREAT_ALONE, Activation, LayerCall, Lost, Operand, Refusal, per_axis, real
from snntoolbox.frontends.quantising import Grid
from snntoolbox.ir.node import Array, Origin

# Two batch sizes at which what depends on the batch alone is worked out: see `Known`.
PROBES = (61, 67)

EVALUATE = "export the model in evaluation mode; training that its code forces on stays on there"
FREE_BATCH = (
    f"export the model with a free first axis, and {TREAT_ALONE}; or give the module of PyTorch itself, which is read "
    "for one sample where it joins windows with the batch"
)


@dataclass(frozen=True)
class Batch:
    """The mark that stands for the batch size, or so many times it, in a list of sizes."""

    times: int = 1


BATCH = Batch()
Size = int | Batch


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


@dataclass(frozen=True, eq=False)
class Joint:
    """A tensor one of whose axes is the batch's and some of the sample's in one: exporters join batch and heads so.

    `name` is the node, which has all axes of a sample apart. `groups` are for each axis of the tensor those axes that
    it is made of, in order: numbers of axes of a sample, and `TOGETHER` for the batch. `joined_by` is the operator
    that made it.
    """

    name: str
    groups: tuple[tuple[int, ...], ...]
    joined_by: Origin

    @property
    def atoms(self) -> list[int]:
        """All axes in order."""
        return [axis for group in self.groups for axis in group]


TOGETHER = -1

Value = Activation | Known | Lost | Joint


@dataclass(frozen=True, eq=False, kw_only=True)
class OnnxCall(LayerCall):
    """A node with the values of its inputs (None where one is left out), and the grids of quantised ones.

    `truths` says which inputs are truth values.
    """

    attributes: dict[str, Any]
    inputs: tuple[Value | None, ...]
    outputs: tuple[str, ...]
    opset: int
    grids: tuple[Grid, ...] = ()
    truths: tuple[bool, ...] = ()

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

    def constant(self, i: int, what: str) -> Array:
        """The value of input i, as float32 where its own type is a shorter float."""
        value = self.value(i)
        if not isinstance(value, Known):
            raise Refusal(f"{what} is not constant" if value else f"has no {what}")
        if not value.fixed:
            raise Refusal(f"{what} depends on the batch size", hint=TREAT_ALONE)
        return _wide(value.first)

    def optional(self, i: int, what: str) -> Array | None:
        """The constant input i, None where it is left out."""
        return None if self.value(i) is None else self.constant(i, what)

    def operand(self, i: int) -> Operand:
        """Input i of an operation of arithmetic; a constant that was expanded to the batch size, for one sample."""
        value = self.value(i)
        if isinstance(value, Activation):
            return value
        if isinstance(value, Known) and not value.fixed:
            missing = len(self.shape(self.sources[0])) + 1 - value.first.ndim
            return one_sample(value, max(self.batch_axis - missing, 0))
        return self.constant(i, f"operand {i + 1}")

    def operands(self) -> list[Operand]:
        """All inputs of an operation of arithmetic."""
        return [self.operand(i) for i in range(len(self.inputs))]

    def setting(self, name: str, i: int) -> list[Any] | None:
        """A list that older opsets keep in an attribute and newer ones in input i; None where it is left out."""
        if name in self.attributes:
            return list(self.attributes[name])
        array = self.optional(i, name)
        return None if array is None else list(np.ravel(array).tolist())

    def sizes(self, name: str, i: int, *, multiples: bool = False) -> list[Size] | None:
        """Like `setting`, for sizes of which some may be the batch's, or `multiples` of it."""
        value = self.value(i)
        if name in self.attributes or value is None or (isinstance(value, Known) and value.fixed):
            return self.setting(name, i)
        if not isinstance(value, Known) or value.first.shape != value.second.shape:
            raise Refusal(f"its {name} is not constant")
        pairs = zip(np.ravel(value.first).tolist(), np.ravel(value.second).tolist(), strict=True)
        return [self._size(a, b, multiples) for a, b in pairs]

    def _size(self, a: int, b: int, multiples: bool) -> Size:
        if a == b:
            return a
        times, rest = divmod(a, PROBES[0])
        if rest or b != times * PROBES[1] or (times > 1 and not multiples):
            raise Refusal("mixes the batch with other axes", hint=FREE_BATCH)
        return BATCH if times == 1 else Batch(times)

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

    def integers(self, name: str, count: int, default: Any, *, least: int = 0) -> tuple[int, ...]:
        """An attribute that has so many integers, or as many times the default."""
        values = tuple(self.attribute(name, (default,) * count))
        if len(values) != count:
            raise Refusal(f"{name} {values} are not the {count} that its input needs")
        return per_axis(name, values, count, least=least)

    def flag(self, name: str, default: int = 0) -> bool:
        """A yes-or-no attribute."""
        return bool(self.attribute(name, default))


Handler = Callable[[OnnxCall], str | Activation | Joint | tuple[str | Activation | None, ...]]
"""Adds a node's operation to the graph: the nodes behind its outputs, None for one that nothing reads.

A node that is named alone has the batch where the operation's input has it.
"""


def one_sample(value: Known, axis: int) -> Array:
    """A constant that is the same for each sample of the batch, which lies along an axis: for a batch of one."""
    arrays = [v for v in (value.first, value.second) if v.ndim > axis and np.all(v == v.take([0], axis))]
    rows = [v.take([0], axis) for v in arrays]
    if tuple(v.shape[axis] for v in arrays) != PROBES or not np.array_equal(rows[0], rows[1]):
        raise Refusal("its constant depends on the batch size", hint=TREAT_ALONE)
    return rows[0]


def _wide(array: Array) -> Array:
    """Float types shorter than four bytes as float32."""
    short_float = real(array).dtype.kind not in "fiub" or array.dtype == np.float16
    return array.astype(np.float32) if short_float else array
