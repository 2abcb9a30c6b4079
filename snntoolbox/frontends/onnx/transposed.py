"""The handler of transposed convolution: where ONNX cuts the full result."""

from __future__ import annotations

from snntoolbox.frontends.onnx.call import Call, Refusal
from snntoolbox.frontends.onnx.windowing import LARGEST, Window, window
from snntoolbox.ir.node import Shape
from snntoolbox.ir.rectifying import add_conv_transpose


def conv_transpose(call: Call) -> str:
    """Transposed convolution over any number of spatial axes; weight (in, out / groups, *kernel)."""
    weight, bias, shape = call.constant(1, "weight"), call.optional(2, "bias"), call.shape()
    groups = call.attribute("group", 1)
    if weight.ndim < 3 or weight.ndim != len(shape) + 1:
        raise Refusal(f"its weight of shape {weight.shape} does not fit samples of shape {shape}")
    if weight.shape[0] != shape[0] or groups < 1 or shape[0] % groups:
        raise Refusal(f"its weight of shape {weight.shape} in {groups} groups does not fit {shape[0]} channels")
    if bias is not None and bias.size != weight.shape[1] * groups:
        raise Refusal(f"its bias of shape {bias.shape} does not fit {weight.shape[1] * groups} filters")
    place = window(call, weight.shape[2:])
    extra = _sizes(call, "output_padding", (0,) * len(place.kernel))
    padding = _padding(call, place, extra)
    spread = [n * s for n, s in zip(shape[1:], place.stride, strict=True)]
    call.bound((shape[0], *(n + d * k for n, d, k in zip(spread, place.dilation, place.kernel, strict=True))))
    if bias is not None:
        bias = bias.reshape(-1)
    return add_conv_transpose(
        call.builder,
        call.name,
        call.source(),
        weight,
        bias,
        stride=place.stride,
        padding=padding,
        output_padding=extra,
        dilation=place.dilation,
        groups=groups,
        origin=call.origin,
    )


def _sizes(call: Call, what: str, default: Shape) -> Shape:
    values = tuple(call.attribute(what, default))
    if len(values) != len(default) or not all(0 <= v <= LARGEST for v in values):
        raise Refusal(f"{what} {values} are malformed")
    return values


def _padding(call: Call, place: Window, extra: Shape) -> tuple[tuple[int, int], ...]:
    """What is cut off before and behind each axis: given, or what leaves the wanted output."""
    space, mode = call.shape()[1:], call.attribute("auto_pad", "NOTSET")
    axes = list(zip(space, place.kernel, place.stride, place.dilation, extra, strict=True))
    full = [(n - 1) * s + d * (k - 1) + 1 + e for n, k, s, d, e in axes]
    if call.attributes.get("output_shape"):
        wanted = _sizes(call, "output_shape", space)
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = tuple(n * s for n, s in zip(space, place.stride, strict=True))
    else:
        return place.padding
    cut = [f - w for f, w in zip(full, wanted, strict=True)]
    if min(cut) < 0 or min(wanted) < 1:
        raise Refusal(f"its output of shape {wanted} is larger than the {tuple(full)} that its kernels reach")
    less_before = mode == "SAME_UPPER"
    return tuple((c // 2, c - c // 2) if less_before else (c - c // 2, c // 2) for c in cut)
