"""How byte tensors lie in memory: one row per sample with the channels of a position side by side."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Conv, Dense

_LINE = 64


def rows(x: Tensor) -> Tensor:
    """`x` (samples, channels, *space) as (samples, *space * channels): a view where it already lies so."""
    if x.ndim > 2:
        x = x.movedim(1, -1)
    return x.reshape(x.shape[0], -1)


def shaped(x: Tensor, shape: Shape) -> Tensor:
    """The inverse: a view (samples, *shape) of such rows."""
    if len(shape) > 1:
        return x.view(x.shape[0], *shape[1:], shape[0]).movedim(-1, 1)
    return x.view(x.shape[0], math.prod(shape)) if shape else x.view(x.shape[0])


def geometry(node: Conv | Dense, weight: Array, shape: Shape) -> Array:
    """What `compiled_loops.gather` takes of a convolution over one or two axes or a dense layer of `shape` (n)."""
    channels, *space = shape
    filters, *windows = node.output_shape(shape) if isinstance(node, Conv) else (len(weight),)
    settings: list[tuple[int, ...]] = [_plane(weight.shape[2:], 1), (1, 1), (0, 0), (1, 1)]
    if isinstance(node, Conv):
        before = tuple(lo for lo, _ in node.padding)
        settings[1:] = _plane(node.stride, 1), _plane(before, 0), _plane(node.dilation, 1)
    columns = -(-filters // 16) * 16
    sizes = (*_plane(space, 1), channels, *_plane(windows, 1), filters, columns)
    return np.array([*sizes, *(n for pair in settings for n in pair)], np.int64)


def _plane(sizes: tuple[int, ...] | list[int], fill: int) -> tuple[int, int]:
    """Two axes of up to two."""
    first, second = (fill, fill, *sizes)[-2:]
    return first, second


def planar(weight: Array) -> Array:
    """Weights of up to two axes behind (filters, channels) as (filters, channels, rows, columns)."""
    return weight.reshape(*weight.shape[:2], *_plane(weight.shape[2:], 1))


def aligned(values: Array) -> Array:
    """A flat copy that begins at a line of the cache: a vector that lies across two is read as slowly as two."""
    room = np.empty(values.nbytes + _LINE, np.uint8)
    begin = -room.ctypes.data % _LINE
    found = room[begin : begin + values.nbytes].view(values.dtype)
    found[:] = values.reshape(-1)
    return found
