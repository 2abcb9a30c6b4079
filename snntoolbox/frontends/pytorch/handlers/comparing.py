"""Handlers of comparisons with constants, and of what joins truth values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snntoolbox.frontends import truths
from snntoolbox.frontends.layer_call import Operand, Refusal
from snntoolbox.frontends.pytorch.call import TorchCall


def _compared(relation: str) -> Callable[[TorchCall], str]:
    return lambda call: truths.compared(call, call.operand("self"), call.operand("other"), relation)


def negate(call: TorchCall) -> str:
    """Not."""
    (source,) = _truths(call, "self")
    return truths.negated(call, getattr(source, "name", ""))


def _joined(join: Callable[[TorchCall, Operand, Operand], str]) -> Callable[[TorchCall], str]:
    return lambda call: join(call, *_truths(call, "self", "other"))


def _truths(call: TorchCall, *names: str) -> list[Operand]:
    """Arguments that are truth values; whole numbers are joined bit by bit, which nothing here does."""
    found = [call.operand(name) for name in names]
    if any(name not in call.truths for name in call.sources):
        raise Refusal(f"{call.op} of numbers that depend on the input", hint="compare them first: mask != 0")
    return found


HANDLERS: dict[str, Callable[[TorchCall], Any]] = {
    **dict.fromkeys(("eq", "equal"), _compared("equal")),
    **dict.fromkeys(("ne", "not_equal"), _compared("not_equal")),
    **dict.fromkeys(("gt", "greater"), _compared("greater")),
    **dict.fromkeys(("ge", "greater_equal"), _compared("greater_equal")),
    **dict.fromkeys(("lt", "less"), _compared("less")),
    **dict.fromkeys(("le", "less_equal"), _compared("less_equal")),
    **dict.fromkeys(("logical_not", "bitwise_not"), negate),
    **dict.fromkeys(("logical_and", "bitwise_and", "__and__"), _joined(truths.both)),
    **dict.fromkeys(("logical_or", "bitwise_or", "__or__"), _joined(truths.either)),
    **dict.fromkeys(("logical_xor", "bitwise_xor", "__xor__"), _joined(truths.differing)),
}
