"""Handlers of poolings, over windows and over all of space, and the windows that convolutions slide too."""

from __future__ import annotations

from snntoolbox.frontends import windows
from snntoolbox.frontends.layer_call import Refusal, per_axis
from snntoolbox.frontends.onnx.call import OnnxCall
from snntoolbox.frontends.windows import Window
from snntoolbox.ir.builder import same_padding
from snntoolbox.ir.node import Shape
from snntoolbox.ir.nodes.windows import Padding

# -- windows --------------------------------------------------------------------------------------------------------


def window(call: OnnxCall, kernel: Shape) -> Window:
    """The windows of this node over the spatial axes of its input (all but the channels)."""
    space = call.shape()[1:]
    declared = tuple(call.attribute("kernel_shape", kernel))
    if declared != tuple(kernel) or not space or len(kernel) != len(space):
        raise Refusal(f"kernel {declared} does not fit samples of shape {call.shape()}")
    kernel = per_axis("kernel_shape", declared, len(space), least=1)
    stride = call.integers("strides", len(space), 1, least=1)
    dilation = call.integers("dilations", len(space), 1, least=1)
    return Window(kernel, stride, dilation, _padding(call, space, kernel, stride, dilation))


def _padding(call: OnnxCall, space: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Padding:
    """The pads of every form of auto_pad."""
    mode, rank = call.attribute("auto_pad", "NOTSET"), len(space)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        return same_padding(space, kernel, stride, dilation, odd_before=mode == "SAME_LOWER")
    if mode == "VALID":
        return ((0, 0),) * rank
    if mode not in ("NOTSET", ""):
        raise Refusal(f"auto_pad '{mode}' is not known")
    pads = call.integers("pads", 2 * rank, 0)
    return tuple(zip(pads[:rank], pads[rank:], strict=True))


def _pooled(call: OnnxCall) -> tuple[Window, bool]:
    """The windows, and whether those that hang over the end count: ceil mode, where pads are explicit."""
    if "kernel_shape" not in call.attributes:
        raise Refusal("has no kernel_shape")
    explicit = call.attribute("auto_pad", "NOTSET") in ("NOTSET", "")
    return window(call, tuple(call.attributes["kernel_shape"])), explicit and call.flag("ceil_mode")


# -- pooling --------------------------------------------------------------------------------------------------------


def max_pool(call: OnnxCall) -> str:
    """The maximum of each window; the positions of the maxima are not given."""
    if any(call.outputs[1:]):
        raise Refusal("its indices are used")
    place, ceil = _pooled(call)
    return windows.max_pool(call, call.source(), place, ceil=ceil)


def average_pool(call: OnnxCall) -> str:
    """The mean of each window; pads count where count_include_pad says so, what ceil mode adds never does."""
    place, ceil = _pooled(call)
    counted = call.flag("count_include_pad")
    return windows.average_pool(call, call.source(), place, count_padding=counted, ceil=ceil)


def _with_space(call: OnnxCall) -> str:
    if len(call.shape()) < 2:
        raise Refusal(f"samples of shape {call.shape()} have no spatial axes")
    return call.source()


def global_average_pool(call: OnnxCall) -> str:
    """The mean over all spatial axes, which stay with length one."""
    return call.builder.global_average(call.name, _with_space(call), keepdims=True, origin=call.origin)


def global_max_pool(call: OnnxCall) -> str:
    """The maximum over all spatial axes, which stay with length one."""
    return call.builder.global_max(call.name, _with_space(call), keepdims=True, origin=call.origin)
