"""Linear maps that keep bytes: moving them, and summing few of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import compiled_loops
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.kernels import prepare
from snntoolbox.engine.tensors import Pads, Target, padded
from snntoolbox.ir.node import Node, Shape
from snntoolbox.ir.nodes import AveragePool, Concat, Mean, Pad, Permute, Reshape, Take

LARGEST = 127
"""The largest byte of spikes: pairs of 8-bit products then fit 16 bits, in which some processors add them."""

Bytes = Callable[..., Tensor]


@dataclass(frozen=True)
class Form:
    """What bytes stand for: a value is ``byte * factor``, and no byte is above `peak`. `factor` is a power of two.

    Sums of bytes are bytes as far as they are not above `most`.
    """

    peak: int
    factor: float = 1.0
    most: int = LARGEST


Moved = tuple[Form, Bytes]


def moved(node: Node, forms: tuple[Form, ...], shapes: tuple[Shape, ...], *, fused: bool) -> Moved | None:
    """The form of a node's output and its function on bytes; None where the output would not fit bytes exactly."""
    make = _MOVES.get(type(node))
    found = None if make is None else make(node, forms, shapes)
    if found and fused and isinstance(node, AveragePool) and _by_two(node, shapes[0]):
        return found[0], _quarter_sums
    return found


def _same(node: Node, forms: tuple[Form, ...], shapes: tuple[Shape, ...]) -> Moved | None:
    if any(form.factor != forms[0].factor for form in forms):
        return None
    kernel = prepare(node, shapes, Target(torch.device("cpu"), torch.uint8))
    return replace(forms[0], peak=max(form.peak for form in forms)), kernel


def _average(node: AveragePool, forms: tuple[Form, ...], shapes: tuple[Shape, ...]) -> Moved | None:
    (form,) = forms
    divisor = node.divisor(shapes[0][1:])
    found = _summed(form, math.prod(node.kernel), float(divisor.flat[0]))
    if found is None or np.any(divisor != divisor.flat[0]):
        return None
    over = node.overhang or (0,) * len(node.kernel)
    pads = tuple((lo, hi + o) for (lo, hi), o in zip(node.padding, over, strict=True))
    windows = node.output_shape(*shapes)[1:]
    return found, _window_sums(node.kernel, node.stride, pads, windows)


def _by_two(node: AveragePool, shape: Shape) -> bool:
    """Whether the windows are 2 x 2 and tile the plane."""
    return node.kernel == node.stride == (2, 2) and not any(map(any, node.padding)) and not any(node.overhang or ())


def _quarter_sums(x: Tensor) -> Tensor:
    samples, channels, height, width = x.shape
    out = torch.empty((samples, height // 2, width // 2, channels), dtype=torch.uint8)
    given = x.movedim(1, -1).contiguous()
    sizes = height, width, channels
    in_parallel(
        compiled(compiled_loops.sum_by_two), samples, given.numpy().reshape(-1), *sizes, out.numpy().reshape(-1)
    )
    return out.movedim(-1, 1)


def _window_sums(kernel: Shape, stride: Shape, pads: Pads, windows: Shape) -> Bytes:
    """Sums of windows, one axis after the other."""

    def add(x: Tensor) -> Tensor:
        x = padded(x, pads)
        for axis, (k, s, n) in enumerate(zip(kernel, stride, windows, strict=True), start=2):
            taps: list[Any] = [(*(slice(None),) * axis, slice(i, i + s * (n - 1) + 1, s)) for i in range(k)]
            total = x[taps[0]] if k == 1 else x[taps[0]] + x[taps[1]]
            for tap in taps[2:]:
                total += x[tap]
            x = total
        return x

    return add


def _mean(node: Mean, forms: tuple[Form, ...], shapes: tuple[Shape, ...]) -> Moved | None:
    (form,) = forms
    found = _summed(form, math.prod(shapes[0][a] for a in node.axes), node.divisor(shapes[0]))
    axes = tuple(a + 1 for a in node.axes)
    if found is None:
        return None
    return found, lambda x: x.sum(axes, keepdim=node.keepdims, dtype=torch.uint8)


def _summed(form: Form, count: int, divisor: float) -> Form | None:
    """The form of sums of `count` bytes that stand for sums divided by `divisor`."""
    if form.peak * count > form.most or math.frexp(divisor)[0] != 0.5:
        return None
    return replace(form, peak=form.peak * count, factor=form.factor / divisor)


_MOVES: dict[type[Node], Callable[..., tuple[Form, Bytes] | None]] = {
    Reshape: _same,
    Permute: _same,
    Take: _same,
    Pad: _same,
    Concat: _same,
    AveragePool: _average,
    Mean: _mean,
}
