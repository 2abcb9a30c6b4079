"""Sliding windows over the spatial axes: their number, their values and the indices they cover."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.ir.node import Array, Shape

Padding = tuple[tuple[int, int], ...]


def geometry_fault(
    space: Shape, kernel: Shape, stride: tuple[int, ...], padding: Padding, dilation: tuple[int, ...]
) -> str | None:
    """What is wrong with windows of this geometry over axes of these sizes; None where they fit."""
    lengths = {len(space), len(kernel), len(stride), len(padding), len(dilation)}
    if len(lengths) != 1 or any(len(pair) != 2 for pair in padding):
        return f"kernel {kernel}, stride {stride}, padding {padding} and dilation {dilation} do not match {space}"
    if not kernel or min(*kernel, *stride, *dilation) < 1 or min(map(min, padding)) < 0:
        return "kernel, stride and dilation must be at least 1, padding at least 0"
    if min(window_output(space, kernel, stride, padding, dilation)) < 1:
        return f"window {kernel} does not fit the axes {space}"
    return None


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
    view: Array = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=axes)  # type: ignore[call-overload]
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
