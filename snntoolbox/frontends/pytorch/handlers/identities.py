"""Handlers of operations that do nothing at inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from snntoolbox.frontends.pytorch.call import EVALUATE, Activation, Call, Refused


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
        raise Refused("dropout in training mode", hint=EVALUATE)
    return Activation(call.source())


def native_dropout(call: Call) -> list[Any]:
    """Dropout with its mask as second result."""
    return [dropout(call), None]


HANDLERS: dict[str, Callable[[Call], Any]] = {
    **dict.fromkeys(("clone", "contiguous", "detach", "alias", "positive", "lift_fresh_copy", "lift_fresh"), nothing),
    **dict.fromkeys(("to", "_to_copy", "type_as"), cast),
    **dict.fromkeys(("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"), dropout),
    "native_dropout": native_dropout,
}
