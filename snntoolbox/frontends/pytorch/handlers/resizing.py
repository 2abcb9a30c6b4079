"""Handlers of upsampling and of reordering between channels and space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from snntoolbox.frontends.pytorch.call import Activation, Call, Refused
from snntoolbox.ir.node import Array


def _resized(call: Call, probe: torch.Tensor, axis: int) -> Array:
    """What the operation makes of lines (count, positions) along a spatial axis: torch says what it does.

    The other axes have length one before and behind, so that nothing as large as the image is made.
    """
    names = [a.name for a in call.target._schema.arguments][1:]
    given = {n: call.args[n] for n in names}
    if any(isinstance(v, (Activation, torch.SymInt)) for v in torch.utils._pytree.tree_leaves(given)):
        raise Refused(f"{call.op} to a size that depends on the batch")
    for name, whole in (("output_size", 1), ("size", 1), ("scale_factors", 1.0)):
        if isinstance(given.get(name), (list, tuple)):
            given[name] = [v if a == axis else whole for a, v in enumerate(given[name])]
    along = [1] * (call.out.ndim - 2)
    along[axis] = probe.shape[1]
    with torch.no_grad():
        result: torch.Tensor = call.target(probe.reshape(len(probe), 1, *along), *(given[n] for n in names))
    return np.asarray(result.reshape(len(probe), -1).numpy())


def nearest(call: Call) -> Activation:
    """Nearest neighbour: positions picked along each axis."""
    source = call.source()
    for axis, size in enumerate(call.shape(source)[1:]):
        picked = _resized(call, torch.arange(size, dtype=torch.float32)[None], axis)[0]
        source = call.builder.take(call.name, source, axis + 1, picked.astype(int).tolist(), call.origin)
    return Activation(source)


def interpolate(call: Call) -> Activation:
    """Linear and cubic interpolation: a matrix along each axis, found by resizing unit lines."""
    source = call.source()
    for axis, size in enumerate(call.shape(source)[1:]):
        call.bound((size, call.sample_shape()[axis + 1]))
        matrix = _resized(call, torch.eye(size, dtype=call.out.dtype), axis).T
        if matrix.shape[0] != size or np.any(matrix != np.eye(size)):
            source = call.builder.dense(call.name, source, matrix, None, axis=axis + 1, origin=call.origin)
    return Activation(source)


def _through(call: Call, wide: tuple[int, ...], order: tuple[int, ...]) -> Activation:
    """Reshape, permute, reshape."""
    split = call.builder.reshape(f"{call.name}_split", call.source(), wide, call.origin)
    moved = call.builder.permute(f"{call.name}_order", split, order, call.origin)
    return call.reshaped(moved, call.sample_shape())


def pixel_shuffle(call: Call) -> Activation:
    """Channels (c, r, r) laid out in space."""
    r = int(call.args["upscale_factor"])
    c, h, w = call.shape(call.source())
    return _through(call, (c // r**2, r, r, h, w), (0, 3, 1, 4, 2))


def pixel_unshuffle(call: Call) -> Activation:
    """Space collected in channels."""
    r = int(call.args["downscale_factor"])
    c, h, w = call.shape(call.source())
    return _through(call, (c, h // r, r, w // r, r), (0, 2, 4, 1, 3))


def channel_shuffle(call: Call) -> Activation:
    """Channels of groups interleaved."""
    groups = int(call.args["groups"])
    c, *space = call.shape(call.source())
    return _through(call, (groups, c // groups, *space), (1, 0, *range(2, 2 + len(space))))


HANDLERS: dict[str, Callable[[Call], Any]] = {
    **{f"upsample_nearest{n}d": nearest for n in (1, 2, 3)},
    **{f"_upsample_nearest_exact{n}d": nearest for n in (1, 2, 3)},
    **dict.fromkeys(("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"), interpolate),
    "upsample_bicubic2d": interpolate,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), channel_shuffle),
}
