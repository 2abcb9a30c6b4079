"""Layers that move a window over space: pooling and convolution, for all frontends alike.

Nodes are (channels, *space), weights (out, in / groups, *kernel).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snntoolbox.frontends.layer_call import LayerCall, Refusal, check_size
from snntoolbox.ir.builder import ceil_overhang
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import AveragePool, Conv, MaxPool
from snntoolbox.ir.nodes.windows import Padding
from snntoolbox.ir.rectifying import add_conv_transpose


@dataclass(frozen=True)
class Window:
    """Kernel, stride, dilation and (before, after) padding per spatial axis."""

    kernel: Shape
    stride: Shape
    dilation: Shape
    padding: Padding


# -- pooling --------------------------------------------------------------------------------------------------------


def max_pool(call: LayerCall, source: str, window: Window, *, ceil: bool = False) -> str:
    """The maximum of each window; padding never wins, nor does what `ceil` mode adds behind."""
    over = _overhang(call, source, window, ceil)
    return call.builder.add(
        MaxPool(
            name=call.name,
            inputs=(source,),
            kernel=window.kernel,
            stride=window.stride,
            padding=tuple((lo, hi + more) for (lo, hi), more in zip(window.padding, over, strict=True)),
            dilation=window.dilation,
            origin=call.origin,
        )
    )


def average_pool(
    call: LayerCall, source: str, window: Window, *, count_padding: bool = False, ceil: bool = False
) -> str:
    """The mean of each window; padding counts where `count_padding` says so, what `ceil` mode adds behind never."""
    if any(d > 1 for d in window.dilation):
        raise Refusal("average pooling with dilation is not supported")
    over = _overhang(call, source, window, ceil)
    return call.builder.add(
        AveragePool(
            name=call.name,
            inputs=(source,),
            kernel=window.kernel,
            stride=window.stride,
            padding=window.padding,
            count_padding=count_padding,
            overhang=over if any(over) else None,
            origin=call.origin,
        )
    )


def _overhang(call: LayerCall, source: str, window: Window, ceil: bool) -> tuple[int, ...]:
    """Positions that are added behind each axis."""
    if not ceil:
        return (0,) * len(window.kernel)
    space = call.shape(source)[1:]
    return ceil_overhang(space, window.kernel, window.stride, window.padding, window.dilation)


def max_side_by_side(call: LayerCall, source: str, kernel: Shape) -> str:
    """The maximum of windows that neither overlap nor leave gaps."""
    return max_pool(call, source, Window(kernel, kernel, (1,) * len(kernel), ((0, 0),) * len(kernel)))


def max_over(call: LayerCall, source: str, axes: Sequence[int], *, keepdims: bool) -> str:
    """The maximum over axes of the sample: one window over them, brought behind the others and merged."""
    shape = call.shape(source)
    kept = tuple(a for a in range(len(shape)) if a not in axes)
    if kept == (0,) and len(shape) > 1:
        return call.builder.global_max(call.name, source, keepdims, call.origin)
    size = math.prod(shape[a] for a in axes)
    moved = call.builder.permute(f"{call.name}_order", source, (*kept, *axes), call.origin)
    rows = call.builder.reshape(f"{call.name}_rows", moved, (math.prod(shape) // size, size), call.origin)
    left = [1 if a in axes else n for a, n in enumerate(shape) if keepdims or a in kept]
    return call.builder.reshape(f"{call.name}_shape", max_side_by_side(call, rows, (size,)), left, call.origin)


# -- pooling to a number of windows ---------------------------------------------------------------------------------


def adaptive_windows(size: int, count: int) -> list[range]:
    """The positions of each of `count` windows on an axis: from floor(i n / m) to ceil((i + 1) n / m)."""
    if not count > 0:
        raise Refusal(f"pools {size} values to {count} windows")
    return [range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def adaptive_average(call: LayerCall, source: str, axis: int, count: int) -> str:
    """The mean of each of `count` windows along one axis, as a matrix."""
    size = call.shape(source)[axis]
    if count == size:
        return source
    check_size((count, size))
    call.builder.spend(count * size)
    matrix = np.zeros((count, size))
    for row, window in zip(matrix, adaptive_windows(size, count), strict=True):
        row[window] = 1 / len(window)
    return call.builder.dense(call.name, source, matrix, None, axis=axis, origin=call.origin)


def adaptive_max(call: LayerCall, source: str, counts: Sequence[int]) -> str:
    """The maximum of so many windows along each spatial axis, the shorter ones filled up with their last value."""
    kernel = []
    for axis, (size, count) in enumerate(zip(call.shape(source)[1:], counts, strict=True), 1):
        windows = adaptive_windows(size, count)
        kernel.append(max(map(len, windows)))
        picked = [min(w.start + i, w.stop - 1) for w in windows for i in range(kernel[-1])]
        source = call.builder.take(f"{call.name}_windows", source, axis, picked, call.origin)
    return max_side_by_side(call, source, tuple(kernel))


# -- convolution ----------------------------------------------------------------------------------------------------


def convolution(
    call: LayerCall, source: str, weight: Array, bias: Array | None, window: Window, groups: int = 1
) -> str:
    """Cross-correlation over any number of spatial axes."""
    filters = weight.shape[0]
    if groups < 1 or filters % groups:
        raise Refusal(f"{filters} filters in {groups} groups")
    return call.builder.add(
        Conv(
            name=call.name,
            inputs=(source,),
            weight=weight,
            bias=None if bias is None else filter_bias(bias, filters).reshape(-1, *(1,) * len(window.kernel)),
            stride=window.stride,
            padding=window.padding,
            dilation=window.dilation,
            groups=groups,
            origin=call.origin,
        )
    )


def transposed_convolution(
    call: LayerCall,
    source: str,
    weight: Array,
    bias: Array | None,
    window: Window,
    *,
    groups: int = 1,
    output_padding: Shape | None = None,
) -> str:
    """The transposed one, weight (in, out / groups, *kernel); the window's padding is cut off what it gives."""
    channels, *space = call.shape(source)
    if weight.shape[0] != channels or groups < 1 or channels % groups:
        raise Refusal(f"its weight of shape {weight.shape} in {groups} groups does not fit {channels} channels")
    reach = zip(space, window.stride, window.dilation, window.kernel, strict=True)
    filters = weight.shape[1] * groups
    check_size((max(channels, filters), *(n * s + d * k for n, s, d, k in reach)))
    return add_conv_transpose(
        call.builder,
        call.name,
        source,
        weight,
        None if bias is None else filter_bias(bias, filters),
        stride=window.stride,
        padding=window.padding,
        output_padding=(0,) * len(space) if output_padding is None else output_padding,
        dilation=window.dilation,
        groups=groups,
        origin=call.origin,
    )


def check_kernel(call: LayerCall, source: str, weight: Array) -> Shape:
    """The sizes of a kernel; Refusal where it has not the spatial axes of the samples."""
    shape = call.shape(source)
    if weight.ndim < 3 or weight.ndim != len(shape) + 1:
        raise Refusal(f"its weight of shape {weight.shape} does not fit samples of shape {shape}")
    kernel: Shape = weight.shape[2:]
    return kernel


def filter_bias(bias: Array, filters: int) -> Array:
    """The bias as a vector; Refusal where it is not one of so many filters."""
    if bias.size != filters:
        raise Refusal(f"its bias of shape {bias.shape} does not fit {filters} filters")
    return bias.reshape(-1)
