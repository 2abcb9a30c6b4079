"""Handlers of poolings over windows and over all of space."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.frontends.onnx.call import Call, Refusal
from snntoolbox.ir.builder import ceil_overhang, same_padding
from snntoolbox.ir.node import Shape
from snntoolbox.ir.nodes import AveragePool, MaxPool
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


def _window(call: Call) -> tuple[Window, tuple[int, ...]]:
    """The windows, and what ceil mode adds behind each axis."""
    if "kernel_shape" not in call.attributes:
        raise Refusal("has no kernel_shape")
    place = window(call, tuple(call.attributes["kernel_shape"]))
    explicit = call.attribute("auto_pad", "NOTSET") in ("NOTSET", "")
    if not call.flag("ceil_mode") or not explicit:
        return place, (0,) * len(place.kernel)
    return place, ceil_overhang(call.shape()[1:], place.kernel, place.stride, place.padding, place.dilation)


def max_pool(call: Call) -> str:
    """The maximum of each window; the positions of the maxima are not given."""
    if any(call.outputs[1:]):
        raise Refusal("its indices are used")
    place, over = _window(call)
    padding = tuple((lo, hi + o) for (lo, hi), o in zip(place.padding, over, strict=True))
    return call.builder.add(
        MaxPool(
            name=call.name,
            inputs=(call.source(),),
            kernel=place.kernel,
            stride=place.stride,
            padding=padding,
            dilation=place.dilation,
            origin=call.origin,
        )
    )


def average_pool(call: Call) -> str:
    """The mean of each window; pads count where count_include_pad says so, what ceil mode adds never does."""
    place, over = _window(call)
    if any(d > 1 for d in place.dilation):
        raise Refusal("average pooling with dilation")
    return call.builder.add(
        AveragePool(
            name=call.name,
            inputs=(call.source(),),
            kernel=place.kernel,
            stride=place.stride,
            padding=place.padding,
            count_padding=call.flag("count_include_pad"),
            overhang=over if any(over) else None,
            origin=call.origin,
        )
    )


def _with_space(call: Call) -> str:
    if len(call.shape()) < 2:
        raise Refusal(f"samples of shape {call.shape()} have no spatial axes")
    return call.source()


def global_average_pool(call: Call) -> str:
    """The mean over all spatial axes, which stay with length one."""
    return call.builder.global_average(call.name, _with_space(call), keepdims=True, origin=call.origin)


def global_max_pool(call: Call) -> str:
    """The maximum over all spatial axes, which stay with length one."""
    return call.builder.global_max(call.name, _with_space(call), keepdims=True, origin=call.origin)
