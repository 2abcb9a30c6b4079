"""Handlers of poolings over windows and over all of space."""

from __future__ import annotations

from snntoolbox.frontends.onnx.call import Call, Refusal
from snntoolbox.frontends.onnx.windowing import Window, window
from snntoolbox.ir.builder import ceil_overhang
from snntoolbox.ir.nodes import AveragePool, MaxPool


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
