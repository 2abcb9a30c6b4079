"""How byte tensors lie in memory: one row per sample with the channels of a position side by side."""

from __future__ import annotations

import math

from torch import Tensor

from snntoolbox.ir.node import Shape


def rows(x: Tensor) -> Tensor:
    """`x` (samples, channels, *space) as (samples, *space * channels): a view where it already lies so."""
    if x.ndim > 2:
        x = x.movedim(1, -1)
    return x.reshape(x.shape[0], -1)


def shaped(x: Tensor, shape: Shape) -> Tensor:
    """The inverse: a view (samples, *shape) of such rows."""
    if len(shape) > 1:
        return x.view(x.shape[0], *shape[1:], shape[0]).movedim(-1, 1)
    return x.view(x.shape[0], math.prod(shape)) if shape else x.view(x.shape[0])
