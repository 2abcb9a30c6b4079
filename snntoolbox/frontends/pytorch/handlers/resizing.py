"""Handlers of upsampling and of reordering between channels and space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from snntoolbox.frontends.layer_call import TREAT_ALONE, Activation, Refusal, check_size
from snntoolbox.frontends.maps import regrouped
from snntoolbox.frontends.pytorch.call import TorchCall
from snntoolbox.ir.node import Array

# -- along space ----------------------------------------------------------------------------------------------------


def _resized(call: TorchCall, probe: torch.Tensor, axis: int) -> Array:
    """What the operation makes of lines (count, positions) along a spatial axis: torch says what it does.

    The other axes have length one before and behind, so that nothing as large as the image is made.
    """
    names = [a.name for a in call.target._schema.arguments][1:]
    settings = {n: call.args[n] for n in names}
    if any(isinstance(v, (Activation, torch.SymInt)) for v in torch.utils._pytree.tree_leaves(settings)):
        raise Refusal("resizes to the batch size", hint=TREAT_ALONE)
    for name, whole in (("output_size", 1), ("size", 1), ("scale_factors", 1.0)):
        if isinstance(settings.get(name), (list, tuple)):
            settings[name] = [v if a == axis else whole for a, v in enumerate(settings[name])]
    along = [1] * (call.out.ndim - 2)
    along[axis] = probe.shape[1]
    with torch.no_grad():
        result: torch.Tensor = call.target(probe.reshape(len(probe), 1, *along), *(settings[n] for n in names))
    return np.asarray(result.reshape(len(probe), -1).numpy())


def nearest(call: TorchCall) -> str:
    """Nearest neighbour: positions picked along each axis."""
    source = call.source()
    for axis, size in enumerate(call.shape(source)[1:]):
        picked = _resized(call, torch.arange(size, dtype=torch.float32)[None], axis)[0]
        source = call.builder.take(call.name, source, axis + 1, picked.astype(int).tolist(), call.origin)
    return source


def interpolate(call: TorchCall) -> str:
    """Linear and cubic interpolation: a matrix along each axis, found by resizing unit lines."""
    source = call.source()
    for axis, size in enumerate(call.shape(source)[1:]):
        check_size((size, call.sample_shape()[axis + 1]))
        call.builder.spend(size * call.sample_shape()[axis + 1])
        matrix = _resized(call, torch.eye(size, dtype=call.out.dtype), axis).T
        if matrix.shape[0] != size or np.any(matrix != np.eye(size)):
            source = call.builder.dense(call.name, source, matrix, None, axis=axis + 1, origin=call.origin)
    return source


# -- between channels and space -------------------------------------------------------------------------------------


def pixel_shuffle(call: TorchCall) -> str:
    """Channels (c, r, r) laid out in space."""
    (c, h, w), r = call.shape(), int(call.args["upscale_factor"])
    return regrouped(call, call.source(), (c // r**2, r, r, h, w), (0, 3, 1, 4, 2), call.sample_shape())


def pixel_unshuffle(call: TorchCall) -> str:
    """Space collected in channels."""
    (c, h, w), r = call.shape(), int(call.args["downscale_factor"])
    return regrouped(call, call.source(), (c, h // r, r, w // r, r), (0, 2, 4, 1, 3), call.sample_shape())


def channel_shuffle(call: TorchCall) -> str:
    """Channels of groups interleaved."""
    (c, *space), groups = call.shape(), int(call.args["groups"])
    order = (1, 0, *range(2, 2 + len(space)))
    return regrouped(call, call.source(), (groups, c // groups, *space), order, call.sample_shape())


HANDLERS: dict[str, Callable[[TorchCall], Any]] = {
    **{f"upsample_nearest{n}d": nearest for n in (1, 2, 3)},
    **{f"_upsample_nearest_exact{n}d": nearest for n in (1, 2, 3)},
    **dict.fromkeys(("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"), interpolate),
    "upsample_bicubic2d": interpolate,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), channel_shuffle),
}
