"""What every node of a graph is: a named operation with a shape rule and a numpy meaning."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from snntoolbox.errors import GraphError
from snntoolbox.ir.foreign import shortened, shown

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Origin:
    """Where a node comes from in the user's model; for messages only."""

    framework: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{shortened(shown(self.name))} ({self.framework} {shortened(shown(self.kind))})"


@dataclass(frozen=True, eq=False, kw_only=True)
class Node(ABC):
    """One operation with one output, named like the node; shapes never include the batch."""

    name: str
    inputs: tuple[str, ...] = ()
    origin: Origin | None = None

    @property
    def label(self) -> str:
        """The node as the user knows it: the layer's own name and type where known."""
        return str(self.origin) if self.origin else f"{shortened(shown(self.name))} ({self.kind})"

    @property
    def kind(self) -> str:
        """The type's name, e.g. ``'Conv'``."""
        return type(self).__name__

    @abstractmethod
    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output for inputs of these shapes; GraphError where they do not fit."""

    @abstractmethod
    def apply(self, *values: Array) -> Array:
        """The output for a batch: each value has shape (batch, *shape)."""

    def with_inputs(self, *inputs: str) -> Self:
        """The same operation reading other nodes."""
        return replace(self, inputs=inputs)

    def renamed(self, name: str) -> Self:
        """The same operation under another name."""
        return replace(self, name=name)

    def misfit(self, message: str) -> GraphError:
        """An error about this node."""
        return GraphError(message, layer=self.label)

    def one(self, shapes: tuple[Shape, ...]) -> Shape:
        """The shape of the only input."""
        if len(shapes) != 1:
            raise self.misfit(f"takes one input, got {len(shapes)}")
        return shapes[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearNode(Node):
    """The trait that makes a node part of a projection as it stands: ``y = linear(x...) + bias``.

    `bias` has the rank of the output (without batch) and broadcasts to its shape; None is zero.
    """

    bias: Array | None = None

    @abstractmethod
    def linear(self, *values: Array) -> Array:
        """The output for a batch without the bias; linear in the values together."""

    @abstractmethod
    def synapses(self, *shapes: Shape) -> tuple[sp.csr_array, ...]:
        """One matrix (outputs x inputs, flattened in C order) per input with ``linear(x) = sum(S_i @ x_i)``."""

    def apply(self, *values: Array) -> Array:
        """``linear(values) + bias``."""
        out = self.linear(*values)
        return out if self.bias is None else out + self.bias.astype(out.dtype, copy=False)

    def absorb_output(self, gain: Array) -> Self | None:
        """The node followed by ``gain *`` (bias scaled too), or None where its weights cannot take that."""
        return None

    def absorb_input(self, gain: Array) -> Self | None:
        """The node preceded by ``gain *`` on its only input, or None where its weights cannot take that."""
        return None

    def gain_above(self, gain: Array, *shapes: Shape) -> tuple[Array, ...] | None:
        """Gains g_i with ``linear(g_1 x_1, ...) = gain * linear(x_1, ...)``, or None where there are none."""
        return None

    def gain_below(self, *gains: Array) -> Array | None:
        """The gain g with ``g * linear(x_1, ...) = linear(gains_1 x_1, ...)``, or None where there is none.

        `gains` are full arrays of the inputs' shapes.
        """
        return None

    def with_bias(self, bias: Array | None) -> Self:
        """The same linear map with another bias (all-zero becomes None)."""
        if bias is not None and not np.any(bias):
            bias = None
        return replace(self, bias=bias)

    @property
    def weights(self) -> Array | None:
        """The trained weights of the map, None for one that only moves or sums values."""
        return None


def broadcasts(shape: Shape, target: Shape) -> bool:
    """Whether an array of `shape` broadcasts to `target` by numpy's rules."""
    behind = target[len(target) - len(shape) :]
    return len(shape) <= len(target) and all(a in (1, n) for a, n in zip(shape, behind, strict=True))


def add_biases(first: Array | None, second: Array | None) -> Array | None:
    """The sum of two biases, None being zero."""
    if first is None:
        return second
    return first if second is None else first + second


def uniform_along(gain: Array, axes: tuple[int, ...]) -> bool:
    """Whether `gain` does not vary along these axes."""
    return all(gain.shape[a] == 1 or bool(np.all(gain == gain.take([0], axis=a))) for a in axes)


def collapse(gain: Array, axes: tuple[int, ...]) -> Array:
    """`gain`, uniform along these axes, with each of them reduced to length one."""
    for a in axes:
        gain = gain.take([0], axis=a)
    return gain
