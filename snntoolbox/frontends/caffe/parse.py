"""Puts a Caffe net into a graph layer by layer, and lists every layer that cannot be taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.caffe.call import CaffeCall
from snntoolbox.frontends.caffe.handlers import HANDLERS, KEEPS_SHAPE
from snntoolbox.frontends.caffe.net import Layer, Net
from snntoolbox.frontends.layer_call import (
    LOST,
    Activation,
    Lost,
    Refusal,
    check_size,
    not_supported,
    refusals_noted,
    stand_in,
)
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.graph import Graph

# Layers of the users' own, whose code is not in the file.
_CODE = {"Python": "holds code of one's own, which no file of Caffe contains"}


def parse_net(net: Net) -> Graph:
    """The graph of a net; UnsupportedError with every offender, FrontendError where its text has what nobody knows."""
    builder = GraphBuilder("caffe")
    values: dict[str, Activation | Lost] = {}
    for name, shape in net.inputs.items():
        with refusals_noted(builder, builder.origin("Input", name)):
            check_size(shape)
        builder.check()  # nothing of that size is made
        values[name] = Activation(builder.input(name, shape))
    for layer in _rectified_first(net.layers):
        _take(builder, layer, values, net.batch)
    ends = [values[name] for name in net.outputs]
    if net.oddity:
        builder.check()
        raise FrontendError(net.oddity, hint="leave it out, or correct it: what it means is not known")
    return builder.finish([end.name for end in ends if isinstance(end, Activation)], net.name)


def _rectified_first(layers: Sequence[Layer]) -> list[Layer]:
    """Rounding that a rectifier overwrites comes behind it, which is the same: rounding keeps the sign, and zero."""
    order = list(layers)
    for i, (first, second) in enumerate(pairwise(layers)):
        plain = second.kind == "ReLU" and not second.message.relu_param.negative_slope
        if first.kind == "LPAct" and plain and second.bottoms == second.tops == first.tops:
            order[i : i + 2] = [replace(second, bottoms=first.bottoms), replace(first, bottoms=first.tops)]
    return order


def _take(builder: GraphBuilder, layer: Layer, values: dict[str, Activation | Lost], batch: int | None) -> None:
    """Set what a layer makes, or refuse it and let a stand-in of its shape carry on."""
    read = [values[name] for name in layer.bottoms]
    known = [value for value in read if isinstance(value, Activation)]
    if len(known) < len(read) and layer.kind in HANDLERS:
        values.update(dict.fromkeys(layer.tops, LOST))
        return
    origin = builder.origin(layer.kind, layer.name)
    with refusals_noted(builder, origin):
        if layer.kind not in HANDLERS:
            raise Refusal(_CODE[layer.kind]) if layer.kind in _CODE else not_supported(layer.kind)
        made = _made(
            CaffeCall(
                builder=builder,
                name=layer.name,
                origin=origin,
                sources=tuple(value.name for value in known),
                batch=batch,
                layer=layer,
            )
        )
        values.update(zip(layer.tops, made, strict=True))
        return
    shape = builder.shape(known[0].name) if known and layer.kind in KEEPS_SHAPE else None
    values.update((top, stand_in(builder, origin, shape)) for top in layer.tops)


def _made(call: CaffeCall) -> list[Activation]:
    """The nodes behind all that a layer makes."""
    if not call.sources:
        raise Refusal("reads nothing")
    added = HANDLERS[call.layer.kind](call)
    names = added if isinstance(added, tuple) else (added,)
    if len(names) != len(call.layer.tops):
        raise Refusal(f"makes {len(call.layer.tops)} blobs, and {len(names)} are known of it")
    for name in names:
        check_size(call.builder.shape(name))
    return [Activation(name) for name in names]
