"""Sliding windows over the spatial axes: their number, their values and the indices they cover."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.ir.node import Array, Shape

Padding = tuple[tuple[int, int], ...]


def window_output(
    space: Shape, kernel: Shape, stride: tuple[int, ...], padding: Padding, dilation: tuple[int, ...]
) -> Shape:
    """Number of windows per axis: floor((size + before + after - dilation * (kernel - 1) - 1) / stride) + 1."""
    axes = zip(space, kernel, stride, padding, dilation, strict=True)
    return tuple((n + lo + hi - d * (k - 1) - 1) // s + 1 for n, k, s, (lo, hi), d in axes)


def extract_windows(
    x: Array, kernel: Shape, stride: tuple[int, ...], padding: Padding, dilation: tuple[int, ...], fill: float = 0.0
) -> Array:
    """A view (batch, channels, *windows, *kernel) of `x` (batch, channels, *space) padded with `fill`."""
    padded = np.pad(x, ((0, 0), (0, 0), *padding), constant_values=fill) if any(map(any, padding)) else x
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    axes = tuple(range(2, x.ndim))
    view = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=axes)
    steps = tuple(slice(None, None, s) for s in stride)
    taps = tuple(slice(None, None, d) for d in dilation)
    return view[(slice(None), slice(None), *steps, *taps)]


def window_indices(
    space: Shape, kernel: Shape, stride: tuple[int, ...], padding: Padding, dilation: tuple[int, ...]
) -> Array:
    """Flat spatial indices (windows, taps) that each window covers; -1 on padding."""
    index = np.arange(math.prod(space)).reshape(1, 1, *space)
    windows = extract_windows(index, kernel, stride, padding, dilation, fill=-1)
    return windows.reshape(-1, math.prod(kernel))
