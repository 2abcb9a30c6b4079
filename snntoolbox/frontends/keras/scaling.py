"""Layers that scale and shift: batch normalisation, input normalisation, rescaling."""

from __future__ import annotations

import numpy as np

from snntoolbox.frontends.keras.step import Refused, Step, constant
from snntoolbox.ir.node import Array

# Keras' own lower bound of a standard deviation in Normalization (keras.config.epsilon()).
_EPSILON = 1e-7


def batch_norm(s: Step) -> str:
    """With the moving statistics."""
    size = s.shape[s.axis(s.config.get("axis", -1))]
    if any(value.shape != (size,) for value in s.layer.weights.values()):
        raise Refused(f"its statistics are not those of {size} channels")
    return s.builder.batch_norm(
        s.name,
        s.source,
        mean=s.weight("moving_mean"),
        variance=s.weight("moving_variance"),
        gamma=s.weight("gamma") if s.config.get("scale", True) else None,
        beta=s.weight("beta") if s.config.get("center", True) else None,
        epsilon=float(s.config.get("epsilon", 1e-3)),
        axis=s.axis(s.config.get("axis", -1)),
        origin=s.origin,
    )


def normalization(s: Step) -> str:
    """``(x - mean) / max(sqrt(variance), epsilon)``, or its inverse."""
    mean, deviation = _statistic(s, "mean"), np.maximum(np.sqrt(_statistic(s, "variance")), _EPSILON)
    if s.config.get("invert"):
        return s.builder.affine(s.name, s.source, deviation, mean, s.origin)
    return s.builder.affine(s.name, s.source, 1 / deviation, -mean / deviation, s.origin)


def _statistic(s: Step, key: str) -> Array:
    """Mean or variance, given in the config or adapted, with the kept axes in their places."""
    axes = s.config.get("axis", -1)
    axes = () if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    kept = sorted(s.axis(a) for a in axes)
    given = s.config.get(key)
    value = s.weight(key) if given is None else constant(given)
    if value.ndim > len(kept):
        raise Refused(f"{key} of shape {value.shape} for {len(kept)} axes")
    sizes = [1] * len(s.shape)
    for axis, size in zip(reversed(kept), reversed(value.shape), strict=False):
        sizes[axis] = size
    return value.reshape(sizes).astype(np.float64)


def rescaling(s: Step) -> str:
    """``x * scale + offset``."""
    scale, offset = constant(s.config["scale"]), constant(s.config.get("offset", 0.0))
    if scale.ndim and s.net.image_data_format == "channels_first":
        scale = scale.reshape(*scale.shape, *[1] * (3 - scale.ndim))
    return s.builder.affine(s.name, s.source, scale, offset, s.origin)


HANDLERS = {"BatchNormalization": batch_norm, "Normalization": normalization, "Rescaling": rescaling}
