"""Handlers of pooling: over windows, to a fixed number of windows, and over whole axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from snntoolbox.frontends.pytorch.call import Activation, Call, Refused
from snntoolbox.frontends.pytorch.handlers.activations import maximum as larger
from snntoolbox.frontends.pytorch.handlers.activations import minimum as smaller
from snntoolbox.ir.builder import ceil_overhang
from snntoolbox.ir.node import Shape
from snntoolbox.ir.nodes import AveragePool, MaxPool, Mean


def _rank(call: Call) -> int:
    """1, 2 or 3, as the operation's name says."""
    return next(n for n in (1, 2, 3) if f"{n}d" in call.op)


def _with_channels(call: Call, rank: int) -> str:
    """The source as (channels, *space); data without a channel axis get one, since pooling keeps channels apart."""
    source = call.source()
    shape = call.shape(source)
    if len(shape) == rank:
        return call.builder.reshape(f"{call.name}_channel", source, (1, *shape), call.origin)
    if len(shape) != rank + 1:
        raise Refused(f"{call.op} on data of shape {shape}")
    return source


def _result(call: Call, pooled: str, rank: int) -> Activation:
    """The pooled node, without the channel axis that was added."""
    if len(call.shape(call.source())) == rank:
        pooled = call.builder.reshape(f"{call.name}_flat", pooled, call.shape(pooled)[1:], call.origin)
    return Activation(pooled)


def _windows(call: Call, source: str, dilation: tuple[int, ...]) -> tuple[Shape, Shape, Any, tuple[int, ...]]:
    """Kernel, stride, padding, and what ceil mode adds behind."""
    rank = len(dilation)
    kernel = call.ints("kernel_size", rank)
    stride = call.ints("stride", rank) if call.get("stride") else kernel
    padding = tuple((p, p) for p in call.ints("padding", rank, 0))
    over = (0,) * rank
    if call.get("ceil_mode", False):
        over = ceil_overhang(call.shape(source)[1:], kernel, stride, padding, dilation)
    return kernel, stride, padding, over


def max_pool(call: Call) -> Activation:
    """The maximum of each window; what ceil mode adds is padding, which never wins."""
    rank = _rank(call)
    source, dilation = _with_channels(call, rank), call.ints("dilation", rank, 1)
    kernel, stride, padding, over = _windows(call, source, dilation)
    padding = tuple((lo, hi + o) for (lo, hi), o in zip(padding, over, strict=True))
    node = MaxPool(
        name=call.name,
        inputs=(source,),
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        origin=call.origin,
    )
    return _result(call, call.builder.add(node), rank)


def average_pool(call: Call) -> Activation:
    """The mean of each window; an own divisor is a gain behind the mean."""
    rank = _rank(call)
    source = _with_channels(call, rank)
    kernel, stride, padding, over = _windows(call, source, (1,) * rank)
    divisor = call.get("divisor_override")
    node = AveragePool(
        name=call.name,
        inputs=(source,),
        kernel=kernel,
        stride=stride,
        padding=padding,
        count_padding=bool(call.args.get("count_include_pad", True)),
        overhang=over if any(over) else None,
        origin=call.origin,
    )
    pooled = call.builder.add(node)
    if divisor:
        gain = node.divisor(call.shape(source)[1:])[None] / float(divisor)
        pooled = call.builder.affine(f"{call.name}_divisor", pooled, gain, None, call.origin)
    return _result(call, pooled, rank)


def _bins(size: int, count: int) -> list[tuple[int, int]]:
    """The range of positions of each of `count` adaptive windows: floor(i n / m) to ceil((i + 1) n / m)."""
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _adaptive(call: Call, rank: int) -> tuple[str, Shape, Shape]:
    """The source, its space, and the wanted space."""
    source = _with_channels(call, rank)
    out = call.out[0] if isinstance(call.out, (tuple, list)) else call.out
    return source, call.shape(source)[1:], call.sample_shape(out)[-rank:]


