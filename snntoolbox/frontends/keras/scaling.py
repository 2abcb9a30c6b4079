"""Layers that scale and shift: by statistics that are kept, by numbers, or by the sample's own values."""

from __future__ import annotations

import numpy as np

from snntoolbox.frontends import normalising
from snntoolbox.frontends.keras.call import KerasCall, constant
from snntoolbox.frontends.layer_call import Refusal
from snntoolbox.ir.node import Array

# Keras' own lower bound of a standard deviation in Normalization (keras.config.epsilon()).
_EPSILON = 1e-7


def batch_norm(call: KerasCall) -> str:
    """With the moving statistics."""
    size = call.shape()[call.axis(call.config.get("axis", -1))]
    if any(value.shape != (size,) for value in call.layer.weights.values()):
        raise Refusal(f"its statistics are not those of {size} channels")
    return call.builder.batch_norm(
        call.name,
        call.source(),
        mean=call.weight("moving_mean"),
        variance=call.weight("moving_variance"),
        gamma=call.weight("gamma") if call.config.get("scale", True) else None,
        beta=call.weight("beta") if call.config.get("center", True) else None,
        epsilon=float(call.config.get("epsilon", 1e-3)),
        axis=call.axis(call.config.get("axis", -1)),
        origin=call.origin,
    )


def normalization(call: KerasCall) -> str:
    """``(x - mean) / max(sqrt(variance), epsilon)``, or its inverse."""
    mean, deviation = _statistic(call, "mean"), np.maximum(np.sqrt(_statistic(call, "variance")), _EPSILON)
    if call.config.get("invert"):
        return call.builder.affine(call.name, call.source(), deviation, mean, call.origin)
    return call.builder.affine(call.name, call.source(), 1 / deviation, -mean / deviation, call.origin)


def _statistic(call: KerasCall, key: str) -> Array:
    """Mean or variance, from the config or adapted, with the kept axes in their places."""
    axes, stated = call.config.get("axis", -1), call.config.get(key)
    kept = call.axes(axes) if isinstance(axes, int) or axes else ()
    value = call.weight(key) if stated is None else constant(stated)
    if value.ndim > len(kept):
        raise Refusal(f"{key} of shape {value.shape} for {len(kept)} axes")
    sizes = [1] * len(call.shape())
    for axis, size in zip(reversed(kept), reversed(value.shape), strict=False):
        sizes[axis] = size
    return value.reshape(sizes).astype(np.float64)


def rescaling(call: KerasCall) -> str:
    """``x * scale + offset``."""
    scale, offset = constant(call.config["scale"]), constant(call.config.get("offset", 0.0))
    if scale.ndim and call.net.image_data_format == "channels_first":
        scale = scale.reshape(*scale.shape, *[1] * (3 - scale.ndim))
    return call.builder.affine(call.name, call.source(), scale, offset, call.origin)


def layer_scale(call: KerasCall) -> str:
    """``x * gamma``, of `keras.applications`: ConvNeXt's factor for each channel, to which Keras gives no name."""
    return call.builder.affine(call.name, call.source(), call.weight("variable", "gamma"), constant(0.0), call.origin)


def layer_norm(call: KerasCall) -> str:
    """Over one or several axes, with a gain and a shift for each of their values."""
    if call.config.get("rms_scaling"):
        raise Refusal("rms_scaling divides by the deviation, not by the root of the mean square: use RMSNormalization")
    axes = call.axes(call.config.get("axis", -1))
    gain = _along(call, axes, "gamma") if call.config.get("scale", True) else None
    shift = _along(call, axes, "beta") if call.config.get("center", True) else None
    return normalising.normalised(call, call.source(), axes, float(call.config.get("epsilon", 1e-3)), gain, shift)


def rms_norm(call: KerasCall) -> str:
    """The same without the mean and the shift."""
    axes, epsilon = call.axes(call.config.get("axis", -1)), float(call.config.get("epsilon", 1e-6))
    return normalising.normalised(call, call.source(), axes, epsilon, _along(call, axes, "scale"), centred=False)


def _along(call: KerasCall, axes: tuple[int, ...], name: str) -> Array:
    """A weight with a value for each of those along these axes, with the rank of the sample."""
    value, shape = call.weight(name), call.shape()
    if value.shape != tuple(shape[a] for a in axes):
        raise Refusal(f"its weight '{name}' of shape {value.shape} does not fit the axes {axes} of {shape}")
    return value.reshape([n if a in axes else 1 for a, n in enumerate(shape)])


def group_norm(call: KerasCall) -> str:
    """Over all axes but the channels, and the channels of each group."""
    axis, shape = call.axis(call.config.get("axis", -1)), call.shape()
    groups = int(call.config.get("groups", 32))
    gain = call.weight("gamma") if call.config.get("scale", True) else None
    shift = call.weight("beta") if call.config.get("center", True) else None
    order = (axis, *(a for a in range(len(shape)) if a != axis))
    first = call.builder.permute(f"{call.name}_channels_first", call.source(), order, call.origin)
    groups, epsilon = shape[axis] if groups == -1 else groups, float(call.config.get("epsilon", 1e-3))
    inner = normalising.grouped(call, first, groups, epsilon, gain, shift)
    back = [order.index(a) for a in range(len(shape))]
    return call.builder.permute(f"{call.name}_channels_back", inner, back, call.origin)


HANDLERS = {
    "BatchNormalization": batch_norm,
    "Normalization": normalization,
    "Rescaling": rescaling,
    "LayerScale": layer_scale,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "GroupNormalization": group_norm,
}
