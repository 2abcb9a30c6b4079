"""Operations of ``keras.ops`` that make truth values, join them, and choose by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from snntoolbox.frontends import maps, truths
from snntoolbox.frontends.keras.call import KerasCall, constant
from snntoolbox.frontends.layer_call import Activation, Operand, Refusal


def where(call: KerasCall) -> str:
    """A value of the first where a condition is true, else of the second."""
    if len(call.args) != 3:
        raise Refusal("called in a way that is not supported")
    condition, *others = (a if isinstance(a, Activation) else constant(a) for a in call.args)
    if isinstance(condition, Activation):
        return truths.chosen_by(call, as_truths(call, condition), *others)
    return maps.chosen(call, condition, *others)


def cast(call: KerasCall) -> str:
    """The input itself, or whether it is not 0; a cast of other numbers than truth values to integers would round."""
    kind = str(call.config.get("dtype"))
    if kind == "bool":
        return as_truths(call, Activation(call.source()))
    if kind not in ("float32", "float64") and not truths.are_truths(call.builder, call.source()):
        raise Refusal(f"casts to {kind}; only float32 and float64 are wide enough")
    return call.source()


def as_truths(call: KerasCall, value: Activation) -> str:
    """Whether values are not 0."""
    if truths.are_truths(call.builder, value.name):
        return value.name
    return truths.compared(call.named(f"{call.name}_truths"), value, np.zeros(()), "not_equal")


def seen_by(call: KerasCall, masks: list[Any]) -> Activation | None:
    """The truth that all of several masks of the input are true; None for none."""
    found: Activation | None = None
    for k, mask in enumerate(masks):
        named = call.named(f"{call.name}_mask_{k}")
        other = Activation(as_truths(named, mask))
        found = other if found is None else Activation(truths.both(named, found, other))
    return found


def _truth(call: KerasCall, value: Any) -> Operand:
    """A branch or a constant as truth values."""
    return Activation(as_truths(call, value)) if isinstance(value, Activation) else constant(value) != 0


def _compared(relation: str) -> Callable[[KerasCall], str]:
    return lambda call: truths.compared(call, *call.operands(), relation)


def _joined(join: Callable[[KerasCall, Operand, Operand], str]) -> Callable[[KerasCall], str]:
    return lambda call: join(call, *(_truth(call, value) for value in call.operands()))


COMPARING: Mapping[str, Callable[[KerasCall], str]] = {
    "Cast": cast,
    "Equal": _compared("equal"),
    "NotEqual": _compared("not_equal"),
    "Greater": _compared("greater"),
    "GreaterEqual": _compared("greater_equal"),
    "Less": _compared("less"),
    "LessEqual": _compared("less_equal"),
    "LogicalAnd": _joined(truths.both),
    "LogicalOr": _joined(truths.either),
    "LogicalXor": _joined(truths.differing),
    "LogicalNot": lambda call: truths.negated(call, as_truths(call, Activation(call.source()))),
    "Where": where,
}
