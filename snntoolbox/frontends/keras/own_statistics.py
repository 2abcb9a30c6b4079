"""Normalisation by a sample's own values as operations of ``keras.ops``, and what models write it out with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from snntoolbox.frontends import functions, maps, normalising, windows
from snntoolbox.frontends.keras.call import KerasCall, constant
from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.ir.node import Array

_EPSILON = 1e-7  # keras.config.epsilon()
_LEAST = 1e-12  # of the length that UnitNormalization and keras.ops.normalize divide by


def layer_norm(call: KerasCall) -> str:
    """Over one or several axes, with constant gains and shifts or none."""
    if call.config.get("rms_scaling"):
        raise Refusal("rms_scaling divides by the deviation: use keras.ops.rms_normalization")
    return _normalised(call, ("gamma", "beta"), centred=True)


def rms_norm(call: KerasCall) -> str:
    """The same without the mean and the shift."""
    return _normalised(call, ("scale",), centred=False)


def _normalised(call: KerasCall, names: tuple[str, ...], *, centred: bool) -> str:
    axes, epsilon = call.axes(call.config.get("axis", -1)), call.config.get("epsilon")
    given = {**call.kwargs, **dict(zip(names, call.args[1:], strict=False))}
    parameters = [_along(call, axes, given[n]) if given.get(n) is not None else None for n in names]
    least = _EPSILON if epsilon is None else float(epsilon)
    return normalising.normalised(call, call.source(), axes, least, *parameters, centred=centred)


def _along(call: KerasCall, axes: tuple[int, ...], given: object) -> Array:
    """A parameter with a value for each of those along these axes, with the rank of the sample."""
    if isinstance(given, Activation):
        raise Refusal("its gain or shift depends on the input")
    value, shape = constant(given), call.shape()
    if value.shape == tuple(shape[a] for a in axes):
        return value.reshape([n if a in axes else 1 for a, n in enumerate(shape)])
    return call.per_sample(value, len(shape))


def unit_length(call: KerasCall) -> str:
    """``x / max(|x|, epsilon)`` along axes, |x| being the root of the sum of squares."""
    if call.config.get("order", 2) != 2:
        raise Refusal(f"a length of order {call.config['order']}; only 2 is known")
    least = call.config.get("epsilon")
    axes = call.axes(call.config.get("axis", -1))
    return normalising.unit_length(call, call.source(), axes, _LEAST if least is None else float(least))


def norm(call: KerasCall) -> str:
    """The root of the sum of squares, by which what was squared is divided."""
    order, axes = call.config.get("ord"), call.axes(call.config.get("axis"))
    if order not in (None, 2, "fro") or (order == 2 and len(axes) > 1):
        raise Refusal(f"a length of order {order}; only 2 is known, by which a value is divided")
    return normalising.length(call, call.source(), axes, keepdims=_keeps(call))


def variance(call: KerasCall) -> str:
    """The mean square of what is off the mean."""
    return maps.variance(call, call.source(), call.axes(call.config.get("axis")), 0.0, keepdims=_keeps(call))


def deviation(call: KerasCall) -> str:
    """The root of the variance, by which what is off the mean is divided."""
    return normalising.root(call, variance(call))


def moments(call: KerasCall) -> tuple[str, ...]:
    """The mean, and the mean square of what is off it."""
    axes, keep, source = call.axes(call.config["axes"]), _keeps(call), call.source()
    mean = maps.mean(call.named(f"{call.name}_mean"), source, axes, keepdims=keep)
    return mean, maps.variance(call, source, axes, 0.0, keepdims=keep)


def largest(call: KerasCall) -> str:
    """The maximum over some axes, the batch not among them."""
    axes = call.axes(call.config.get("axis"))
    found = windows.max_over(call, call.source(), axes, keepdims=_keeps(call))
    initial = call.config.get("initial")
    return found if initial is None else functions.bounded(call, found, np.asarray(float(initial)), 1.0)


def _keeps(call: KerasCall) -> bool:
    return bool(call.config.get("keepdims", False))


HANDLERS: dict[str, Callable[[KerasCall], str | tuple[str, ...]]] = {
    "UnitNormalization": unit_length,
    "keras.ops.LayerNorm": layer_norm,
    "keras.ops.RMSNorm": rms_norm,
    "keras.ops.Normalize": unit_length,
    "keras.ops.Norm": norm,
    "keras.ops.Var": variance,
    "keras.ops.Std": deviation,
    "keras.ops.Moments": moments,
    "keras.ops.Max": largest,
}