def adaptive_average_pool(call: Call) -> Activation:
    """Equal windows are average pooling, one window is the mean; others are a matrix per axis."""
    rank = _rank(call)
    source, space, wanted = _adaptive(call, rank)
    if math.prod(wanted) == 1:
        axes = tuple(range(1, rank + 1))
        node = Mean(name=call.name, inputs=(source,), axes=axes, keepdims=True, origin=call.origin)
        return _result(call, call.builder.add(node), rank)
    if all(n % m == 0 for n, m in zip(space, wanted, strict=True)):
        kernel = tuple(n // m for n, m in zip(space, wanted, strict=True))
        none = ((0, 0),) * rank
        pool = AveragePool(
            name=call.name, inputs=(source,), kernel=kernel, stride=kernel, padding=none, origin=call.origin
        )
        return _result(call, call.builder.add(pool), rank)
    for axis, (n, m) in enumerate(zip(space, wanted, strict=True), start=1):
        if n != m:
            matrix = np.zeros((m, n))
            for row, (lo, hi) in zip(matrix, _bins(n, m), strict=True):
                row[lo:hi] = 1 / (hi - lo)
            source = call.builder.dense(call.name, source, matrix, None, axis=axis, origin=call.origin)
    return _result(call, source, rank)


def adaptive_max_pool(call: Call) -> list[Any]:
    """The maximum of windows, the shorter ones filled up with their last value. The positions are not given."""
    rank = _rank(call)
    source, space, wanted = _adaptive(call, rank)
    kernel = []
    for axis, (n, m) in enumerate(zip(space, wanted, strict=True), start=1):
        bins = _bins(n, m)
        kernel.append(max(hi - lo for lo, hi in bins))
        picked = [min(lo + i, hi - 1) for lo, hi in bins for i in range(kernel[-1])]
        source = call.builder.take(f"{call.name}_windows", source, axis, picked, call.origin)
    return [_result(call, _max_over(call, source, tuple(kernel)), rank), None]


def _max_over(call: Call, source: str, kernel: Shape) -> str:
    """The maximum of windows side by side."""
    ones, none = (1,) * len(kernel), ((0, 0),) * len(kernel)
    return call.builder.add(
        MaxPool(
            name=call.name,
            inputs=(source,),
            kernel=kernel,
            stride=kernel,
            padding=none,
            dilation=ones,
            origin=call.origin,
        )
    )


def maximum(call: Call) -> Activation:
    """The maximum over whole axes of the sample, as one window over them."""
    source = call.source()
    shape, axes = call.shape(source), call.axes("dim", source)
    kept = [a for a in range(len(shape)) if a not in axes]
    moved = call.builder.permute(f"{call.name}_order", source, (*kept, *axes), call.origin)
    size = math.prod(shape[a] for a in axes)
    flat = call.builder.reshape(f"{call.name}_rows", moved, (math.prod(shape) // size, size), call.origin)
    pooled = _max_over(call, flat, (size,))
    out = call.out[0] if isinstance(call.out, (tuple, list)) else call.out
    return call.reshaped(pooled, call.sample_shape(out))


def _and_nothing(handler: Callable[[Call], Activation]) -> Callable[[Call], list[Any]]:
    """A handler whose operation gives positions too."""
    return lambda call: [handler(call), None]


def max_values(call: Call) -> Any:
    """``max(x, dim)`` gives values and positions, ``max(x, y)`` is the larger of two."""
    if "other" in call.args:
        return larger(call)
    if "dim" not in call.args:
        raise Refused("the maximum over all axes mixes samples")
    return [maximum(call), None]


def min_values(call: Call) -> Any:
    """``min(x, y)`` is the smaller of two; over axes it is refused."""
    if "other" in call.args:
        return smaller(call)
    raise Refused("the minimum over axes is not supported")


HANDLERS: dict[str, Callable[[Call], Any]] = {
    **{f"max_pool{n}d": max_pool for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices": _and_nothing(max_pool) for n in (1, 2, 3)},
    **{f"avg_pool{n}d": average_pool for n in (1, 2, 3)},
    **{f"adaptive_avg_pool{n}d": adaptive_average_pool for n in (1, 2, 3)},
    **{f"_adaptive_avg_pool{n}d": adaptive_average_pool for n in (2, 3)},
    **{f"adaptive_max_pool{n}d": adaptive_max_pool for n in (1, 2, 3)},
    "amax": maximum,
    "max": max_values,
    "min": min_values,
}
