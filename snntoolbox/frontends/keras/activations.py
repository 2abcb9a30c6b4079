"""Activations: those that layers name in their config, and the layers that are one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from snntoolbox.frontends.keras.step import Refused, Step
from snntoolbox.ir.nodes import ReLU, Softmax


def relu(s: Step, source: str, name: str, max_value: float | None = None) -> str:
    """A rectifier behind `source`."""
    return s.builder.add(ReLU(name=name, inputs=(source,), max_value=max_value, origin=s.origin))


def softmax(s: Step, source: str, name: str, axis: int = -1, log: bool = False) -> str:
    """A softmax over `axis` of the sample behind `source`."""
    return s.builder.add(Softmax(name=name, inputs=(source,), axis=axis, log=log, origin=s.origin))


BY_NAME: dict[str, Callable[[Step, str, str], str]] = {
    "linear": lambda s, source, name: source,
    "relu": relu,
    "relu6": lambda s, source, name: relu(s, source, name, 6.0),
    "softmax": softmax,
    "log_softmax": lambda s, source, name: softmax(s, source, name, log=True),
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
    ours = module == "builtins" or module.split(".")[0] == "keras"
    return name if ours else f"{module}.{name}"


def activate(s: Step, source: str, activation: Any, name: str) -> str:
    """`source` behind an activation of a config; Refused with its name where it is not supported."""
    known = activation_name(activation)
    if isinstance(activation, Mapping) and known in _LAYERS:
        return _LAYERS[known](s, source, name, activation["config"])
    if known not in BY_NAME:
        raise Refused(f"activation '{known}'")
    return BY_NAME[known](s, source, name)


def with_activation(s: Step, source: str) -> str:
    """`source` behind the layer's own activation, as a node of its own."""
    activation = s.config.get("activation")
    return activate(s, source, activation, f"{s.name}_{activation_name(activation).lower()}")


def _relu_layer(s: Step, source: str, name: str, config: Mapping[str, Any]) -> str:
    for key in ("negative_slope", "threshold"):
        if config.get(key):
            raise Refused(f"ReLU with {key} = {config[key]} (only 0 is supported)")
    return relu(s, source, name, config.get("max_value"))


def _softmax_layer(s: Step, source: str, name: str, config: Mapping[str, Any]) -> str:
    return softmax(s, source, name, s.axis(config.get("axis", -1), len(s.builder.shape(source))))


_LAYERS = {"ReLU": _relu_layer, "Softmax": _softmax_layer}

HANDLERS = {
    "Activation": lambda s: activate(s, s.source, s.config.get("activation"), s.name),
    "ReLU": lambda s: _relu_layer(s, s.source, s.name, s.config),
    "Softmax": lambda s: _softmax_layer(s, s.source, s.name, s.config),
}
