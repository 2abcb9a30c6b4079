"""Convolutions over one or two axes and dense layers as numbers that compiled loops take."""

from __future__ import annotations

import numpy as np

from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Conv, Dense


def geometry(node: Conv | Dense, weight: Array, shape: Shape) -> Array:
    """What `loops.gather` is told of a convolution over one or two axes, or of a dense layer on `shape` (features)."""
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
