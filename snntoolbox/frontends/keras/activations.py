"""Activations: those that layers name in their config, and the layers that are one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from snntoolbox.frontends.functions import (
    FUNCTIONS,
    Function,
    elu,
    hard_sigmoid,
    jumping,
    leaky_relu,
    softmax,
    thresholded_relu,
)
from snntoolbox.frontends.keras.call import KerasCall, constant
from snntoolbox.frontends.keras.comparing import as_truths
from snntoolbox.frontends.keras.legacy import OLD_HARD_SIGMOID
from snntoolbox.frontends.keras.runtime import QCFS
from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.frontends.maps import chosen, gated_half
from snntoolbox.frontends.truths import chosen_by
from snntoolbox.ir.nodes import ReLU

_SAME_NAME = ("relu", "relu6", "hard_tanh", "hard_sigmoid", "sigmoid", "tanh", "gelu", "silu", "mish", "elu", "selu")

BY_NAME: dict[str, Function] = {
    "linear": lambda call, source: source,
    **{name: FUNCTIONS[name] for name in (*_SAME_NAME, "softplus", "hard_swish")},
    "swish": FUNCTIONS["silu"],
    "hard_silu": FUNCTIONS["hard_swish"],
    "leaky_relu": partial(leaky_relu, slope=0.2),
    OLD_HARD_SIGMOID: partial(hard_sigmoid, slope=0.2),
    "glu": partial(gated_half, axis=-1),
    "softmax": softmax,
    "log_softmax": partial(softmax, log=True),
}


def activation_name(activation: Any) -> str:
    """The name of an activation in a config: a string, a function or a layer; None is linear."""
    if activation is None:
        return "linear"
    if not isinstance(activation, Mapping):
        return str(activation)
    if activation.get("class_name") != "function":
        return str(activation.get("class_name"))
    module = str(activation.get("module"))
    name = str(activation.get("config"))
    of_keras = module == "builtins" or module.split(".")[0] == "keras"
    return name if of_keras else f"{module}.{name}"


def unknown_activation(name: str) -> Refusal:
    """The refusal of an activation that is not supported."""
    return Refusal(f"activation '{name}' is not supported")


def activate(call: KerasCall, source: str, activation: Any) -> str:
    """`source` behind an activation of a config; Refusal with its name where it is not supported."""
    name = activation_name(activation)
    if isinstance(activation, Mapping) and name in LAYERS:
        return LAYERS[name](call, source, activation["config"])
    if name not in BY_NAME:
        raise unknown_activation(name)
    return BY_NAME[name](call, source)


def with_activation(call: KerasCall, source: str) -> str:
    """`source` behind the layer's own activation, as a node of its own."""
    activation = call.config.get("activation")
    name = activation_name(activation).lower().replace(" ", "_")
    return activate(call.named(f"{call.name}_{name}"), source, activation)


# -- layers ---------------------------------------------------------------------------------------------------------


def _relu(call: KerasCall, source: str, config: Mapping[str, Any]) -> str:
    if config.get("threshold"):
        raise jumping(config["threshold"])
    return leaky_relu(call, source, config.get("negative_slope") or 0.0, config.get("max_value"))


def _leaky_relu(call: KerasCall, source: str, config: Mapping[str, Any]) -> str:
    return leaky_relu(call, source, float(config.get("negative_slope", config.get("alpha", 0.3))))


def _elu(call: KerasCall, source: str, config: Mapping[str, Any]) -> str:
    return elu(call, source, float(config.get("alpha", 1.0)))


def _softmax(call: KerasCall, source: str, config: Mapping[str, Any]) -> str:
    mask = call.kwargs.get("mask") if call.layer.kind == "Softmax" else None
    if mask is None:
        return softmax(call, source, call.axis(config.get("axis", -1), source))
    if isinstance(mask, Activation):
        left = chosen_by(call, as_truths(call, mask), Activation(source), np.asarray(-np.inf))
        return softmax(call, left, call.axis(config.get("axis", -1), source))
    seen = call.per_sample(constant(mask), len(call.shape(source))) > 0.5
    axis = call.axis(config.get("axis", -1), source)
    if not np.all(np.broadcast_to(seen, call.shape(source)).any(axis)):
        raise Refusal("its mask leaves nothing of a row", hint="leave at least one value of each row")
    return softmax(call, chosen(call, seen, Activation(source), np.asarray(-np.inf)), axis)


LAYERS: dict[str, Callable[[KerasCall, str, Mapping[str, Any]], str]] = {
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "Softmax": _softmax,
}
"""Layers that may stand in the place of an activation's name."""


def prelu(call: KerasCall) -> str:
    """A slope below zero for each value, or each along the axes that do not share it."""
    alpha, shared = call.weight("alpha"), call.config.get("shared_axes") or ()
    declared = tuple(1 if axis in shared else n for axis, n in enumerate(call.shape(), 1))
    if alpha.shape != declared:
        raise Refusal(f"its slopes of shape {alpha.shape} are not the {declared} that its configuration says")
    return leaky_relu(call, call.source(), alpha)


def thresholded(call: KerasCall) -> str:
    """``x`` above `theta`, else 0: a rectifier only where theta is 0."""
    return thresholded_relu(call, call.source(), call.config.get("theta", 1.0))


def qcfs(call: KerasCall) -> str:
    """The quantised rectifier of `snntoolbox.training.keras`: its trained threshold in so many levels."""
    threshold, levels = call.weight("threshold"), call.config.get("levels")
    if not isinstance(levels, int) or isinstance(levels, bool) or levels < 1:
        raise Refusal(f"levels = {levels!r}, which is no integer >= 1")
    bound = float(threshold) if threshold.size == 1 else threshold.reshape((1,) * (len(call.shape()) - 1) + (-1,))
    node = ReLU(name=call.name, inputs=(call.source(),), max_value=bound, levels=levels, origin=call.origin)
    return call.builder.add(node)


def _handler(layer: Callable[[KerasCall, str, Mapping[str, Any]], str]) -> Callable[[KerasCall], str]:
    def handler(call: KerasCall) -> str:
        masked = call.kwargs.get("mask") is not None
        return layer(call, call.sources[0] if masked else call.source(), call.config)

    return handler


HANDLERS = {
    "Activation": lambda call: activate(call, call.source(), call.config.get("activation")),
    **{kind: _handler(layer) for kind, layer in LAYERS.items()},
    "PReLU": prelu,
    "ThresholdedReLU": thresholded,
    QCFS: qcfs,
}
