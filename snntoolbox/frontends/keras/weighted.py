"""Layers with kernels: dense, convolutions, depthwise, separable and transposed ones."""

from __future__ import annotations

import numpy as np

from snntoolbox.frontends.keras.activations import with_activation
from snntoolbox.frontends.keras.step import Refused, Step, check_size
from snntoolbox.ir.builder import same_padding
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Conv
from snntoolbox.ir.nodes.windows import Padding
from snntoolbox.ir.rectifying import add_conv_transpose


def dense(s: Step) -> str:
    """``x @ kernel + bias`` on the last axis; kernel (in, out)."""
    kernel = s.weight("kernel")
    return with_activation(s, s.builder.dense(s.name, s.source, kernel.T, s.bias, origin=s.origin))


def convolution(s: Step) -> str:
    """Kernel (*size, in / groups, out)."""
    kernel = s.weight("kernel")
    return with_activation(s, s.in_channels_first(lambda x: _convolve(s, x, s.name, kernel, s.bias)))


def depthwise(s: Step) -> str:
    """Kernel (*size, in, multiplier): each channel has filters of its own."""
    kernel = _per_channel(s.weight("kernel", "depthwise_kernel"))
    return with_activation(s, s.in_channels_first(lambda x: _convolve(s, x, s.name, kernel, s.bias)))


def transposed(s: Step) -> str:
    """Kernel (*size, out, in), turned round and moved over the input with zeros between its values."""
    kernel = s.weight("kernel")

    def spread(x: str) -> str:
        channels, *space = s.builder.shape(x)
        rank = kernel.ndim - 2
        if len(space) != rank or channels != kernel.shape[-1]:
            raise Refused(f"a kernel of shape {kernel.shape} on an input of shape {s.shape}")
        stride, dilation = s.sizes("strides", rank), s.sizes("dilation_rate", rank)
        extra = None if s.config.get("output_padding") is None else s.sizes("output_padding", rank)
        check_size(
            (
                kernel.shape[-2],
                *(n * t + k * d for n, t, k, d in zip(space, stride, kernel.shape, dilation, strict=False)),
            )
        )
        return add_conv_transpose(
            s.builder,
            s.name,
            x,
            np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1))),
            s.bias,
            stride=stride,
            padding=_cut(s, kernel.shape[:-2], stride, dilation, extra),
            output_padding=(0,) * rank,
            dilation=dilation,
            origin=s.origin,
        )

    return with_activation(s, s.in_channels_first(spread))


def _cut(s: Step, size: Shape, stride: Shape, dilation: Shape, extra: Shape | None) -> Padding:
    """What Keras cuts off each side of a transposed convolution's full result; negative values are added zeros.

    'same' gives ``n * stride`` values, of which the odd one is cut behind; an output padding says otherwise.
    """
    mode = s.config.get("padding", "valid")
    if mode not in ("valid", "same"):
        raise Refused(f"padding '{mode}'")
    cuts = []
    for axis, (k, t, d) in enumerate(zip(size, stride, dilation, strict=True)):
        reach = d * (k - 1)
        given = None if extra is None else extra[axis]
        if mode == "valid":
            cuts.append((0, -(max(t - reach - 1, 0) if given is None else given)))
            continue
        total = t + reach - 1 if given is None else reach + (reach + 1) % 2 - 1 + given
        before = min(-(-total // 2), reach)
        cuts.append((reach - before, reach - (total - before)))
    return tuple(cuts)


def separable(s: Step) -> str:
    """A depthwise convolution without bias, then one of kernel size one."""
    first, second = _per_channel(s.weight("depthwise_kernel")), s.weight("pointwise_kernel")

    def both(x: str) -> str:
        x = _convolve(s, x, f"{s.name}_depthwise", first, None)
        return _convolve(s, x, s.name, second, s.bias, pointwise=True)

    return with_activation(s, s.in_channels_first(both))


def _per_channel(kernel: Array) -> Array:
    """A depthwise kernel (*size, in, multiplier) as the grouped kernel (*size, 1, in * multiplier)."""
    return kernel.reshape(*kernel.shape[:-2], 1, -1)


def _convolve(s: Step, x: str, name: str, kernel: Array, bias: Array | None, *, pointwise: bool = False) -> str:
    """A Conv on (channels, *space); `pointwise` leaves out the layer's stride and padding."""
    rank = kernel.ndim - 2
    channels, *space = s.builder.shape(x)
    if len(space) != rank:
        raise Refused(f"a kernel with {rank} spatial axes on an input with {len(space)}")
    ones = (1,) * rank
    stride = ones if pointwise else s.sizes("strides", rank)
    dilation = ones if pointwise else s.sizes("dilation_rate", rank)
    padding = ((0, 0),) * rank if pointwise else _padding(s, tuple(space), kernel.shape[:-2], stride, dilation)
    return s.builder.add(
        Conv(
            name=name,
            inputs=(x,),
            weight=np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1))),
            bias=None if bias is None else bias.reshape(-1, *ones),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=channels // kernel.shape[-2],
            origin=s.origin,
        )
    )


def _padding(s: Step, space: Shape, size: Shape, stride: Shape, dilation: Shape) -> Padding:
    mode = s.config.get("padding", "valid")
    if mode == "valid":
        return ((0, 0),) * len(size)
    if mode == "same":
        return same_padding(space, size, stride, dilation)
    if mode == "causal":
        return tuple((d * (k - 1), 0) for k, d in zip(size, dilation, strict=True))
    raise Refused(f"padding '{mode}'")


HANDLERS = {
    "Dense": dense,
    **{f"Conv{n}D": convolution for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": transposed for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": depthwise for n in (1, 2)},
    **{f"SeparableConv{n}D": separable for n in (1, 2)},
}
