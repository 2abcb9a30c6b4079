"""Pooling layers: average, maximum, global, adaptive."""

from __future__ import annotations

from dataclasses import replace

from snntoolbox.frontends.keras.call import KerasCall
from snntoolbox.frontends.layer_call import Refusal
from snntoolbox.frontends.windows import Window, adaptive_average, adaptive_max, average_pool, max_pool
from snntoolbox.ir.builder import same_padding
from snntoolbox.ir.node import Shape


def average(call: KerasCall) -> str:
    """The mean of each window, padding not counted."""

    def pool(x: str) -> str:
        window = _window(call, call.shape(x)[1:])
        if call.net.backend == "torch" and any(lo != hi for lo, hi in window.padding):
            # There Keras repeats the edge and counts it wherever 'same' padding is uneven; its other backends leave
            # padding out of the mean, and so does torch where the padding is even on all axes.
            x = call.builder.pad(f"{call.name}_edge", x, ((0, 0), *window.padding), mode="edge", origin=call.origin)
            window = replace(window, padding=((0, 0),) * len(window.kernel))
        return average_pool(call, x, window)

    return call.in_channels_first(pool)


def maximum(call: KerasCall) -> str:
    """The maximum of each window; padding never wins."""
    return call.in_channels_first(lambda x: max_pool(call, x, _window(call, call.shape(x)[1:])))


def _window(call: KerasCall, space: Shape) -> Window:
    """The windows of a pooling layer on this space."""
    rank = len(space)
    kernel, ones = call.sizes("pool_size", rank, 2), (1,) * rank
    stride = call.sizes("strides", rank, kernel)
    mode = call.config.get("padding", "valid")
    if mode not in ("valid", "same"):
        raise Refusal(f"padding '{mode}' is not supported")
    padding = same_padding(space, kernel, stride, ones) if mode == "same" else ((0, 0),) * rank
    return Window(kernel, stride, ones, padding)


def adaptive_mean(call: KerasCall) -> str:
    """As many windows along each axis as asked for, of sizes that differ by one where it does not go evenly."""
    source = call.source()
    for axis, count in zip(call.space, _counts(call), strict=True):
        source = adaptive_average(call, source, axis, count)
    return source


def adaptive_maximum(call: KerasCall) -> str:
    """The maximum of such windows, the shorter ones filled up with their last value."""
    counts = _counts(call)
    return call.in_channels_first(lambda x: adaptive_max(call, x, counts))


def _counts(call: KerasCall) -> tuple[int, ...]:
    """The number of windows along each spatial axis."""
    counts, space = call.sizes("output_size", len(call.space)), [call.shape()[axis] for axis in call.space]
    if any(not 0 < count <= size for count, size in zip(counts, space, strict=True)):
        raise Refusal(f"output_size {counts} of an input of shape {call.shape()}")
    return counts


def global_average(call: KerasCall) -> str:
    """The mean over space."""
    keep = bool(call.config.get("keepdims", False))
    return call.in_channels_first(lambda x: call.builder.global_average(call.name, x, keep, call.origin))


def global_maximum(call: KerasCall) -> str:
    """The maximum over space."""
    keep = bool(call.config.get("keepdims", False))
    return call.in_channels_first(lambda x: call.builder.global_max(call.name, x, keep, call.origin))


HANDLERS = {
    **{f"AveragePooling{n}D": average for n in (1, 2, 3)},
    **{f"MaxPooling{n}D": maximum for n in (1, 2, 3)},
    **{f"AdaptiveAveragePooling{n}D": adaptive_mean for n in (1, 2, 3)},
    **{f"AdaptiveMaxPooling{n}D": adaptive_maximum for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": global_average for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": global_maximum for n in (1, 2, 3)},
}
