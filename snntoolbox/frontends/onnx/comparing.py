"""Handlers of comparisons with constants, of what joins truth values, and of choices by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from snntoolbox.frontends import maps, truths
from snntoolbox.frontends.layer_call import Activation, Operand
from snntoolbox.frontends.onnx.call import OnnxCall

Joining = Callable[[OnnxCall, Operand, Operand], str]


def where(call: OnnxCall) -> str:
    """A value of the first where a condition is true, else of the second."""
    condition = call.operand(0)
    if isinstance(condition, Activation):
        return truths.chosen_by(call, condition.name, call.operand(1), call.operand(2))
    return maps.chosen(call, condition, call.operand(1), call.operand(2))


def negate(call: OnnxCall) -> str:
    """Not."""
    return truths.negated(call, call.source())


def _compared(relation: str) -> Callable[[OnnxCall], str]:
    return lambda call: truths.compared(call, call.operand(0), call.operand(1), relation)


def _joined(join: Joining) -> Callable[[OnnxCall], str]:
    return lambda call: join(call, call.operand(0), call.operand(1))


HANDLERS: Mapping[str, Callable[[OnnxCall], str]] = {
    "And": _joined(truths.both),
    "Or": _joined(truths.either),
    "Xor": _joined(truths.differing),
    "Not": negate,
    "Equal": _compared("equal"),
    "Greater": _compared("greater"),
    "GreaterOrEqual": _compared("greater_equal"),
    "Less": _compared("less"),
    "LessOrEqual": _compared("less_equal"),
    "Where": where,
}

MAKING = frozenset(HANDLERS) - {"Where"} | {"IsNaN", "IsInf"}
"""Operators whose results are truth values."""
