"""Lowers piecewise-linear functions and transposed convolution exactly to rectifiers and plain linear nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.node import Array, Origin
from snntoolbox.ir.nodes import Add, Conv, Pad, ReLU


def add_clip(
    builder: GraphBuilder, name: str, source: str, low: float | None, high: float | None, origin: Origin | None = None
) -> str:
    """``min(max(x, low), high)``; None is no bound. ReLU6, hard tanh and hard sigmoid are this.

    With zero inside, it is ``min(relu(x), high) - min(relu(-x), -low)``, so that rates stay near what the values are;
    else ``low + min(relu(x - low), high - low)``, and without a lower bound ``high - relu(high - x)``.
    """
    if low is None and high is None:
        return source
    if low is None:
        assert high is not None
        excess = _rectified(builder, name, source, -1.0, high, None, origin)
        return builder.affine(f"{name}_turned", excess, _full(-1.0), _full(high), origin)
    upper = None if high is None else high - low
    if low == 0:
        return builder.add(ReLU(name=name, inputs=(source,), max_value=upper, origin=origin))
    if low < 0 and (high is None or high > 0):
        positive = builder.add(ReLU(name=name, inputs=(source,), max_value=high, origin=origin))
        negative = _rectified(builder, f"{name}_negative", source, -1.0, 0.0, -low, origin)
        both = Add(name=f"{name}_clipped", inputs=(positive, negative), coefficients=(1.0, -1.0), origin=origin)
        return builder.add(both)
    above = _rectified(builder, name, source, 1.0, -low, upper, origin)
    return builder.affine(f"{name}_shifted", above, None, _full(low), origin)


def add_bound(
    builder: GraphBuilder, name: str, source: str, level: Array, sign: float, origin: Origin | None = None
) -> str:
    """``max(x, level)``, or ``min(x, level)`` where `sign` is -1, with a level that may vary over the sample.

    Behind a rectifier an upper bound above zero is that rectifier's own; else it is ``level - relu(level - x)``.
    """
    before, rank = builder.node(source), len(builder.shape(source))
    if sign < 0 and isinstance(before, ReLU) and np.all(level > 0):
        bound = level.reshape((1,) * (rank - level.ndim) + level.shape)
        return builder.add(ReLU(name=name, inputs=(source,), max_value=bound, origin=origin))
    above = builder.affine(f"{name}_above", source, _full(sign), -sign * level, origin)
    excess = builder.add(ReLU(name=name, inputs=(above,), origin=origin))
    return builder.affine(f"{name}_bounded", excess, _full(sign), level, origin)


def add_leaky_relu(
    builder: GraphBuilder,
    name: str,
    source: str,
    slope: float | Array,
    high: float | None = None,
    origin: Origin | None = None,
) -> str:
    """``min(relu(x), high) - slope * relu(-x)``: LeakyReLU, and PReLU with a slope that broadcasts to the sample."""
    positive = builder.add(ReLU(name=name, inputs=(source,), max_value=high, origin=origin))
    slopes = np.asarray(slope, np.float64)
    if not np.any(slopes):
        return positive
    negative = _rectified(builder, f"{name}_negative", source, -1.0, 0.0, None, origin)
    scaled = builder.affine(f"{name}_slope", negative, -slopes, None, origin)
    return builder.add(Add(name=f"{name}_leaky", inputs=(positive, scaled), origin=origin))


def add_maximum(builder: GraphBuilder, name: str, first: str, second: str, origin: Origin | None = None) -> str:
    """``max(a, b) = b + relu(a - b)`` of two values of one shape."""
    difference = Add(name=f"{name}_difference", inputs=(first, second), coefficients=(1.0, -1.0), origin=origin)
    excess = builder.add(ReLU(name=name, inputs=(builder.add(difference),), origin=origin))
    return builder.add(Add(name=f"{name}_max", inputs=(second, excess), origin=origin))


def add_minimum(builder: GraphBuilder, name: str, first: str, second: str, origin: Origin | None = None) -> str:
    """``min(a, b) = b - relu(b - a)`` of two values of one shape."""
    difference = Add(name=f"{name}_difference", inputs=(second, first), coefficients=(1.0, -1.0), origin=origin)
    excess = builder.add(ReLU(name=name, inputs=(builder.add(difference),), origin=origin))
    return builder.add(Add(name=f"{name}_min", inputs=(second, excess), coefficients=(1.0, -1.0), origin=origin))


def add_absolute(builder: GraphBuilder, name: str, source: str, origin: Origin | None = None) -> str:
    """``|x| = relu(x) + relu(-x)``."""
    return add_leaky_relu(builder, name, source, -1.0, None, origin)


def add_conv_transpose(
    builder: GraphBuilder,
    name: str,
    source: str,
    weight: Array,
    bias: Array | None,
    *,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int = 1,
    origin: Origin | None = None,
) -> str:
    """Transposed convolution as zeros between the values, then a convolution with the kernel turned round.

    `weight` has shape (in, out / groups, *kernel); `padding` (before, after) is cut off the full result, so an axis
    of n values becomes (n - 1) * stride + dilation * (kernel - 1) + 1 - before - after + output_padding.
    """
    channels, *space = builder.shape(source)
    spread = _spread(builder, name, source, channels, space, tuple(stride), origin)
    reach = [d * (k - 1) for k, d in zip(weight.shape[2:], dilation, strict=True)]
    sides = zip(reach, padding, output_padding, strict=True)
    pads = [(0, 0), *((r - before, r - after + extra) for r, (before, after), extra in sides)]
    padded = builder.pad(f"{name}_pad", spread, pads, origin=origin)
    turned = np.flip(weight, axis=tuple(range(2, weight.ndim)))
    grouped = turned.reshape(groups, channels // groups, *weight.shape[1:])
    kernel = np.ascontiguousarray(grouped.swapaxes(1, 2)).reshape(-1, channels // groups, *weight.shape[2:])
    shaped = None if bias is None else bias.reshape(-1, *[1] * len(space))
    ones, none = (1,) * len(space), ((0, 0),) * len(space)
    return builder.add(
        Conv(
            name=name,
            inputs=(padded,),
            weight=kernel,
            bias=shaped,
            stride=ones,
            padding=none,
            dilation=tuple(dilation),
            groups=groups,
            origin=origin,
        )
    )


def _spread(
    builder: GraphBuilder,
    name: str,
    source: str,
    channels: int,
    space: Sequence[int],
    stride: tuple[int, ...],
    origin: Origin | None,
) -> str:
    """`stride` - 1 zeros between neighbours on each spatial axis."""
    if all(s == 1 for s in stride):
        return source
    apart = builder.reshape(f"{name}_apart", source, (channels, *(v for n in space for v in (n, 1))), origin)
    pads = ((0, 0), *(p for s in stride for p in ((0, 0), (0, s - 1))))
    filled = builder.add(Pad(name=f"{name}_zeros", inputs=(apart,), pads=pads, origin=origin))
    wide = tuple(n * s for n, s in zip(space, stride, strict=True))
    joined = builder.reshape(f"{name}_joined", filled, (channels, *wide), origin)
    for axis, (n, s) in enumerate(zip(space, stride, strict=True), 1):
        joined = builder.slice(f"{name}_cut", joined, axis, 0, (n - 1) * s + 1, 1, origin)
    return joined


def _rectified(
    builder: GraphBuilder, name: str, source: str, gain: float, shift: float, high: float | None, origin: Origin | None
) -> str:  # fmt: skip
    """``relu(gain * x + shift)`` with an upper bound."""
    moved = builder.affine(f"{name}_moved", source, _full(gain), _full(shift), origin)
    return builder.add(ReLU(name=name, inputs=(moved,), max_value=high, origin=origin))


def _full(value: float) -> Array:
    return np.full((), value)
