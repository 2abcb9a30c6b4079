"""Layers that join branches: sums, averages, extremes, concatenation."""

from __future__ import annotations

from collections.abc import Sequence

from snntoolbox.frontends.functions import extreme
from snntoolbox.frontends.keras.call import KerasCall
from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.frontends.maps import multiplied, product, weighted_sum


def _sum(call: KerasCall, coefficients: Sequence[float]) -> str:
    return weighted_sum(call, _branches(call), coefficients)


def _branches(call: KerasCall) -> list[Activation]:
    """All that is joined; an .h5 file has ``x + 1`` under the name of a layer, which knows no constants."""
    given = call.args[0] if len(call.args) == 1 and isinstance(call.args[0], list | tuple) else call.args
    if any(not isinstance(value, Activation) for value in given):
        raise Refusal("joins a constant, which no layer of this name does; .keras files tell operations from layers")
    return [Activation(source) for source in call.sources]


def add(call: KerasCall) -> str:
    """The sum of all inputs."""
    return _sum(call, (1.0,) * len(call.sources))


def subtract(call: KerasCall) -> str:
    """The first input minus the second."""
    return _sum(call, (1.0, -1.0))


def average(call: KerasCall) -> str:
    """The mean of all inputs."""
    count = len(call.sources)
    return _sum(call, (1 / count,) * count)


def scaled_sum(call: KerasCall) -> str:
    """``a + scale * b``, of `keras.applications`: the residual blocks of Inception-ResNet."""
    return _sum(call, (1.0, float(call.config["scale"])))


def maximum(call: KerasCall) -> str:
    """The largest of all inputs, value by value."""
    return extreme(call, _branches(call), 1.0)


def minimum(call: KerasCall) -> str:
    """The smallest of all inputs, value by value."""
    return extreme(call, _branches(call), -1.0)


def multiply(call: KerasCall) -> str:
    """The product of all inputs; a known function of one where it is that, such as x * sigmoid(x)."""
    branches = _branches(call)
    return product(call, *branches) if len(branches) == 2 else multiplied(call, branches)


def concatenate(call: KerasCall) -> str:
    """All inputs behind one another."""
    axis = call.axis(call.config.get("axis", -1), call.sources[0])
    return call.builder.concat(call.name, call.sources, axis, call.origin)


HANDLERS = {
    "Add": add,
    "Subtract": subtract,
    "Average": average,
    "Concatenate": concatenate,
    "Maximum": maximum,
    "Minimum": minimum,
    "Multiply": multiply,
    "CustomScaleLayer": scaled_sum,
}
