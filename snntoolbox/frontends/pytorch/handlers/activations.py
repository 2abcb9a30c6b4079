"""Handlers of rectifiers, softmax, and operations that do nothing at inference."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from snntoolbox.frontends.pytorch.call import Activation, Call, Refused
from snntoolbox.ir.nodes import ReLU, Softmax


def _rectify(call: Call, upper: float | None) -> Activation:
    if upper is not None and math.isinf(upper):
        upper = None
    return Activation(
        call.builder.add(ReLU(name=call.name, inputs=(call.source(),), max_value=upper, origin=call.origin))
    )


def relu(call: Call) -> Activation:
    """``max(x, 0)``."""
    return _rectify(call, None)


def relu6(call: Call) -> Activation:
    """``min(max(x, 0), 6)``."""
    return _rectify(call, 6.0)


def clamp(call: Call) -> Activation:
    """``min(max(x, 0), upper)``; other lower bounds are refused."""
    low_name, high_name = ("min_val", "max_val") if call.op == "hardtanh" else ("min", "max")
    low, high = call.number(low_name), call.number(high_name)
    if low is None or low != 0 or (high is not None and high <= 0):
        raise Refused(f"{call.op} between {low} and {high}: only a lower bound of 0 is a rectifier")
    return _rectify(call, high)


def threshold(call: Call) -> Activation:
    """``x if x > 0 else 0``; other thresholds are refused."""
    if call.number("threshold") != 0 or call.number("value") != 0:
        raise Refused("a threshold other than 0")
    return _rectify(call, None)


def softmax(call: Call) -> Activation:
    """Softmax or its logarithm along an axis of the sample."""
    source = call.source()
    axis, log = call.axis(int(call.args["dim"]), source), "log" in call.op
    node = Softmax(name=call.name, inputs=(source,), axis=axis, log=log, origin=call.origin)
    return Activation(call.builder.add(node))


def nothing(call: Call) -> Activation:
    """The same value."""
    return Activation(call.source())


def cast(call: Call) -> Activation:
    """The same value, where its type stays wide enough."""
    if call.out.dtype not in (torch.float32, torch.float64):
        raise Refused(f"conversion to {str(call.out.dtype).removeprefix('torch.')}")
    return Activation(call.source())


def dropout(call: Call) -> Activation:
    """The same value; dropout at work is refused."""
    if call.get("train", False) and call.number("p") != 0:
        raise Refused("dropout in training mode: call model.eval() before torch.export")
    return Activation(call.source())


def native_dropout(call: Call) -> list[Any]:
    """Dropout with its mask as second result."""
    return [dropout(call), None]


HANDLERS: dict[str, Callable[[Call], Any]] = {
    "relu": relu,
    "relu6": relu6,
    "hardtanh": clamp,
    "clamp": clamp,
    "clip": clamp,
    "clamp_min": clamp,
    "threshold": threshold,
    **dict.fromkeys(("softmax", "log_softmax", "_softmax", "_log_softmax", "special_softmax"), softmax),
    **dict.fromkeys(("clone", "contiguous", "detach", "alias", "positive", "lift_fresh_copy", "lift_fresh"), nothing),
    **dict.fromkeys(("to", "_to_copy", "type_as"), cast),
    **dict.fromkeys(("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"), dropout),
    "native_dropout": native_dropout,
}
