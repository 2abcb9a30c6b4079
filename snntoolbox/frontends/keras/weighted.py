"""Layers with kernels: dense, convolutions, depthwise, separable and transposed ones."""

from __future__ import annotations

import numpy as np

from snntoolbox.frontends.keras.activations import with_activation
from snntoolbox.frontends.keras.call import KerasCall
from snntoolbox.frontends.keras.records import has_integer_weights
from snntoolbox.frontends.layer_call import Refusal
from snntoolbox.frontends.windows import Window, check_kernel, convolution, transposed_convolution
from snntoolbox.ir.builder import same_padding
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes.windows import Padding


def dense(call: KerasCall) -> str:
    """``x @ kernel + bias`` on the last axis; kernel (in, out), of integers with a scale for each column too."""
    kernel = call.weight("kernel")
    if has_integer_weights(call.config):
        kernel = kernel.astype(np.float32) / call.weight("kernel_scale")
    return with_activation(call, call.builder.dense(call.name, call.source(), kernel.T, call.bias, origin=call.origin))


def convolved(call: KerasCall) -> str:
    """Kernel (*size, in / groups, out)."""
    kernel = call.weight("kernel")
    return with_activation(call, call.in_channels_first(lambda x: _convolve(call, x, kernel, call.bias)))


def depthwise(call: KerasCall) -> str:
    """Kernel (*size, in, multiplier): each channel has filters of its own."""
    kernel = _per_channel(call.weight("kernel", "depthwise_kernel"))
    return with_activation(call, call.in_channels_first(lambda x: _convolve(call, x, kernel, call.bias)))


def separable(call: KerasCall) -> str:
    """A depthwise convolution without bias, then one of kernel size one."""
    first, second = _per_channel(call.weight("depthwise_kernel")), call.weight("pointwise_kernel")

    def both(x: str) -> str:
        x = _convolve(call.named(f"{call.name}_depthwise"), x, first, None)
        return _convolve(call, x, second, call.bias, pointwise=True)

    return with_activation(call, call.in_channels_first(both))


def _per_channel(kernel: Array) -> Array:
    """A depthwise kernel (*size, in, multiplier) as the grouped kernel (*size, 1, in * multiplier)."""
    return kernel.reshape(*kernel.shape[:-2], 1, -1)


def _convolve(call: KerasCall, x: str, kernel: Array, bias: Array | None, *, pointwise: bool = False) -> str:
    """A convolution of (channels, *space); `pointwise` leaves out the layer's stride and padding."""
    weight = _filters_first(kernel)
    size, (channels, *space) = check_kernel(call, x, weight), call.shape(x)
    ones = (1,) * len(size)
    stride = ones if pointwise else call.sizes("strides", len(size))
    dilation = ones if pointwise else call.sizes("dilation_rate", len(size))
    padding = ((0, 0),) * len(size) if pointwise else _padding(call, tuple(space), size, stride, dilation)
    window = Window(size, stride, dilation, padding)
    return convolution(call, x, weight, bias, window, groups=channels // weight.shape[1])


def _filters_first(kernel: Array) -> Array:
    """A kernel (*size, a, b) as the weight (b, a, *size)."""
    return np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1)))


def _padding(call: KerasCall, space: Shape, size: Shape, stride: Shape, dilation: Shape) -> Padding:
    mode = call.config.get("padding", "valid")
    if mode == "valid":
        return ((0, 0),) * len(size)
    if mode == "same":
        return same_padding(space, size, stride, dilation)
    if mode == "causal":
        return tuple((d * (k - 1), 0) for k, d in zip(size, dilation, strict=True))
    raise Refusal(f"padding '{mode}' is not supported")


def transposed(call: KerasCall) -> str:
    """Kernel (*size, out, in), turned round and moved over the input with zeros between its values."""
    weight = _filters_first(call.weight("kernel"))

    def spread(x: str) -> str:
        size = check_kernel(call, x, weight)
        stride, dilation = call.sizes("strides", len(size)), call.sizes("dilation_rate", len(size))
        extra = None if call.config.get("output_padding") is None else call.sizes("output_padding", len(size))
        window = Window(size, stride, dilation, _cut(call, size, stride, dilation, extra))
        return transposed_convolution(call, x, weight, call.bias, window)

    return with_activation(call, call.in_channels_first(spread))


def _cut(call: KerasCall, size: Shape, stride: Shape, dilation: Shape, extra: Shape | None) -> Padding:
    """What Keras cuts off each side of a transposed convolution's full result; negative values are added zeros.

    'same' gives ``n * stride`` values, of which the odd one is cut behind; an output padding says otherwise.
    """
    mode = call.config.get("padding", "valid")
    if mode not in ("valid", "same"):
        raise Refusal(f"padding '{mode}' is not supported")
    cuts = []
    for axis, (k, t, d) in enumerate(zip(size, stride, dilation, strict=True)):
        reach = d * (k - 1)
        added = None if extra is None else extra[axis]
        if mode == "valid":
            cuts.append((0, -(max(t - reach - 1, 0) if added is None else added)))
            continue
        total = t + reach - 1 if added is None else reach + (reach + 1) % 2 - 1 + added
        before = min(-(-total // 2), reach)
        cuts.append((reach - before, reach - (total - before)))
    return tuple(cuts)


HANDLERS = {
    "Dense": dense,
    **{f"Conv{n}D": convolved for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": transposed for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": depthwise for n in (1, 2)},
    **{f"SeparableConv{n}D": separable for n in (1, 2)},
}
