"""Lowers a Keras model, given as plain data, to a graph; lists every layer that it cannot take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from snntoolbox.errors import FrontendError, GraphError
from snntoolbox.frontends.keras.handlers import HANDLERS
from snntoolbox.frontends.keras.records import Call, Net, Ref, refs
from snntoolbox.frontends.keras.step import MAX_VALUES, Refused, Step, check_size
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.graph import Graph

NOT_SUPPORTED = "this layer is not supported"


def lower(net: Net) -> Graph:
    """The graph of a model; UnsupportedError that lists every offender."""
    builder = GraphBuilder("keras")
    if any(math.prod(i.shape) > MAX_VALUES for i in net.inputs):
        raise FrontendError(f"an input of '{net.name}' is too large: {[i.shape for i in net.inputs]}")
    # A tensor's node; None behind a refused layer whose shape is unknown, where nothing more can be examined.
    nodes: dict[str, str | None] = {i.key: builder.input(i.name, i.shape) for i in net.inputs}
    for call in net.calls:
        nodes.update(zip(call.outputs, _lower_call(builder, net, call, nodes), strict=True))
    builder.check()
    return builder.finish([str(nodes[key]) for key in net.outputs], net.name)


def _lower_call(builder: GraphBuilder, net: Net, call: Call, nodes: Mapping[str, str | None]) -> tuple[str | None, ...]:
    """The nodes of the call's outputs."""
    origin = builder.origin(call.layer.kind, call.layer.name)
    try:
        _check(call)
        handler = HANDLERS.get(call.layer.kind)
        if handler is None or len(call.outputs) != 1:
            raise Refused(NOT_SUPPORTED)
        if any(nodes[r.key] is None for r in refs((call.args, call.kwargs))):
            return (None,) * len(call.outputs)
        step = Step(builder, net, call.layer, _on_nodes(call.args, nodes), _on_nodes(call.kwargs, nodes))
        node = handler(step)
        check_size(builder.shape(node))
        return (node,)
    except (Refused, GraphError) as error:
        reason = error.message if isinstance(error, GraphError) else str(error)
        builder.refuse(origin, reason)
    stem = call.layer.name
    known = [None if shape is None or math.prod(shape) > MAX_VALUES else shape for shape in call.shapes]
    return tuple(None if shape is None else builder.input(stem, shape) for shape in known)


def _check(call: Call) -> None:
    """Refuse what would change a layer's meaning behind its handler's back."""
    layer = call.layer
    if layer.refused is not None:
        raise Refused(layer.refused)
    if layer.config is None and layer.kind in HANDLERS:
        raise Refused("its configuration cannot be read")
    if "Quantized" in str((layer.config or {}).get("dtype")):
        raise Refused("quantized weights")
    for key, value in call.kwargs.items():
        # At inference Keras overrides whatever `training` a layer was called with.
        if key not in ("inputs", "training") and not (value is None or value is False):
            raise Refused(f"called with {key}={'a tensor' if refs(value) else value}")
    for name, weight in layer.weights.items():
        if layer.kind in HANDLERS and not np.isfinite(weight).all():
            raise Refused(f"'{name}' holds NaN or infinity")


def _on_nodes(value: Any, nodes: Mapping[str, str | None]) -> Any:
    """The arguments with each tensor's key replaced by its node's name."""
    if isinstance(value, Ref):
        return Ref(str(nodes[value.key]))
    if isinstance(value, Mapping):
        return {k: _on_nodes(v, nodes) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_on_nodes(v, nodes) for v in value)
    return value
