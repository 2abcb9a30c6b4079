"""Truth values that depend on the input, as numbers 0 and 1: what compares and joins them, and chooses by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from snntoolbox.frontends.layer_call import Activation, LayerCall, Operand, Refusal, broadcast_shape
from snntoolbox.frontends.maps import finite, multiplied, weighted_sum
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Add, Input, Mean, MovingNode, Multiply, ReLU, Scale

Relation = Callable[[Array, Array], Array]
"""What compares two arrays, value by value."""

RELATIONS: Mapping[str, Relation] = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
}

_TURNED = {"greater": "less", "less": "greater", "greater_equal": "less_equal", "less_equal": "greater_equal"}

_OWN_INPUT = (
    "give what is compared as an input of its own, a mask of 0 and 1, or take a rectifier or a product in place of the "
    "choice; a mask may also be added to the scores of a softmax, as (1 - mask) * -10000"
)


def unknown_truths(what: str) -> Refusal:
    """The refusal of what makes truth values of other numbers than 0 and 1."""
    return Refusal(f"{what} values that depend on the input and are no truth values of it", hint=_OWN_INPUT)


# -- what is known to be 0 or 1 -------------------------------------------------------------------------------------


def are_truths(builder: GraphBuilder, name: str) -> bool:
    """Whether all values of a node are 0 or 1, as far as its kind and those before it tell."""
    node = builder.node(name)
    if isinstance(node, Input):
        return node.truths
    if isinstance(node, ReLU):
        return node.max_value == 1 and node.levels is None and _counts_truths(builder, node.inputs[0])
    values: list[Array] = []
    if isinstance(node, Scale):
        shift = np.zeros(()) if node.bias is None else node.bias
        values = [shift, node.gain + shift]
    elif isinstance(node, MovingNode):
        values = [] if node.bias is None else [node.bias]
    elif not isinstance(node, Multiply):
        return False
    return all(np.all((v == 0) | (v == 1)) for v in values) and all(are_truths(builder, i) for i in node.inputs)


def _counts_truths(builder: GraphBuilder, name: str) -> bool:
    """Whether it is a sum of truth values and whole numbers."""
    node = builder.node(name)
    if not isinstance(node, Add) or (node.bias is not None and np.any(node.bias != np.rint(node.bias))):
        return False
    whole = node.coefficients is None or all(c in (-1, 1) for c in node.coefficients)
    return whole and all(are_truths(builder, i) for i in node.inputs)


def check_compared(builder: GraphBuilder) -> None:
    """Refuse comparisons of inputs that the model computes with as with other numbers than 0 and 1."""
    for name, origin in builder.compared.items():
        same = {name}
        for node in builder.nodes.values():
            if not same.intersection(node.inputs):
                continue
            if isinstance(node, Scale | MovingNode):
                same.add(node.name)
            elif _computes(builder, node, same):
                reason = f"compares the input '{name}', with which {node.label} computes as with other numbers"
                builder.refuse(origin, reason, hint=_OWN_INPUT)
                break


def _computes(builder: GraphBuilder, node: Node, same: set[str]) -> bool:
    """Whether a node is of those by which masks are not read: weights, functions, values that choose themselves."""
    if isinstance(node, Multiply) and same.issuperset(node.inputs):
        return node.inputs[0] == node.inputs[1] or not all(are_truths(builder, i) for i in node.inputs)
    return not isinstance(node, Multiply | Add | Mean)


# -- making them ----------------------------------------------------------------------------------------------------


def compared(call: LayerCall, first: Operand, second: Operand, relation: str) -> str:
    """Whether values of an input of truth values, moved and scaled, stand in a relation to a constant.

    An input that is compared so takes 0 and 1 alone from then on. With y(0) and y(1) what the relation says where
    that input is 0, and 1, the truth is ``y(0) + (y(1) - y(0)) m`` for a truth m. Where both are the same for what
    comes from the input, that is one of other numbers, and refused.
    """
    if not isinstance(first, Activation):
        return compared(call, second, first, _TURNED.get(relation, relation))
    if isinstance(second, Activation):
        raise unknown_truths("compares with one another")
    source, behind = _bare(call, first.name)
    for name in behind:
        if isinstance(call.builder.node(name), Input):
            call.builder.take_truths(name, call.origin)
    constant = call.per_sample(second, len(call.shape(first.name)))
    shape = broadcast_shape([call.shape(first.name), constant.shape])
    values = [_at(call.builder, first.name, behind, level) for level in (0.0, 1.0)]
    low, high = (np.broadcast_to(RELATIONS[relation](value, constant), (1, *shape))[0] for value in values)
    if np.any((low == high) & (values[0] != values[1])[0]):
        raise Refusal("compares an input with numbers that do not tell 0 from 1, such as lengths", hint=_OWN_INPUT)
    return _line(call, call.broadcast(source, shape), low, high)


def _line(call: LayerCall, source: str, low: Array, high: Array) -> str:
    """What is `low` where a truth is 0 and `high` where it is 1; the source itself where that says the same."""
    if not low.any() and high.all():
        return source
    first, last = (np.asarray(v, np.float64) for v in (low, high))
    same = np.ptp(first) == np.ptp(last) == 0
    first, last = (v.ravel()[0].reshape((1,) * v.ndim) if same else v for v in (first, last))
    return call.builder.affine(call.name, source, last - first, first if first.any() else None, call.origin)


def _bare(call: LayerCall, source: str) -> tuple[str, set[str]]:
    """The truth values of which a node is made, as it moves them but not scaled; and what they come from."""
    build, node = call.builder, call.builder.node(source)
    if are_truths(build, source) or isinstance(node, Input):
        return source, {source}
    if not isinstance(node, Scale | MovingNode):
        raise unknown_truths("compares")
    found = [_bare(call, i) for i in node.inputs]
    behind = {name for _, names in found for name in names}
    if isinstance(node, Scale):
        return found[0][0], behind
    below = [name for name, _ in found]
    if below == list(node.inputs) and node.bias is None:
        return source, behind
    return build.add(node.with_inputs(*below).with_bias(None)), behind


def _at(builder: GraphBuilder, source: str, behind: set[str], level: float) -> Array:
    """The values of a node, as a batch of one, where what lies behind it has one value."""
    if source in behind:
        return np.full((1, *builder.shape(source)), level)
    node = builder.node(source)
    return np.asarray(node.apply(*(_at(builder, i, behind, level) for i in node.inputs)))


def negated(call: LayerCall, source: str) -> str:
    """Not: ``1 - x``."""
    return call.builder.affine(call.name, source, np.full((), -1.0), np.full((), 1.0), call.origin)


def both(call: LayerCall, first: Operand, second: Operand) -> str:
    """And: ``max(x + y - 1, 0)``, exact for 0 and 1."""
    sources, constants = call.broadcast_together([first, second])
    if constants:
        seen = constants[0] != 0
        return _line(call, sources[0], np.zeros_like(seen), seen)
    return sources[0] if sources[0] == sources[1] else _count(call, sources, -1.0)


def either(call: LayerCall, first: Operand, second: Operand) -> str:
    """Or: ``min(x + y, 1)``, exact for 0 and 1."""
    sources, constants = call.broadcast_together([first, second])
    if constants:
        seen = constants[0] != 0
        return _line(call, sources[0], seen, np.ones_like(seen))
    return sources[0] if sources[0] == sources[1] else _count(call, sources, 0.0)


def differing(call: LayerCall, first: Operand, second: Operand) -> str:
    """Exclusive or, with a constant."""
    sources, constants = call.broadcast_together([first, second])
    if not constants:
        raise unknown_truths("compares with one another")
    seen = constants[0] != 0
    return _line(call, sources[0], seen, ~seen)


def _count(call: LayerCall, sources: list[str], bias: float) -> str:
    rank = len(call.shape(sources[0]))
    shift = np.full((1,) * rank, bias) if bias else None
    total = call.builder.add(Add(name=f"{call.name}_count", inputs=tuple(sources), bias=shift, origin=call.origin))
    return call.builder.add(ReLU(name=call.name, inputs=(total,), max_value=1.0, origin=call.origin))


# -- choosing by them -----------------------------------------------------------------------------------------------


def chosen_by(call: LayerCall, condition: str, first: Operand, second: Operand) -> str:
    """`first` where a truth is 1, else `second`: ``x m + y (1 - m)``, with minus infinity as a very small number."""
    if not are_truths(call.builder, condition):
        raise unknown_truths("chooses by")
    operands, rank = (first, second), len(call.shape(condition))
    shapes = [call.shape(o.name) if isinstance(o, Activation) else call.per_sample(o, rank).shape for o in operands]
    if any(isinstance(o, Activation) and len(s) != rank for o, s in zip(operands, shapes, strict=True)):
        raise Refusal(f"its truth values of shape {call.shape(condition)} do not fit {', '.join(map(str, shapes))}")
    truths = call.broadcast(condition, broadcast_shape([call.shape(condition), *shapes]))
    parts = [p for i in (0, 1) if (p := _part(call, truths, operands[i], bool(i))) is not None]
    if not parts:
        return call.builder.affine(call.name, truths, np.zeros(()), None, call.origin)
    return weighted_sum(call, [Activation(p) for p in parts], (1.0,) * len(parts))


def _part(call: LayerCall, truths: str, operand: Operand, otherwise: bool) -> str | None:
    """What an operand gives where the truth is 1, or where it is 0, and zeros elsewhere; None for nothing but these."""
    if isinstance(operand, Activation):
        here = negated(call.named(f"{call.name}_not"), truths) if otherwise else truths
        return multiplied(call.named(f"{call.name}_kept"), [operand, Activation(here)])
    constant = np.asarray(finite(call.per_sample(operand, len(call.shape(truths)))), np.float64)
    if not constant.any():
        return None
    name = f"{call.name}_filled"
    return call.builder.affine(
        name, truths, -constant if otherwise else constant, constant if otherwise else None, call.origin
    )
