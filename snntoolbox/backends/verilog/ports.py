"""One way for the spikes of a source into a layer, with addresses and memories worked out to numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from snntoolbox.backends.verilog.separable import Rows, Separable
from snntoolbox.backends.verilog.widths import signed_bits, unsigned_bits
from snntoolbox.errors import GraphError
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.paths import Path


@dataclass(frozen=True)
class Field:
    """Where the coordinate of an axis lies in the word of a spike; `bits` is 0 for an axis of length one."""

    low: int
    bits: int
    size: int


def spike_fields(shape: Shape) -> tuple[Field, ...]:
    """The coordinates in the word of a spike, the last axis lowest."""
    fields: list[Field] = []
    low = 0
    for size in reversed(shape):
        bits = (size - 1).bit_length()
        fields.insert(0, Field(low, bits, size))
        low += bits
    return tuple(fields)


def spike_bits(shape: Shape) -> int:
    """Bits of the coordinates of a spike, at least one."""
    return max(1, sum(f.bits for f in spike_fields(shape)))


def coordinates(shape: Shape) -> Array:
    """For each neuron in C order the coordinates as a word of a spike has them."""
    words = np.zeros(shape, np.int64)
    for axis, field in enumerate(spike_fields(shape)):
        index = np.arange(field.size).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        words = words | (index << field.low)
    return words.reshape(-1)


@dataclass(frozen=True, eq=False)
class Layout:
    """The neurons of a layer in the order in which it keeps them: position after position, axis `inner` fastest."""

    shape: Shape
    inner: int

    @property
    def strides(self) -> tuple[int, ...]:
        """How far a step along each axis goes."""
        strides, step = [0] * len(self.shape), 1
        for axis in (self.inner, *(a for a in reversed(range(len(self.shape))) if a != self.inner)):
            strides[axis] = step
            step *= self.shape[axis]
        return tuple(strides)

    @property
    def c_order(self) -> Array:
        """For each neuron in this order its index in C order."""
        index = np.arange(math.prod(self.shape)).reshape(self.shape)
        return np.moveaxis(index, self.inner, -1).reshape(-1)

    def ordered(self, values: Array) -> Array:
        """Values (..., *shape) as (..., neurons) in this order."""
        values = np.asarray(values)
        return values.reshape(*values.shape[: values.ndim - len(self.shape)], -1)[..., self.c_order]


@dataclass(frozen=True, kw_only=True)
class Store:
    """What a port adds to: so many sums of `bits` bits, `lanes` to a word."""

    sums: int
    lanes: int
    bits: int

    @property
    def words(self) -> int:
        """Words of them."""
        return self.sums // self.lanes

    @property
    def address(self) -> int:
        """Bits of the address of a word."""
        return address_bits(self.words)

    @property
    def row(self) -> int:
        """Bits of a word."""
        return self.lanes * self.bits


@dataclass(frozen=True, eq=False, kw_only=True)
class Axis:
    """What an axis of the source contributes to the addresses: a line of the coordinate, or rows of entries."""

    field: Field
    neuron_gain: int = 0
    word_gain: int = 0
    rows: Rows | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class SumPort:
    """A port whose addresses are sums over the axes of the source, see `separable`.

    A spike reaches, for each combination of entries, `loop` words of neurons, `step` neurons apart, each with the
    next word of weights. weights: (words, lanes), whole numbers, one lane where there is no loop. latched: whether
    what it brings is counted, to multiply what other ports bring.
    """

    name: str
    source: str
    shape: Shape
    signed: bool
    axes: tuple[Axis, ...]
    neuron_base: int
    word_base: int
    loop: int
    step: int
    weights: Array
    forward: bool
    looped: bool
    latched: bool = False

    @property
    def weight_bits(self) -> int:
        """Bits of a weight."""
        return signed_bits(int(self.weights.min()), int(self.weights.max()))

    @property
    def constant(self) -> bool:
        """Whether there is a single weight, which needs no memory."""
        return self.weights.size == 1


@dataclass(frozen=True, eq=False, kw_only=True)
class ListPort:
    """A port that keeps a list of synapses for each neuron of the source, neurons in C order.

    starts: (neurons + 1), the synapses of neuron i are those from starts[i] to starts[i + 1]. latched: as `SumPort`.
    """

    name: str
    source: str
    shape: Shape
    signed: bool
    starts: Array
    neurons: Array
    weights: Array
    forward: bool
    latched: bool = False

    @property
    def weight_bits(self) -> int:
        """Bits of a weight."""
        return signed_bits(int(self.weights.min(initial=0)), int(self.weights.max(initial=0)))


Port = SumPort | ListPort


def sum_port(
    name: str, source: str, found: Separable, shape: Shape, layout: Layout, lanes: int, signed: bool
) -> SumPort:
    """The port of a path in a layout, `lanes` neurons to a word."""
    length = found.words.shape[1]
    vector = length // lanes if found.loop is not None else 1
    neuron_base = sum(b * s for b, s in zip(found.base, layout.strides, strict=True))
    word_base = found.word * vector
    axes = []
    for rows, home, field in zip(found.rows, found.home, spike_fields(shape), strict=True):
        stride = 0 if home is None else layout.strides[home]
        numbers = tuple(tuple((p * stride, v * vector) for p, v in row) for row in rows)
        lowest = min((n for row in numbers for n, _ in row), default=0)
        lowest_word = min((v for row in numbers for _, v in row), default=0)
        neuron_base, word_base = neuron_base + lowest, word_base + lowest_word
        axes.append(_axis(field, tuple(tuple((n - lowest, v - lowest_word) for n, v in row) for row in numbers)))
    step = 1 if found.loop is None else layout.strides[found.loop] * found.loop_step
    words = _whole(found.words, name)
    weights = words.reshape(-1, lanes) if found.loop is not None else words
    # Two beats in a row may meet one word of neurons unless each weight word goes over two or more of them.
    forward = vector < 2 or step != 1
    return SumPort(
        name=name, source=source, shape=shape, signed=signed, axes=tuple(axes), neuron_base=neuron_base,
        word_base=word_base, loop=vector, step=step * lanes if found.loop is not None else 1, weights=weights,
        forward=forward, looped=found.loop is not None,
    )  # fmt: skip


def _axis(field: Field, rows: Rows) -> Axis:
    if all(len(row) == 1 for row in rows):
        places = [row[0] for row in rows]
        neuron_gain, word_gain = places[1] if len(places) > 1 else (0, 0)
        if all(entry == (neuron_gain * i, word_gain * i) for i, entry in enumerate(places)):
            return Axis(field=field, neuron_gain=neuron_gain, word_gain=word_gain)
    return Axis(field=field, rows=rows)


def most_lanes(found: Separable, layout: Layout, wanted: int) -> int:
    """The largest power of two up to `wanted` by which the path can deliver to words of so many neurons."""
    lanes = 1
    while lanes * 2 <= wanted and _fits(found, layout, lanes * 2):
        lanes *= 2
    return lanes


def _fits(found: Separable, layout: Layout, lanes: int) -> bool:
    if layout.shape[layout.inner] % lanes:
        return False
    if found.loop is None:
        return True
    if found.loop != layout.inner or found.loop_step != 1 or found.words.shape[1] % lanes:
        return False
    own = [rows for rows, home in zip(found.rows, found.home, strict=True) if home == layout.inner]
    return found.base[layout.inner] % lanes == 0 and all(p % lanes == 0 for r in own for row in r for p, _ in row)


def list_port(
    name: str, source: str, matrix: sp.csr_array, shape: Shape, layout: Layout, lanes: int, signed: bool
) -> ListPort:
    """The port of a sparse matrix (target neurons x source neurons, both in C order)."""
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    by_source = sp.csr_array(matrix[layout.c_order].T)
    by_source.sort_indices()
    return ListPort(
        name=name, source=source, shape=shape, signed=signed, starts=by_source.indptr.astype(np.int64),
        neurons=by_source.indices.astype(np.int64), weights=_whole(by_source.data, name), forward=lanes > 1,
    )  # fmt: skip


def matrix_of(path: Path) -> sp.csr_array:
    """The path as one sparse matrix."""
    matrix = None
    for node, shape in zip(path.nodes, path.shapes, strict=True):
        (own,) = node.synapses(shape)
        matrix = own if matrix is None else own @ matrix
    assert matrix is not None
    return sp.csr_array(matrix * path.factor)


def _whole(values: Array, name: str) -> Array:
    rounded = np.rint(values)
    if np.any(rounded != values):
        raise GraphError("has weights that are no whole numbers", layer=name)
    return rounded.astype(np.int64)


def address_bits(count: int) -> int:
    """Bits of an address of `count` places."""
    return unsigned_bits(count - 1)
