"""Handlers of normalisation by a sample's own values, as layers and written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from snntoolbox.frontends import maps, normalising
from snntoolbox.frontends.layer_call import TREAT_ALONE, Activation, Refusal
from snntoolbox.frontends.pytorch.call import EVALUATE, TorchCall
from snntoolbox.frontends.pytorch.handlers.weighted import batch_norm

# -- layers ---------------------------------------------------------------------------------------------------------


def layer_norm(call: TorchCall) -> str:
    """Over the last axes, with a gain and a shift for each of their values."""
    axes, parameters = _last(call), (call.constant("weight"), call.constant("bias"))
    return normalising.normalised(call, call.source("input"), axes, float(call.get("eps", 1e-5)), *parameters)


def rms_norm(call: TorchCall) -> str:
    """The same without the mean and the shift; epsilon is that of the type where none is given."""
    epsilon = call.number("eps")
    if epsilon is None:
        epsilon = torch.finfo(_first(call.out).dtype).eps
    source, gain = call.source("input"), call.constant("weight")
    return normalising.normalised(call, source, _last(call), epsilon, gain, centred=False)


def _last(call: TorchCall) -> tuple[int, ...]:
    """The axes of the sample that the normalised shape names."""
    count, rank = len(call.args["normalized_shape"]), len(call.shape(call.source("input")))
    if call.batch_axis > rank - count:
        raise Refusal("normalises over the batch axis", hint=TREAT_ALONE)
    return tuple(range(rank - count, rank))


def group_norm(call: TorchCall) -> str:
    """Over the space and the channels of each group."""
    groups = int(call.get("num_groups", call.get("group", 1)))
    parameters = (call.constant("weight"), call.constant("bias"))
    return normalising.grouped(call, call.source("input"), groups, float(call.get("eps", 1e-5)), *parameters)


def instance_norm(call: TorchCall) -> str:
    """Over the space of each channel, or by statistics that were kept in training."""
    if not call.get("use_input_stats", True):
        return batch_norm(call)
    if call.args.get("running_mean") is not None:
        raise Refusal("in training mode", hint=EVALUATE)
    source = call.source("input")
    parameters = (call.constant("weight"), call.constant("bias"))
    return normalising.grouped(call, source, call.shape(source)[0], float(call.get("eps", 1e-5)), *parameters)


# -- written out ----------------------------------------------------------------------------------------------------


def variance(call: TorchCall) -> Activation:
    """The mean square of what is off the mean; over one value less than there are, unless told otherwise."""
    axes, keep, source = call.axes(call.get("dim")), bool(call.get("keepdim", False)), call.source()
    correction = call.number("correction")
    if correction is None:
        correction = 1.0 if call.get("unbiased", True) else 0.0
    found = maps.variance(call, source, axes, correction, keepdims=keep)
    before = 0 if keep else sum(a < call.batch_axis for a in axes)
    return Activation(found, call.batch_axis - before)


def deviation(call: TorchCall) -> Activation:
    """The root of the variance, by which what is off the mean is divided."""
    found = variance(call)
    return Activation(normalising.root(call, found.name), found.batch_axis)


def with_mean(handler: Callable[[TorchCall], Activation]) -> Callable[[TorchCall], list[Activation]]:
    """What a handler gives, and the mean over the same axes behind it."""

    def both(call: TorchCall) -> list[Activation]:
        found, axes = handler(call), call.axes(call.get("dim"))
        keep, named = bool(call.get("keepdim", False)), call.named(f"{call.name}_mean")
        return [found, Activation(maps.mean(named, call.source(), axes, keepdims=keep), found.batch_axis)]

    return both


def vector_norm(call: TorchCall) -> Activation:
    """The root of the sum of squares, by which what was squared is divided."""
    named = "ord" if "ord" in call.args else "p"
    if isinstance(call.get(named), str) and call.get(named) != "fro":
        raise Refusal(f"a length of order '{call.get(named)}'; only 2 is known, by which a value is divided")
    fro = call.get(named) == "fro"  # of a matrix: the root of the sum of all squares
    order = 2.0 if fro else call.number(named, 2.0)
    if order != 2:
        raise Refusal(f"a length of order {order:g}; only 2 is known, by which a value is divided")
    axes, keep = call.axes(call.get("dim")), bool(call.get("keepdim", False))
    if call.op == "linalg_norm" and call.args.get("ord") is not None and not fro and len(axes) > 1:
        raise Refusal("the largest singular value of a matrix")
    before = 0 if keep else sum(a < call.batch_axis for a in axes)
    found = normalising.length(call, call.source(), axes, keepdims=keep)
    return Activation(found, call.batch_axis - before)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, Sequence) else value


def several_results(handler: Callable[[TorchCall], str], results: int) -> Callable[[TorchCall], list[Any]]:
    """The same as the first of several results; none of the others may be read."""
    return lambda call: [handler(call), *[None] * (results - 1)]



HANDLERS: dict[str, Callable[[TorchCall], Any]] = {
    "layer_norm": layer_norm,
    "native_layer_norm": several_results(layer_norm, 3),
    "rms_norm": rms_norm,
    "_fused_rms_norm": several_results(rms_norm, 2),
    "group_norm": group_norm,
    "native_group_norm": several_results(group_norm, 3),
    "instance_norm": instance_norm,
    "var": variance,
    "std": deviation,
    "var_mean": with_mean(variance),
    "std_mean": with_mean(deviation),
    **dict.fromkeys(("linalg_vector_norm", "linalg_norm", "norm"), vector_norm),
    "sqrt": lambda call: normalising.root(call, call.source()),
    "reciprocal": lambda call: normalising.inverted(call, call.source()),
    "rsqrt": lambda call: normalising.root(call, call.source(), inverse=True),
}
