"""Activations: those that layers name in their config, and the layers that are one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from snntoolbox.frontends.keras.legacy import OLD_HARD_SIGMOID
from snntoolbox.frontends.keras.runtime import QCFS
from snntoolbox.frontends.keras.step import Refused, Step
from snntoolbox.ir.nodes import Add, Elementwise, ReLU, Softmax
from snntoolbox.ir.rectifying import add_clip, add_leaky_relu


def relu(s: Step, source: str, name: str, max_value: float | None = None) -> str:
    """A rectifier behind `source`."""
    return s.builder.add(ReLU(name=name, inputs=(source,), max_value=max_value, origin=s.origin))


def softmax(s: Step, source: str, name: str, axis: int = -1, log: bool = False) -> str:
    """A softmax over `axis` of the sample behind `source`."""
    return s.builder.add(Softmax(name=name, inputs=(source,), axis=axis, log=log, origin=s.origin))


def smooth(s: Step, source: str, name: str, function: str) -> str:
    """A smooth function of each value behind `source`."""
    return s.builder.add(Elementwise(name=name, inputs=(source,), function=function, origin=s.origin))


def leaky(s: Step, source: str, name: str, slope: float) -> str:
    """A rectifier with a slope below zero."""
    return add_leaky_relu(s.builder, name, source, slope, None, s.origin)


def clip(s: Step, source: str, name: str, low: float | None, high: float | None) -> str:
    """``min(max(x, low), high)``; None is no bound."""
    return add_clip(s.builder, name, source, low, high, s.origin)


def hard_sigmoid(s: Step, source: str, name: str, slope: float) -> str:
    """``clip(slope * x + 0.5, 0, 1)``."""
    line = s.builder.affine(f"{name}_line", source, np.full((), slope), np.full((), 0.5), s.origin)
    return clip(s, line, name, 0.0, 1.0)


def elu(s: Step, source: str, name: str, alpha: float = 1.0) -> str:
    """``x`` above zero, ``alpha * (exp(x) - 1)`` below: ``alpha * elu(x) + (1 - alpha) * relu(x)``."""
    plain = smooth(s, source, name, "elu")
    if alpha == 1:
        return plain
    parts = (plain, relu(s, source, f"{name}_relu"))
    scaled = Add(name=f"{name}_scaled", inputs=parts, coefficients=(alpha, 1 - alpha), origin=s.origin)
    return s.builder.add(scaled)


_SMOOTH = ("sigmoid", "tanh", "gelu", "silu", "mish", "elu", "selu", "softplus")

BY_NAME: dict[str, Callable[[Step, str, str], str]] = {
    "linear": lambda s, source, name: source,
    "relu": relu,
    "relu6": partial(relu, max_value=6.0),
    "leaky_relu": partial(leaky, slope=0.2),
    "hard_tanh": partial(clip, low=-1.0, high=1.0),
    "hard_sigmoid": partial(hard_sigmoid, slope=1 / 6),
    OLD_HARD_SIGMOID: partial(hard_sigmoid, slope=0.2),
    "softmax": softmax,
    "log_softmax": partial(softmax, log=True),
    **{name: partial(smooth, function=name) for name in _SMOOTH},
    "swish": partial(smooth, function="silu"),
    "hard_silu": partial(smooth, function="hard_swish"),
    "hard_swish": partial(smooth, function="hard_swish"),
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
    if isinstance(activation, Mapping) and known in LAYERS:
        return LAYERS[known](s, source, name, activation["config"])
    if known not in BY_NAME:
        raise Refused(f"activation '{known}'")
    return BY_NAME[known](s, source, name)


def with_activation(s: Step, source: str) -> str:
    """`source` behind the layer's own activation, as a node of its own."""
    activation = s.config.get("activation")
    return activate(s, source, activation, f"{s.name}_{activation_name(activation).lower().replace(' ', '_')}")


def _relu_layer(s: Step, source: str, name: str, config: Mapping[str, Any]) -> str:
    if config.get("threshold"):
        raise Refused(f"jumps at its threshold of {config['threshold']}")
    high, slope = config.get("max_value"), config.get("negative_slope") or 0.0
    return add_leaky_relu(s.builder, name, source, slope, high, s.origin)


def _leaky_layer(s: Step, source: str, name: str, config: Mapping[str, Any]) -> str:
    slope = config.get("negative_slope", config.get("alpha", 0.3))
    return leaky(s, source, name, float(slope))


def _softmax_layer(s: Step, source: str, name: str, config: Mapping[str, Any]) -> str:
    return softmax(s, source, name, s.axis(config.get("axis", -1), len(s.builder.shape(source))))


def _elu_layer(s: Step, source: str, name: str, config: Mapping[str, Any]) -> str:
    return elu(s, source, name, float(config.get("alpha", 1.0)))


def prelu(s: Step) -> str:
    """A slope below zero for each value, or each along the axes that do not share it."""
    alpha, shared = s.weight("alpha"), s.config.get("shared_axes") or ()
    wanted = tuple(1 if axis in shared else n for axis, n in enumerate(s.shape, 1))
    if alpha.shape != wanted:
        raise Refused(f"alpha of shape {alpha.shape}, not {wanted}")
    return add_leaky_relu(s.builder, s.name, s.source, alpha, None, s.origin)


def thresholded(s: Step) -> str:
    """``x`` above `theta`, else 0: a rectifier only where theta is 0."""
    if s.config.get("theta", 1.0):
        raise Refused(f"jumps at its threshold of {s.config.get('theta', 1.0)}")
    return relu(s, s.source, s.name)


def qcfs(s: Step) -> str:
    """The quantised rectifier of `snntoolbox.training.keras`: its trained threshold in so many levels."""
    threshold, levels = s.weight("threshold"), s.config.get("levels")
    if not isinstance(levels, int) or isinstance(levels, bool) or levels < 1:
        raise Refused(f"levels = {levels!r}, which is no integer >= 1")
    bound = float(threshold) if threshold.size == 1 else threshold.reshape((1,) * (len(s.shape) - 1) + (-1,))
    node = ReLU(name=s.name, inputs=(s.source,), max_value=bound, levels=levels, origin=s.origin)
    return s.builder.add(node)


LAYERS = {"ReLU": _relu_layer, "LeakyReLU": _leaky_layer, "ELU": _elu_layer, "Softmax": _softmax_layer}
"""Layers that may stand in the place of an activation's name."""


def _handler(layer: Callable[[Step, str, str, Mapping[str, Any]], str]) -> Callable[[Step], str]:
    return lambda s: layer(s, s.source, s.name, s.config)


HANDLERS = {
    "Activation": lambda s: activate(s, s.source, s.config.get("activation"), s.name),
    **{kind: _handler(layer) for kind, layer in LAYERS.items()},
    "PReLU": prelu,
    "ThresholdedReLU": thresholded,
    QCFS: qcfs,
}
