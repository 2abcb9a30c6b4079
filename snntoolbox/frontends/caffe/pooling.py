"""The handler of pooling, with the number of windows that Caffe has."""

from __future__ import annotations

from typing import Any

from snntoolbox.frontends import windows
from snntoolbox.frontends.caffe.call import CaffeCall, per_space
from snntoolbox.frontends.caffe.schema import choice
from snntoolbox.frontends.layer_call import Refusal, per_axis
from snntoolbox.frontends.windows import Window
from snntoolbox.ir.node import Shape


def pooling(call: CaffeCall) -> str:
    """The maximum or mean of each window, or of all of space; by default as many as reach over the end.

    A mean is taken over all positions of its window up to the end of the padding.
    """
    told = call.settings("pooling")
    if len(call.layer.tops) > 1:
        raise Refusal("the positions of its maxima are used")
    method = choice(told, "pool")
    if method == "STOCHASTIC":
        raise Refusal("stochastic pooling weighs values by themselves", hint="pool by MAX or AVE, and train again")
    source, shape = call.source(), call.shape()
    if len(shape) != 3:
        raise Refusal(f"pools images, and its samples have the shape {shape}")
    if told.global_pooling:
        over = call.builder.global_max if method == "MAX" else call.builder.global_average
        return over(call.name, source, keepdims=True, origin=call.origin)
    window, ceil = _window(told), choice(told, "round_mode") == "CEIL"
    _check_ends(shape[1:], window, ceil)
    if method == "MAX":
        return windows.max_pool(call, source, window, ceil=ceil)
    return windows.average_pool(call, source, window, count_padding=True, ceil=ceil)


def _window(told: Any) -> Window:
    """The windows over both axes of an image."""
    sizes = per_space(told, "kernel", "kernel_size", 2, None)
    kernel = per_axis("kernel_size", sizes, 2, least=1)
    stride = per_axis("stride", per_space(told, "stride", "stride", 2, 1), 2, least=1)
    pad = per_axis("pad", per_space(told, "pad", "pad", 2, 0), 2)
    if any(p >= k for p, k in zip(pad, kernel, strict=True)):
        raise Refusal(f"pads {pad} for kernels of {kernel}: a window must reach the data")
    return Window(kernel, stride, (1, 1), tuple((p, p) for p in pad))


def _check_ends(space: Shape, window: Window, ceil: bool) -> None:
    """Refuse what Caffe computes nonsense for: without padding its last window may begin behind the data."""
    if not ceil or any(map(any, window.padding)):
        return
    for size, kernel, stride in zip(space, window.kernel, window.stride, strict=True):
        if -(-(size - kernel) // stride) * stride >= size:
            raise Refusal(f"its last window begins behind the {size} values of an axis")
