"""What linear maps of ours are in NIR: matrices for vectors, convolutions and pools for channels; or cannot be said."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from snntoolbox.ir.node import Array, LinearNode, Shape
from snntoolbox.ir.nodes import AveragePool, Concat, Conv, Delay, Dense, Mean, Pad, Reshape, Scale, Take

MOST_ENTRIES = 2**25
"""Of a matrix: NIR has no sparse ones."""


@dataclass(frozen=True, eq=False)
class Map:
    """A node in NIR: its kind and values; its bias is added by who knows it."""

    kind: str
    values: Mapping[str, Any]


Maps = list[Map]
"""One behind the other."""


def said(node: LinearNode, part: int, shapes: tuple[Shape, ...]) -> Maps | None:
    """What a node makes of its input number `part` (others are summed to it); None where NIR has no words for it."""
    make = SAID.get(type(node))
    maps = make(node, part, shapes) if make is not None else None
    if maps is not None:
        return maps
    shape, out = shapes[part], node.output_shape(*shapes)
    if len(shape) != 1 or len(out) != 1 or shape[0] * out[0] > MOST_ENTRIES:
        return None
    return [matrix(node.synapses(*shapes)[part].toarray())]


def matrix(weight: Array) -> Map:
    """A matrix for vectors."""
    return Map("Linear", {"weight": np.asarray(weight, np.float64)})


def flatten(shape: Shape) -> Map:
    """All values in C order."""
    return Map("Flatten", {"input_type": np.asarray(shape), "start_dim": 0, "end_dim": -1})


def identity(shape: Shape) -> Map:
    """The same values: what a bias can be put on."""
    return matrix(np.eye(shape[0])) if len(shape) == 1 else channels(np.eye(shape[0]), shape)


def channels(weight: Array, shape: Shape) -> Map:
    """A matrix for the channels at each place."""
    rank = len(shape) - 1
    kernel = np.asarray(weight, np.float64).reshape(*weight.shape, *[1] * rank)
    return convolution(kernel, shape, (1,) * rank, ((0, 0),) * rank, (1,) * rank)


def convolution(
    weight: Array, shape: Shape, stride: Shape, padding: tuple[tuple[int, int], ...], dilation: Shape
) -> Map:
    """A convolution of one group over one axis or two; where pads differ, the kernel is made longer by zeros."""
    both = [max(pair) for pair in padding]
    longer = [(p - lo, p - hi) for p, (lo, hi) in zip(both, padding, strict=True)]
    weight = np.pad(weight, ((0, 0), (0, 0), *longer))
    one = len(both) == 1
    return Map(
        f"Conv{len(both)}d",
        {
            "input_shape": shape[1] if one else tuple(shape[1:]),
            "weight": weight,
            "stride": stride[0] if one else tuple(stride),
            "padding": both[0] if one else tuple(both),
            "dilation": dilation[0] if one else tuple(dilation),
            "groups": 1,
        },
    )


# -- node by node ---------------------------------------------------------------------------------------------------


def _dense(node: Dense, part: int, shapes: tuple[Shape, ...]) -> Maps | None:
    (shape,) = shapes
    if len(shape) == 1:
        return [matrix(node.weight)]
    return [channels(node.weight, shape)] if node.axis % len(shape) == 0 and len(shape) in (2, 3) else None


def _conv(node: Conv, part: int, shapes: tuple[Shape, ...]) -> Maps | None:
    uneven = any(lo != hi for lo, hi in node.padding)
    if node.weight.ndim not in (3, 4) or (uneven and any(d != 1 for d in node.dilation)):
        return None
    filters, per_group = node.weight.shape[:2]
    weight = np.zeros((filters, per_group * node.groups, *node.weight.shape[2:]))
    for row, kernel in enumerate(node.weight):
        first = row // (filters // node.groups) * per_group
        weight[row, first : first + per_group] = kernel
    return [convolution(weight, shapes[0], node.stride, node.padding, node.dilation)]


def _scale(node: Scale, part: int, shapes: tuple[Shape, ...]) -> Maps:
    return [Map("Scale", {"scale": np.broadcast_to(node.gain, shapes[0]).astype(np.float64)})]


def _pool(node: AveragePool, part: int, shapes: tuple[Shape, ...]) -> Maps | None:
    even = all(lo == hi for lo, hi in node.padding) and not any(node.overhang or ())
    counts = node.summed or node.count_padding or not any(lo for lo, _ in node.padding)
    if len(node.kernel) != 2 or not even or not counts:
        return None
    return [_pooled(node.summed, node.kernel, node.stride, tuple(lo for lo, _ in node.padding))]


def _pooled(summed: bool, kernel: Shape, stride: Shape, padding: Shape) -> Map:
    values = {"kernel_size": kernel, "stride": stride, "padding": padding}
    return Map("SumPool2d" if summed else "AvgPool2d", {k: np.asarray(v) for k, v in values.items()})


def _mean(node: Mean, part: int, shapes: tuple[Shape, ...]) -> Maps | None:
    (shape,) = shapes
    if len(shape) != 3 or sorted(node.axes) != [1, 2]:
        return None
    pooled = _pooled(node.summed, shape[1:], shape[1:], (0, 0))
    return [pooled] if node.keepdims else [pooled, flatten((shape[0], 1, 1))]


def _reshape(node: Reshape, part: int, shapes: tuple[Shape, ...]) -> Maps | None:
    (shape,) = shapes
    if shape == node.shape:
        return []
    return [flatten(shape)] if len(node.shape) == 1 else None


def _take(node: Take, part: int, shapes: tuple[Shape, ...]) -> Maps | None:
    """Channels by a matrix, places by a convolution with one tap, where they are evenly spaced."""
    (shape,) = shapes
    if len(shape) not in (2, 3):
        return None
    if node.axis == 0:
        return [channels(np.eye(shape[0])[list(node.indices)], shape)]
    first, count, size = node.indices[0], len(node.indices), shape[node.axis]
    step = node.indices[1] - first if count > 1 else size
    if step < 1 or list(node.indices) != list(range(first, first + step * count, step)):
        return None
    if (size - 1) // step + 1 == count:
        return [_centred(shape, node.axis - 1, first, step)]
    rank, axis = len(shape) - 1, node.axis - 1
    # The kernel ends so that there are as many windows as indices.
    taps = np.zeros(size - step * (count - 1) if count > 1 else size)
    taps[first] = 1.0
    along = taps.reshape(*[len(taps) if a == axis else 1 for a in range(rank)])
    stride = tuple(step if a == axis else 1 for a in range(rank))
    kernel = _channelwise(shape[0], along)
    return [convolution(kernel, shape, stride, ((0, 0),) * rank, (1,) * rank)]


def _centred(shape: Shape, axis: int, first: int, step: int) -> Map:
    """Every `step`th place of one axis from the `first` on by a kernel as long on all: nir takes kernels for square."""
    rank = len(shape) - 1
    taps = np.zeros((2 * first + 1,) * rank)
    taps[tuple(2 * first if a == axis else first for a in range(rank))] = 1.0
    stride = tuple(step if a == axis else 1 for a in range(rank))
    return convolution(_channelwise(shape[0], taps), shape, stride, ((first, first),) * rank, (1,) * rank)


def _channelwise(count: int, taps: Array) -> Array:
    """A kernel that computes each channel from itself alone."""
    return np.eye(count).reshape(count, count, *[1] * taps.ndim) * taps


def _pad(node: Pad, part: int, shapes: tuple[Shape, ...]) -> Maps | None:
    (shape,) = shapes
    if len(shape) not in (2, 3) or any(node.pads[0]):
        return None
    rank = len(shape) - 1
    one = _channelwise(shape[0], np.ones((1,) * rank))
    return [convolution(one, shape, (1,) * rank, node.pads[1:], (1,) * rank)]


def _concat(node: Concat, part: int, shapes: tuple[Shape, ...]) -> Maps | None:
    """Each input in its own place, and zeros elsewhere: their sum is all of them."""
    shape = shapes[part]
    if len(shape) not in (1, 2, 3):
        return None
    before = sum(s[node.axis] for s in shapes[:part])
    behind = sum(s[node.axis] for s in shapes[part + 1 :])
    if node.axis:
        pads = tuple((before, behind) if a == node.axis else (0, 0) for a in range(len(shape)))
        return _pad(Pad(name=node.name, pads=pads), 0, (shape,))
    placed = np.eye(before + shape[0] + behind)[:, before : before + shape[0]]
    return [matrix(placed) if len(shape) == 1 else channels(placed, shape)]


def _delay(node: Delay, part: int, shapes: tuple[Shape, ...]) -> Maps:
    return [Map("Delay", {"delay": np.full(shapes[0], float(node.steps))})]


SAID: Mapping[type[LinearNode], Callable[[Any, int, tuple[Shape, ...]], Maps | None]] = {
    Dense: _dense,
    Conv: _conv,
    Scale: _scale,
    AveragePool: _pool,
    Mean: _mean,
    Reshape: _reshape,
    Take: _take,
    Pad: _pad,
    Concat: _concat,
    Delay: _delay,
}
"""A line for each type that NIR has words for; others are matrices where they map vectors to vectors."""


def dense_matrix(matrix_of: sp.csr_array) -> Map | None:
    """A whole projection as one matrix; None where that is too large."""
    return matrix(matrix_of.toarray()) if math.prod(matrix_of.shape) <= MOST_ENTRIES else None
