"""Handlers of pooling: over windows, to a fixed number of windows, and over whole axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from snntoolbox.frontends import maps, windows
from snntoolbox.frontends.layer_call import TREAT_ALONE, Refusal
from snntoolbox.frontends.pytorch.call import TorchCall
from snntoolbox.frontends.pytorch.handlers.activations import maximum as larger
from snntoolbox.frontends.pytorch.handlers.activations import minimum as smaller
from snntoolbox.frontends.windows import Window
from snntoolbox.ir.node import Shape
from snntoolbox.ir.nodes import AveragePool


def _rank(call: TorchCall) -> int:
    """1, 2 or 3, as the operation's name says."""
    return next(n for n in (1, 2, 3) if f"{n}d" in call.op)


def _with_channels(call: TorchCall, rank: int) -> str:
    """The source as (channels, *space); data without a channel axis get one, since pooling keeps channels apart."""
    source, shape = call.source(), call.shape()
    if len(shape) == rank:
        return call.builder.reshape(f"{call.name}_channel", source, (1, *shape), call.origin)
    if len(shape) != rank + 1:
        raise Refusal(f"{call.op} on data of shape {shape}")
    return source


def _without_channels(call: TorchCall, pooled: str, rank: int) -> str:
    """The pooled node, without the channel axis that was added."""
    if len(call.shape()) != rank:
        return pooled
    return call.builder.reshape(f"{call.name}_flat", pooled, call.shape(pooled)[1:], call.origin)


# -- over windows ---------------------------------------------------------------------------------------------------


def _window(call: TorchCall, rank: int) -> Window:
    kernel = call.ints("kernel_size", rank, least=1)
    stride = call.ints("stride", rank, least=1) if call.get("stride") else kernel
    padding = tuple((p, p) for p in call.ints("padding", rank, 0))
    return Window(kernel, stride, call.ints("dilation", rank, 1, least=1), padding)


def max_pool(call: TorchCall) -> str:
    """The maximum of each window; what ceil mode adds is padding, which never wins."""
    rank, ceil = _rank(call), bool(call.get("ceil_mode", False))
    pooled = windows.max_pool(call, _with_channels(call, rank), _window(call, rank), ceil=ceil)
    return _without_channels(call, pooled, rank)


def max_pool_with_indices(call: TorchCall) -> list[Any]:
    """The maximum of each window, its position unread."""
    return [max_pool(call), None]


def average_pool(call: TorchCall) -> str:
    """The mean of each window; an own divisor is a gain behind the mean."""
    rank, ceil = _rank(call), bool(call.get("ceil_mode", False))
    source, counted = _with_channels(call, rank), bool(call.args.get("count_include_pad", True))
    pooled = windows.average_pool(call, source, _window(call, rank), count_padding=counted, ceil=ceil)
    node, divisor = call.builder.node(pooled), call.get("divisor_override")
    if divisor and isinstance(node, AveragePool):
        gain = node.divisor(call.shape(source)[1:])[None] / float(divisor)
        pooled = call.builder.affine(f"{call.name}_divisor", pooled, gain, None, call.origin)
    return _without_channels(call, pooled, rank)


# -- to a number of windows -----------------------------------------------------------------------------------------


def _adaptive(call: TorchCall, rank: int) -> tuple[str, Shape, Shape]:
    """The source, its space, and the number of windows along each axis."""
    source = _with_channels(call, rank)
    return source, call.shape(source)[1:], call.sample_shape(_first(call.out))[-rank:]


def adaptive_average_pool(call: TorchCall) -> str:
    """Equal windows are average pooling, one window is the mean; others are a matrix per axis."""
    rank = _rank(call)
    source, space, counts = _adaptive(call, rank)
    if math.prod(counts) == 1:
        pooled = maps.mean(call, source, range(1, rank + 1), keepdims=True)
    elif all(n % m == 0 for n, m in zip(space, counts, strict=True)):
        kernel = tuple(n // m for n, m in zip(space, counts, strict=True))
        pooled = windows.average_pool(call, source, Window(kernel, kernel, (1,) * rank, ((0, 0),) * rank))
    else:
        pooled = source
        for axis, count in enumerate(counts, 1):
            pooled = windows.adaptive_average(call, pooled, axis, count)
    return _without_channels(call, pooled, rank)


def adaptive_max_pool(call: TorchCall) -> list[Any]:
    """The maximum of windows, the shorter ones filled up with their last value. The positions are not given."""
    rank = _rank(call)
    source, _, counts = _adaptive(call, rank)
    return [_without_channels(call, windows.adaptive_max(call, source, counts), rank), None]


# -- over axes ------------------------------------------------------------------------------------------------------


def maximum(call: TorchCall) -> str:
    """The maximum over whole axes of the sample, as one window over them."""
    return windows.max_over(call, call.source(), call.axes(call.get("dim")), keepdims=bool(call.get("keepdim", False)))


def max_values(call: TorchCall) -> Any:
    """``max(x, dim)`` gives values and positions, ``max(x, y)`` is the larger of two."""
    if "other" in call.args:
        return larger(call)
    if "dim" not in call.args:
        raise Refusal("the maximum over all axes mixes samples", hint=TREAT_ALONE)
    return [maximum(call), None]


def min_values(call: TorchCall) -> Any:
    """``min(x, y)`` is the smaller of two; over axes it is refused."""
    if "other" in call.args:
        return smaller(call)
    raise Refusal("the minimum over axes is not supported")


def _first(result: Any) -> Any:
    """A result, or the first of several."""
    return result[0] if isinstance(result, (tuple, list)) else result


HANDLERS: dict[str, Callable[[TorchCall], Any]] = {
    **{f"max_pool{n}d": max_pool for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices": max_pool_with_indices for n in (1, 2, 3)},
    **{f"avg_pool{n}d": average_pool for n in (1, 2, 3)},
    **{f"adaptive_avg_pool{n}d": adaptive_average_pool for n in (1, 2, 3)},
    **{f"_adaptive_avg_pool{n}d": adaptive_average_pool for n in (2, 3)},
    **{f"adaptive_max_pool{n}d": adaptive_max_pool for n in (1, 2, 3)},
    "amax": maximum,
    "max": max_values,
    "min": min_values,
}
