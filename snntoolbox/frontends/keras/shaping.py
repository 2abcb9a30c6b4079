"""Layers that move, repeat, pad or crop values, and those that do nothing at inference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from snntoolbox.frontends.keras.step import Refused, Step, check_size
from snntoolbox.ir.node import Array, Shape


def nothing(s: Step) -> str:
    """The input itself."""
    return s.source


def flatten(s: Step) -> str:
    """All values in the order of channels last."""
    x, rank = s.source, len(s.shape)
    if not s.channels_last and rank > 1:
        x = s.builder.permute(f"{s.name}_channels_last", x, (*range(1, rank), 0), s.origin)
    return s.builder.reshape(s.name, x, (math.prod(s.shape),), s.origin)


def reshape(s: Step) -> str:
    """C order; one size may be -1."""
    return s.builder.reshape(s.name, s.source, resolved(s.shape, s.config["target_shape"]), s.origin)


def resolved(shape: Shape, target: Sequence[Any]) -> Shape:
    """A target shape with its -1 (or None) filled in so that it holds as many values as `shape`."""
    sizes = [-1 if n is None else int(n) for n in target]
    if sizes.count(-1) > 1:
        raise Refused(f"reshape to {tuple(target)}")
    rest = math.prod(n for n in sizes if n != -1)
    return tuple(math.prod(shape) // max(rest, 1) if n == -1 else n for n in sizes)


def permute(s: Step) -> str:
    """Keras counts the sample's axes from one."""
    return s.builder.permute(s.name, s.source, tuple(d - 1 for d in s.config["dims"]), s.origin)


def repeat_vector(s: Step) -> str:
    """A vector (n,) as (times, n)."""
    check_size((int(s.config["n"]), *s.shape))
    row = s.builder.reshape(f"{s.name}_row", s.source, (1, *s.shape), s.origin)
    return s.builder.take(s.name, row, 0, [0] * int(s.config["n"]), s.origin)


def zero_padding(s: Step) -> str:
    """Zeros (before, after) each spatial axis."""
    pads = [(0, 0)] * len(s.shape)
    for axis, pair in zip(s.space, _pairs(s, "padding"), strict=True):
        pads[axis] = pair
    return s.builder.pad(s.name, s.source, pads, origin=s.origin)


def cropping(s: Step) -> str:
    """Values cut off (before, after) each spatial axis."""
    x, shape = s.source, s.shape
    for axis, (before, after) in zip(s.space, _pairs(s, "cropping"), strict=True):
        x = s.builder.slice(s.name, x, axis, before, shape[axis] - after, 1, s.origin)
    return x


def _pairs(s: Step, key: str) -> list[tuple[int, int]]:
    """(before, after) per spatial axis from an integer, one integer per axis, or pairs."""
    value, rank = s.config[key], len(s.space)
    if isinstance(value, int):
        return [(value, value)] * rank
    if rank == 1 and len(value) == 2:
        value = [value]
    pairs = [(v, v) if isinstance(v, int) else (int(v[0]), int(v[1])) for v in value]
    if len(pairs) != rank:
        raise Refused(f"{key} {value} on an input with {rank} spatial axes")
    return pairs


def upsampling(s: Step) -> str:
    """Each value repeated, or values interpolated linearly, along each spatial axis."""
    mode = str(s.config.get("interpolation", "nearest"))
    if mode not in ("nearest", "bilinear"):
        raise Refused(f"interpolation '{mode}'")
    x, shape, factors = s.source, s.shape, s.sizes("size", len(s.space), 2)
    check_size((*shape, *factors))
    for axis, factor in zip(s.space, factors, strict=True):
        if mode == "nearest":
            x = s.builder.take(s.name, x, axis, np.repeat(np.arange(shape[axis]), factor).tolist(), s.origin)
        elif factor > 1:
            x = s.builder.dense(s.name, x, interpolation(shape[axis], factor), None, axis=axis, origin=s.origin)
    return x


def interpolation(size: int, factor: int) -> Array:
    """The matrix (size * factor, size) of linear interpolation between pixel centres, constant beyond the outermost."""
    at = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    low = np.floor(at).astype(int)
    high, part = np.minimum(low + 1, size - 1), at - low
    matrix = np.zeros((size * factor, size))
    rows = np.arange(size * factor)
    np.add.at(matrix, (rows, low), 1 - part)
    np.add.at(matrix, (rows, high), part)
    return matrix


_NO_OPS = (
    *("Identity", "ActivityRegularization"),
    *("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise"),
    *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    *("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomContrast", "RandomBrightness"),
)

HANDLERS = {
    **dict.fromkeys(_NO_OPS, nothing),
    "Flatten": flatten,
    "Reshape": reshape,
    "Permute": permute,
    "RepeatVector": repeat_vector,
    **{f"ZeroPadding{n}D": zero_padding for n in (1, 2, 3)},
    **{f"Cropping{n}D": cropping for n in (1, 2, 3)},
    **{f"UpSampling{n}D": upsampling for n in (1, 2, 3)},
}
