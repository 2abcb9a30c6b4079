"""Pooling layers: average, maximum, global, adaptive."""

from __future__ import annotations

import numpy as np

from snntoolbox.frontends.keras.step import Refused, Step
from snntoolbox.ir.builder import same_padding
from snntoolbox.ir.node import Shape
from snntoolbox.ir.nodes import AveragePool, MaxPool
from snntoolbox.ir.nodes.windows import Padding


def average(s: Step) -> str:
    """The mean of each window, padding not counted."""

    def pool(x: str) -> str:
        kernel, stride, padding = _window(s, s.builder.shape(x)[1:])
        if s.net.backend == "torch" and any(lo != hi for lo, hi in padding):
            # There Keras repeats the edge and counts it wherever 'same' padding is uneven; its other backends leave
            # padding out of the mean, and so does torch where the padding is even on all axes.
            x = s.builder.pad(f"{s.name}_edge", x, ((0, 0), *padding), mode="edge", origin=s.origin)
            padding = ((0, 0),) * len(kernel)
        return s.builder.add(
            AveragePool(name=s.name, inputs=(x,), kernel=kernel, stride=stride, padding=padding, origin=s.origin)
        )

    return s.in_channels_first(pool)


def maximum(s: Step) -> str:
    """The maximum of each window; padding never wins."""

    def pool(x: str) -> str:
        kernel, stride, padding = _window(s, s.builder.shape(x)[1:])
        ones = (1,) * len(kernel)
        return s.builder.add(
            MaxPool(
                name=s.name,
                inputs=(x,),
                kernel=kernel,
                stride=stride,
                padding=padding,
                dilation=ones,
                origin=s.origin,
            )
        )

    return s.in_channels_first(pool)


def _window(s: Step, space: Shape) -> tuple[Shape, Shape, Padding]:
    """Kernel, stride and padding of a pooling layer on this space."""
    rank = len(space)
    kernel = s.sizes("pool_size", rank, 2)
    stride = s.sizes("strides", rank, kernel)
    mode = s.config.get("padding", "valid")
    if mode not in ("valid", "same"):
        raise Refused(f"padding '{mode}'")
    same = mode == "same"
    return kernel, stride, same_padding(space, kernel, stride, (1,) * rank) if same else ((0, 0),) * rank


def adaptive_average(s: Step) -> str:
    """As many windows along each axis as asked for, of sizes that differ by one where it does not go evenly."""
    x = s.source
    for axis, windows in zip(s.space, _windows(s), strict=True):
        size = s.shape[axis]
        matrix = np.zeros((len(windows), size))
        for row, window in zip(matrix, windows, strict=True):
            row[window] = 1 / len(row[window])
        if len(windows) != size:
            x = s.builder.dense(s.name, x, matrix, None, axis=axis, origin=s.origin)
    return x


def adaptive_maximum(s: Step) -> str:
    """The maximum of such windows, the shorter ones filled up with their last value."""
    every = _windows(s)
    widths = tuple(max(w.stop - w.start for w in windows) for windows in every)

    def pool(x: str) -> str:
        for axis, (windows, width) in enumerate(zip(every, widths, strict=True), 1):
            picked = [min(w.start + i, w.stop - 1) for w in windows for i in range(width)]
            x = s.builder.take(f"{s.name}_windows", x, axis, picked, s.origin)
        ones, none = (1,) * len(widths), ((0, 0),) * len(widths)
        shape = {"kernel": widths, "stride": widths, "dilation": ones}
        return s.builder.add(MaxPool(name=s.name, inputs=(x,), padding=none, origin=s.origin, **shape))

    return s.in_channels_first(pool)


def _windows(s: Step) -> list[list[slice]]:
    """The windows along each spatial axis: the i-th of m goes from floor(i n / m) to ceil((i + 1) n / m)."""
    counts = s.sizes("output_size", len(s.space))
    if any(not 0 < m <= s.shape[axis] for axis, m in zip(s.space, counts, strict=True)):
        raise Refused(f"output_size {counts} of an input of shape {s.shape}")
    sizes = [(s.shape[axis], m) for axis, m in zip(s.space, counts, strict=True)]
    return [[slice(i * n // m, -(-(i + 1) * n // m)) for i in range(m)] for n, m in sizes]


def global_average(s: Step) -> str:
    """The mean over space."""
    keep = bool(s.config.get("keepdims", False))
    return s.in_channels_first(lambda x: s.builder.global_average(s.name, x, keep, s.origin))


def global_maximum(s: Step) -> str:
    """The maximum over space."""
    keep = bool(s.config.get("keepdims", False))
    return s.in_channels_first(lambda x: s.builder.global_max(s.name, x, keep, s.origin))


HANDLERS = {
    **{f"AveragePooling{n}D": average for n in (1, 2, 3)},
    **{f"MaxPooling{n}D": maximum for n in (1, 2, 3)},
    **{f"AdaptiveAveragePooling{n}D": adaptive_average for n in (1, 2, 3)},
    **{f"AdaptiveMaxPooling{n}D": adaptive_maximum for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": global_average for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": global_maximum for n in (1, 2, 3)},
}
