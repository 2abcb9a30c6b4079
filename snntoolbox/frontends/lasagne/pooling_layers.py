"""Stand-ins for layers of Lasagne that pool, over windows, all of space or channels, and that repeat values."""

from __future__ import annotations

from typing import Any

from snntoolbox.frontends.lasagne.expressions import Expression
from snntoolbox.frontends.lasagne.layers import Layer, Sizes, as_tuple


class _PoolLayer(Layer):
    """The maximum or mean of windows over so many axes."""

    axes_of_space = 2
    fixed_mode: str | None = None

    def __init__(
        self, incoming: Any, pool_size: Any, stride: Any = None, pad: Any = 0, ignore_border: bool = True,
        mode: str = "max", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        count = self.axes_of_space
        if len(self.input_shape) != count + 2:
            raise ValueError(f"pools over {count} axes of an input of shape {self.input_shape}")
        self.pool_size, self.pad = as_tuple(pool_size, count), as_tuple(pad, count)
        self.stride = self.pool_size if stride is None else as_tuple(stride, count)
        self.ignore_border, self.mode = ignore_border, self.fixed_mode or mode
        if not ignore_border and any(self.pad):
            raise ValueError("pads, and does not ignore the border")

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """As many windows as fit, or as reach over the end."""
        axes = zip(input_shape[2:], self.pool_size, self.stride, self.pad, strict=True)
        return (*input_shape[:2], *(None if n is None else self._windows(n, k, s, p) for n, k, s, p in axes))

    def _windows(self, size: int, kernel: int, stride: int, pad: int) -> int:
        if self.ignore_border:
            return (size + 2 * pad - kernel) // stride + 1
        if stride >= kernel:
            return (size + stride - 1) // stride
        return max(0, (size - kernel + stride - 1) // stride) + 1

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The pooled input."""
        told: dict[str, Any] = {"kernel": self.pool_size, "stride": self.stride, "pads": self.pad, "mode": self.mode}
        return Expression("pool", input, windows=self.output_shape[2:], **told)


class Pool1DLayer(_PoolLayer):
    """Over one axis."""

    axes_of_space = 1


class Pool2DLayer(_PoolLayer):
    """Over two axes."""


class Pool3DLayer(_PoolLayer):
    """Over three axes."""

    axes_of_space = 3


class MaxPool1DLayer(Pool1DLayer):
    """The maximum over one axis."""

    fixed_mode = "max"


class MaxPool2DLayer(Pool2DLayer):
    """The maximum over two axes."""

    fixed_mode = "max"


class MaxPool3DLayer(Pool3DLayer):
    """The maximum over three axes."""

    fixed_mode = "max"


class GlobalPoolLayer(Layer):
    """A function over all of space, by default the mean."""

    def __init__(self, incoming: Any, pool_function: Any = None, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.pool_function = pool_function

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """The channels."""
        return input_shape[:2]

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """One value for each channel."""
        flat = Expression("flatten", input, 3)
        return Expression("mean", flat, axis=2) if self.pool_function is None else self.pool_function(flat, axis=2)


class FeaturePoolLayer(Layer):
    """A function over groups of neighbouring channels, by default the maximum (maxout)."""

    def __init__(self, incoming: Any, pool_size: int, axis: int = 1, pool_function: Any = None, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.pool_size, self.axis, self.pool_function = pool_size, axis % len(self.input_shape), pool_function
        if (self.input_shape[self.axis] or 0) % pool_size:
            raise ValueError(f"groups {self.input_shape[self.axis]} maps by {pool_size}")

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """One map for each group."""
        return (
            *input_shape[: self.axis],
            (input_shape[self.axis] or 0) // self.pool_size,
            *input_shape[self.axis + 1 :],
        )

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The pooled groups."""
        shape, axis = self.input_shape, self.axis
        groups = (-1, *shape[1:axis], (shape[axis] or 0) // self.pool_size, self.pool_size, *shape[axis + 1 :])
        apart = Expression("reshape", input, groups)
        function = self.pool_function
        return Expression("max", apart, axis=axis + 1) if function is None else function(apart, axis=axis + 1)


class UpscaleLayer(Layer):
    """Each value repeated along the axes of space."""

    def __init__(self, incoming: Any, scale_factor: Any, mode: str = "repeat", **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.scale_factor, self.mode = as_tuple(scale_factor, len(self.input_shape) - 2), mode

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """Larger by the factors."""
        space = zip(input_shape[2:], self.scale_factor, strict=True)
        return (*input_shape[:2], *(None if n is None else n * f for n, f in space))

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The repeated values."""
        return Expression("upscale", input, factors=self.scale_factor, mode=self.mode)
