"""Where the windows of convolutions and poolings lie, from ONNX' attributes."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.frontends.onnx.call import Call, Refusal
from snntoolbox.ir.builder import same_padding
from snntoolbox.ir.node import Shape
from snntoolbox.ir.nodes.windows import Padding

LARGEST = 2**24  # of any stride, dilation, kernel or pad


@dataclass(frozen=True)
class Window:
    """Kernel, stride, dilation and (before, after) padding per spatial axis."""

    kernel: Shape
    stride: Shape
    dilation: Shape
    padding: Padding


def window(call: Call, kernel: Shape) -> Window:
    """The windows of this call over the spatial axes of its input (all but the channels)."""
    space = call.shape()[1:]
    rank = len(space)
    given = tuple(call.attribute("kernel_shape", kernel))
    if given != tuple(kernel) or rank < 1 or len(kernel) != rank:
        raise Refusal(f"kernel {given} does not fit samples of shape {call.shape()}")
    stride, dilation = (_positive(call, what, rank) for what in ("strides", "dilations"))
    if min(kernel) < 1 or max(kernel) > LARGEST:
        raise Refusal(f"kernel {given} is malformed")
    return Window(tuple(kernel), stride, dilation, _padding(call, space, tuple(kernel), stride, dilation))


def _positive(call: Call, what: str, rank: int) -> Shape:
    values = tuple(call.attribute(what, (1,) * rank))
    if len(values) != rank or not all(1 <= v <= LARGEST for v in values):
        raise Refusal(f"{what} {values} are malformed")
    return values


def _padding(call: Call, space: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Padding:
    """The pads of every form of auto_pad."""
    mode = call.attribute("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        return same_padding(space, kernel, stride, dilation, odd_before=mode == "SAME_LOWER")
    if mode == "VALID":
        return ((0, 0),) * len(space)
    if mode not in ("NOTSET", ""):
        raise Refusal(f"auto_pad '{mode}' is not known")
    pads = tuple(call.attribute("pads", (0,) * 2 * len(space)))
    if len(pads) != 2 * len(space) or not all(0 <= p <= LARGEST for p in pads):
        raise Refusal(f"pads {pads} are malformed")
    return tuple(zip(pads[: len(space)], pads[len(space) :], strict=True))
