"""Puts a Keras model, given as plain data, into a graph layer by layer, and lists every layer that cannot be taken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from snntoolbox.errors import FrontendError
from snntoolbox.frontends import layer_call
from snntoolbox.frontends.keras.attending import CALLED_WITH
from snntoolbox.frontends.keras.call import KerasCall
from snntoolbox.frontends.keras.handlers import HANDLERS
from snntoolbox.frontends.keras.records import Net, Ref, Use, is_quantised, leaves
from snntoolbox.frontends.keras.recurrent import STATEFUL
from snntoolbox.frontends.layer_call import LOST, Activation, Lost, Refusal
from snntoolbox.frontends.truths import check_compared
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.graph import Graph

Values = Mapping[str, Activation | Lost]
"""What is behind the key of each tensor so far."""


def parse_net(net: Net) -> Graph:
    """The graph of a model; UnsupportedError that lists every offender."""
    builder = GraphBuilder("keras")
    if any(math.prod(i.shape) > layer_call.MOST_VALUES for i in net.inputs):
        raise FrontendError(f"an input of '{net.name}' is too large: {[i.shape for i in net.inputs]}")
    values: dict[str, Activation | Lost] = {}
    for given in net.inputs:
        values[given.key] = Activation(name := builder.input(given.name, given.shape))
        if given.truths:
            builder.take_truths(name)
    for use in net.uses:
        values.update(zip(use.outputs, _outputs(builder, net, use, values), strict=True))
    check_compared(builder)
    builder.check()
    outputs = [values[key] for key in net.outputs]
    return builder.finish([v.name for v in outputs if isinstance(v, Activation)], net.name)


def _outputs(builder: GraphBuilder, net: Net, use: Use, values: Values) -> tuple[Activation | Lost, ...]:
    """The outputs of one use of a layer; stand-ins where it is refused."""
    origin = builder.origin(use.layer.kind, use.layer.name)
    with layer_call.refusals_noted(builder, origin):
        _check(use)
        if use.layer.kind not in HANDLERS:
            raise layer_call.not_supported(use.layer.kind)
        return _handled(builder, net, use, values)
    return tuple(layer_call.stand_in(builder, origin, shape) for shape in use.shapes)


def _handled(builder: GraphBuilder, net: Net, use: Use, values: Values) -> tuple[Activation | Lost, ...]:
    """What the layer's handler adds to the graph; nothing behind a layer of which not even the shape is known."""
    layer, args, kwargs = use.layer, _with_values(use.args, values), _with_values(use.kwargs, values)
    read = leaves((args, kwargs), (Activation, Lost))
    if any(isinstance(value, Lost) for value in read):
        return (LOST,) * len(use.outputs)
    sources, origin = tuple(value.name for value in read), builder.origin(layer.kind, layer.name)
    common: dict[str, Any] = {"builder": builder, "name": layer.name, "origin": origin, "sources": sources}
    added = HANDLERS[layer.kind](KerasCall(**common, net=net, layer=layer, args=args, kwargs=kwargs))
    nodes = (added,) if isinstance(added, str) else added
    if len(nodes) != len(use.outputs):
        raise layer_call.not_supported(layer.kind)
    for node in nodes:
        layer_call.check_size(builder.shape(node))
    return tuple(map(Activation, nodes))


def _check(use: Use) -> None:
    """Refuse what would change a layer's meaning behind its handler's back."""
    layer = use.layer
    if is_quantised(layer.config or {}):
        raise layer_call.not_supported(layer.kind, layer_call.QUANTISED)
    if layer.refused is not None:
        raise Refusal(layer.refused)
    if layer.config is None and layer.kind in HANDLERS:
        raise Refusal("its configuration cannot be read")
    for key, value in use.kwargs.items():
        # At inference Keras overrides whatever `training` a layer was called with.
        stated = ("initial_state",) if layer.kind in STATEFUL else ()
        known = ("inputs", "training", *CALLED_WITH.get(layer.kind, stated))
        if key not in known and not (value is None or value is False):
            raise Refusal(f"called with {key}={'a tensor' if leaves(value, Ref) else value}")
    for name, weight in layer.weights.items():
        layer_call.real(weight)
        if layer.kind in HANDLERS and not np.isfinite(weight).all():
            raise Refusal(f"'{name}' holds NaN or infinity")


def _with_values(argument: Any, values: Values) -> Any:
    """An argument with each tensor's key replaced by the value behind it."""
    if isinstance(argument, Ref):
        return values[argument.key]
    if isinstance(argument, Mapping):
        return {k: _with_values(v, values) for k, v in argument.items()}
    if isinstance(argument, list | tuple):
        return tuple(_with_values(v, values) for v in argument)
    return argument
