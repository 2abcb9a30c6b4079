"""Pooling layers: average, maximum, global."""

from __future__ import annotations

from snntoolbox.frontends.keras.step import Refused, Step
from snntoolbox.ir.builder import same_padding
from snntoolbox.ir.node import Shape
from snntoolbox.ir.nodes import AveragePool, MaxPool
from snntoolbox.ir.nodes.windows import Padding


def average(s: Step) -> str:
    """The mean of each window, padding not counted."""

    def pool(x: str) -> str:
        kernel, stride, padding = _window(s, s.builder.shape(x)[1:])
        if s.net.backend == "torch" and any(lo != hi for lo, hi in padding):
            # There Keras repeats the edge and counts it wherever 'same' padding is uneven; its other backends leave
            # padding out of the mean, and so does torch where the padding is even on all axes.
            x = s.builder.pad(f"{s.name}_edge", x, ((0, 0), *padding), mode="edge", origin=s.origin)
            padding = ((0, 0),) * len(kernel)
        return s.builder.add(
            AveragePool(name=s.name, inputs=(x,), kernel=kernel, stride=stride, padding=padding, origin=s.origin)
        )

    return s.in_channels_first(pool)


def maximum(s: Step) -> str:
    """The maximum of each window; padding never wins."""

    def pool(x: str) -> str:
        kernel, stride, padding = _window(s, s.builder.shape(x)[1:])
        ones = (1,) * len(kernel)
        return s.builder.add(
            MaxPool(
                name=s.name,
                inputs=(x,),
                kernel=kernel,
                stride=stride,
                padding=padding,
                dilation=ones,
                origin=s.origin,
            )
        )

    return s.in_channels_first(pool)


def _window(s: Step, space: Shape) -> tuple[Shape, Shape, Padding]:
    """Kernel, stride and padding of a pooling layer on this space."""
    rank = len(space)
    kernel = s.sizes("pool_size", rank, 2)
    stride = s.sizes("strides", rank, kernel)
    mode = s.config.get("padding", "valid")
    if mode not in ("valid", "same"):
        raise Refused(f"padding '{mode}'")
    same = mode == "same"
    return kernel, stride, same_padding(space, kernel, stride, (1,) * rank) if same else ((0, 0),) * rank


def global_average(s: Step) -> str:
    """The mean over space."""
    keep = bool(s.config.get("keepdims", False))
    return s.in_channels_first(lambda x: s.builder.global_average(s.name, x, keep, s.origin))


def global_maximum(s: Step) -> str:
    """The maximum over space."""
    keep = bool(s.config.get("keepdims", False))
    return s.in_channels_first(lambda x: s.builder.global_max(s.name, x, keep, s.origin))


HANDLERS = {
    **{f"AveragePooling{n}D": average for n in (1, 2, 3)},
    **{f"MaxPooling{n}D": maximum for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": global_average for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": global_maximum for n in (1, 2, 3)},
}
