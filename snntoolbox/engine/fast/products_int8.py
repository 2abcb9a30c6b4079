"""Products of bytes with integer weights in 8-bit arithmetic, through oneDNN's kernels that come with torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast.bytes_maps import LARGEST
from snntoolbox.engine.tensors import channels_inside, padded
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Conv, Dense

Product = Callable[[Tensor], Tensor]
_EXACT = 2**24


def digits(weight: Array) -> list[tuple[int, Array]]:
    """Whole weights as a sum of ``factor * digit`` with digits from -128 to 127: one for up to 8 bits, else two.

    The largest 16-bit weights need a third, as 256 * 127 + 127 is less than 32767.
    """
    low = (weight + 128) % 256 - 128 if np.abs(weight).max(initial=0) > 127 else weight
    parts = [(1, low)]
    rest = (weight - low) / 256
    while np.any(rest):
        digit = np.clip(rest, -128, 127)
        parts.append((256, digit))
        rest = rest - digit
    return parts


def product(node: Conv | Dense, weight: Array, peak: int) -> tuple[Product, int] | None:
    """The node's function on bytes up to `peak`, giving floating values, and the number of passes it takes.

    None where it would not be exact or cannot be computed so. `weight` are the node's whole weights in the order in
    which the bytes lie. A dense layer whose sums leave 24 bits, which a pass gives, takes its inputs in pieces.
    """
    if not works() or np.any(weight != np.rint(weight)) or np.abs(weight).max(initial=0) >= 2**15:
        return None
    parts = digits(weight)
    size = weight.shape[1]
    large = max(_largest(digit, peak) for _, digit in parts)
    pieces = 1 if large < _EXACT else int(large // _EXACT) + 1
    if pieces * len(parts) > 3 or (pieces > 1 and isinstance(node, Conv)):
        return None
    edges = np.linspace(0, size, pieces + 1).astype(int).tolist()
    whole = slice(None)
    cut = [(f, slice(lo, hi) if pieces > 1 else whole, d[:, lo:hi]) for lo, hi in pairwise(edges) for f, d in parts]
    if any(_largest(digit, peak) >= _EXACT for *_, digit in cut):
        return None
    if len(cut) == 1:
        return _packed(node, weight), 1
    sums = np.cumsum([peak * f * _ends(digit) for f, _, digit in cut], axis=0)
    wide = torch.float32 if sums.max() < _EXACT else torch.float64
    (_, begin, first), *others = [(factor, columns, _packed(node, digit)) for factor, columns, digit in cut]

    def summed(x: Tensor) -> Tensor:
        total = first(x[:, begin]).to(wide)
        for factor, columns, kernel in others:
            total.add_(kernel(x[:, columns]), alpha=factor)
        return total

    return summed, len(cut)


def _ends(weight: Array) -> Array:
    """How far the sums of a map lie above 0, and below, where bytes are 1: (2, filters)."""
    rows = weight.reshape(len(weight), -1)
    return np.stack([np.maximum(rows, 0).sum(axis=1), np.maximum(-rows, 0).sum(axis=1)])


def _largest(weight: Array, peak: int) -> float:
    """What no sum of bytes up to `peak` exceeds: those of positive weights and of negative ones take off each other."""
    return float(peak * _ends(weight).max(initial=0))


def _packed(node: Conv | Dense, weight: Array) -> Product:
    """In C order: the packing of a dense layer takes no other, and does not say so."""
    digits = torch.from_numpy(np.ascontiguousarray(weight, np.int8))
    return _conv(node, digits) if isinstance(node, Conv) else _dense(digits)


def _dense(weight: Tensor) -> Product:
    scale, zero = torch.ones(len(weight)), torch.zeros(len(weight), dtype=torch.int32)
    packed = torch.ops.onednn.qlinear_prepack(weight, None)

    def multiply(x: Tensor) -> Tensor:
        given: Tensor = torch.ops.onednn.qlinear_pointwise(
            x.contiguous(), 1.0, 0, packed, scale, zero, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return given

    return multiply


def _conv(node: Conv, weight: Tensor) -> Product:
    """One or two spatial axes; where padding differs before and behind, the bytes are padded first."""
    flat = weight.ndim == 3
    both = [lo if lo == hi else 0 for lo, hi in node.padding]
    uneven = tuple((0, 0) if lo == hi else (lo, hi) for lo, hi in node.padding)
    weight = weight[:, :, None] if flat else weight
    line = [1] if flat else []
    geometry = ([*line, *node.stride], [0, *both] if flat else both, [*line, *node.dilation])
    scale, zero = torch.ones(len(weight)), torch.zeros(len(weight), dtype=torch.int32)
    packed = torch.ops.onednn.qconv_prepack(weight, scale, 1.0, 0, *geometry, node.groups, None)

    def convolve(x: Tensor) -> Tensor:
        x = padded(x, uneven)
        x = channels_inside(x[:, :, None] if flat else x)
        given: Tensor = torch.ops.onednn.qconv2d_pointwise(
            x, 1.0, 0, packed, scale, zero, None, *geometry, node.groups, 1.0, 0, torch.float32, "none", [], ""
        )
        return given[:, :, 0] if flat else given

    return convolve


def works() -> bool:
    """Whether this torch on this processor has the kernels, and they are exact on the largest values of spikes."""
    return _exact_on(LARGEST)


def largest() -> int:
    """The largest byte on which they are exact: processors that add pairs of products in 16 bits do not take all."""
    return next((byte for byte in (255, LARGEST) if _exact_on(byte)), 0)


@cache
def _exact_on(byte: int) -> bool:
    """Whether there are such kernels, and they are exact on this byte and the largest weights."""
    try:
        weight = np.tile(np.array([127.0, -127.0, 127.0, 127.0]), (16, 9, 16)).reshape(16, 64, 3, 3)
        node = Conv(name="probe", weight=weight, stride=(1, 1), padding=((1, 1),) * 2, dilation=(1, 1), groups=1)
        bytes_ = torch.full((2, 64, 5, 5), byte, dtype=torch.uint8)
        wanted = torch.nn.functional.conv2d(bytes_.double(), torch.from_numpy(weight), padding=1)
        flat = torch.from_numpy(weight.reshape(16, -1))
        row = torch.full((3, 576), byte, dtype=torch.uint8)
        with torch.inference_mode():
            found = _conv(node, torch.from_numpy(weight.astype(np.int8)))(bytes_)
            product = _dense(flat.to(torch.int8))(row)
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
    return torch.equal(found.double(), wanted) and torch.equal(product.double(), row.double() @ flat.T)
