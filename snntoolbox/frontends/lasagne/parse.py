"""Puts the expressions of an opened Lasagne model into a graph, and lists what cannot be taken, by layer."""

from __future__ import annotations

from typing import Any

from snntoolbox.frontends.lasagne.call import LasagneCall
from snntoolbox.frontends.lasagne.expressions import Expression, Shared, inside, ordered
from snntoolbox.frontends.lasagne.handlers import HANDLERS
from snntoolbox.frontends.lasagne.model import LasagneModel
from snntoolbox.frontends.lasagne.predicting import COMPUTED, constant
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
from snntoolbox.ir.node import Array, Origin

_LAYERS = "lasagne.layers."


def parse_model(model: LasagneModel) -> Graph:
    """The graph of a model; UnsupportedError with every offender."""
    builder = GraphBuilder("lasagne")
    values: dict[int, Any] = {}
    for name, (expression, shape) in model.inputs.items():
        with refusals_noted(builder, builder.origin("InputLayer", name)):
            check_size(shape)
        builder.check()  # nothing of that size is made
        values[id(expression)] = Activation(builder.input(name, shape))
    for node in ordered(list(model.outputs)):
        if id(node) not in values:
            values[id(node)] = _value(builder, node, values)
    ends = [values[id(output)] for output in model.outputs]
    for end, output in zip(ends, model.outputs, strict=True):
        if not isinstance(end, Activation | Lost):
            builder.refuse(_origin(builder, output), "does not depend on the input")
    return builder.finish([end.name for end in ends if isinstance(end, Activation)], model.name)


def _origin(builder: GraphBuilder, node: Expression) -> Origin:
    kind, name = node.layer or (node.op, node.op)
    return builder.origin(node.op.removeprefix(_LAYERS) if node.op.startswith(_LAYERS) else kind, name)


def _value(builder: GraphBuilder, node: Expression, values: dict[int, Any]) -> Activation | Lost | Array:
    """What an expression stands for: a node of the graph, a constant, or nothing that is known."""
    read = [values[id(e)] for operand in node.operands for e in inside(operand)]
    if any(isinstance(value, Lost) for value in read):
        return LOST
    origin = _origin(builder, node)
    if not any(isinstance(value, Activation) for value in read):
        with refusals_noted(builder, origin):
            return _folded(node)
        return LOST
    with refusals_noted(builder, origin):
        if node.op not in HANDLERS:
            known = node.op.removeprefix(_LAYERS)
            raise not_supported(known, f"Lasagne's {known}" if node.op != known else f"Theano's '{node.op}'")
        return _added(builder, node, origin, values)
    sources = [value for value in read if isinstance(value, Activation)]
    same = node.op.startswith(_LAYERS) and len(sources) == 1
    return stand_in(builder, origin, builder.shape(sources[0].name) if same else None)


def _folded(node: Expression) -> Array:
    """The value of a constant."""
    if not isinstance(node, Shared) and node.op not in COMPUTED:
        raise Refusal(f"Theano's '{node.op}' is not supported")
    try:
        return constant(node)
    except (KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise Refusal(f"its '{node.op}' cannot be worked out: {error}") from error


def _added(builder: GraphBuilder, node: Expression, origin: Origin, values: dict[int, Any]) -> Activation:
    """The node of the graph behind an operation."""
    operands = tuple(_operand(operand, values) for operand in node.operands)
    sources = tuple(o.name for o in operands if isinstance(o, Activation))
    call = LasagneCall(
        builder=builder, name=origin.name, origin=origin, sources=sources, operands=operands, settings=node.settings
    )
    try:
        name = HANDLERS[node.op](call)
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise Refusal(f"its '{node.op}' is malformed: {error}") from error
    check_size(builder.shape(name))
    return Activation(name)


def _operand(operand: Any, values: dict[int, Any]) -> Any:
    if isinstance(operand, Expression):
        return values[id(operand)]
    if isinstance(operand, list | tuple):
        return [_operand(o, values) for o in operand]
    return operand
