"""Layers that move, repeat, pad or crop values, and those that do nothing at inference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from snntoolbox.frontends.keras.call import KerasCall
from snntoolbox.frontends.layer_call import Refusal, check_size
from snntoolbox.frontends.maps import interpolation, padded
from snntoolbox.ir.node import Shape


def nothing(call: KerasCall) -> str:
    """The input itself."""
    return call.source()


def flatten(call: KerasCall) -> str:
    """All values in the order of channels last."""
    x, shape = call.source(), call.shape()
    if not call.channels_last and len(shape) > 1:
        x = call.builder.channels_last(f"{call.name}_channels_last", x, call.origin)
    return call.builder.reshape(call.name, x, (math.prod(shape),), call.origin)


def reshape(call: KerasCall) -> str:
    """C order; one size may be -1."""
    shape = resolved(call.shape(), call.config["target_shape"])
    return call.builder.reshape(call.name, call.source(), shape, call.origin)


def resolved(shape: Shape, target: Sequence[Any]) -> Shape:
    """A target shape with its -1 (or None) filled in so that it holds as many values as `shape`."""
    sizes = [-1 if n is None else int(n) for n in target]
    if sizes.count(-1) > 1:
        raise Refusal(f"reshapes to {tuple(target)}, of which several sizes are open")
    rest = math.prod(n for n in sizes if n != -1)
    return tuple(math.prod(shape) // max(rest, 1) if n == -1 else n for n in sizes)


def permute(call: KerasCall) -> str:
    """Keras counts the sample's axes from one."""
    return call.builder.permute(call.name, call.source(), tuple(d - 1 for d in call.config["dims"]), call.origin)


def repeat_vector(call: KerasCall) -> str:
    """A vector (n,) as (times, n)."""
    times, shape = int(call.config["n"]), call.shape()
    row = call.builder.reshape(f"{call.name}_row", call.source(), (1, *shape), call.origin)
    return call.broadcast(row, (times, *shape))


def zero_padding(call: KerasCall) -> str:
    """Zeros (before, after) each spatial axis."""
    return padded(call, call.source(), _along_space(call, _pairs(call, "padding")))


def cropping(call: KerasCall) -> str:
    """Values cut off (before, after) each spatial axis."""
    return padded(call, call.source(), _along_space(call, [(-lo, -hi) for lo, hi in _pairs(call, "cropping")]))


def _along_space(call: KerasCall, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Such a pair for every axis of the sample: none along the channels."""
    pads = [(0, 0)] * len(call.shape())
    for axis, pair in zip(call.space, pairs, strict=True):
        pads[axis] = pair
    return pads


def _pairs(call: KerasCall, key: str) -> list[tuple[int, int]]:
    """(before, after) per spatial axis from an integer, one integer per axis, or pairs."""
    value, rank = call.config[key], len(call.space)
    if isinstance(value, int):
        return [(value, value)] * rank
    if rank == 1 and len(value) == 2:
        value = [value]
    pairs = [(v, v) if isinstance(v, int) else (int(v[0]), int(v[1])) for v in value]
    if len(pairs) != rank:
        raise Refusal(f"{key} {value} on an input with {rank} spatial axes")
    return pairs


def upsampling(call: KerasCall) -> str:
    """Each value repeated, or values interpolated linearly, along each spatial axis."""
    mode = str(call.config.get("interpolation", "nearest"))
    if mode not in ("nearest", "bilinear"):
        raise Refusal(f"interpolation '{mode}' is not supported")
    x, shape, factors = call.source(), call.shape(), call.sizes("size", len(call.space), 2)
    check_size((*shape, *factors))
    for axis, factor in zip(call.space, factors, strict=True):
        positions = np.arange(shape[axis] * factor)
        if mode == "nearest":
            x = call.builder.take(call.name, x, axis, (positions // factor).tolist(), call.origin)
        elif factor > 1:  # between the centres of pixels
            check_size((len(positions), shape[axis]))
            call.builder.spend(len(positions) * shape[axis])
            matrix = interpolation((positions + 0.5) / factor - 0.5, shape[axis])
            x = call.builder.dense(call.name, x, matrix, None, axis=axis, origin=call.origin)
    return x


_NO_OPS = (
    *("Identity", "ActivityRegularization", "StochasticDepth"),
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
