"""Stand-ins for ``lasagne.layers``: they know shapes and parameters, and note what they would compute."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Number
from typing import Any

import numpy as np

from snntoolbox.frontends.lasagne.expressions import Expression, Shared, ordered
from snntoolbox.frontends.lasagne.initial import Initializer
from snntoolbox.frontends.lasagne.nonlinearities import identity, rectify
from snntoolbox.frontends.layer_call import LARGEST

Sizes = tuple[int | None, ...]
MOST = 2**31  # values of a parameter


def as_tuple(value: Any, count: int, *_: Any) -> tuple[Any, ...]:
    """A value for each of so many axes, of one for all or of one for each."""
    values = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,) * count
    if len(values) != count:
        raise ValueError(f"expected one value or {count}, got {value}")
    return values


def batch_and_space(shape: Sizes) -> tuple[int, ...]:
    """All axes but that of the channels."""
    return (0, *range(2, len(shape)))


class Layer:
    """A layer with one input; what it computes is noted by `get_output_for`."""

    def __init__(self, incoming: Any, name: str | None = None) -> None:
        self.input_shape: Sizes = incoming if isinstance(incoming, tuple) else incoming.output_shape
        self.input_layer = None if isinstance(incoming, tuple) else incoming
        self._begin(name)

    def _begin(self, name: str | None) -> None:
        self.name = name
        self.params: dict[Any, set[str]] = {}
        self.get_output_kwargs: list[str] = []

    @property
    def output_shape(self) -> Sizes:
        """The shape of the output, None for the batch."""
        shape: Sizes = tuple(self.get_output_shape_for(self.input_shape))
        if any(n is not None and not 0 < n <= LARGEST for n in shape[1:]):
            raise ValueError(f"the output of {type(self).__name__} would have the shape {shape}")
        return shape

    def get_params(self, unwrap_shared: bool = True, **tags: Any) -> list[Any]:
        """The parameters that have all tags that are true, and none that are false."""
        wanted, unwanted = ({t for t, v in tags.items() if bool(v) is flag} for flag in (True, False))
        kept = [p for p, known in self.params.items() if wanted <= known and not unwanted & known]
        if not unwrap_shared:
            return kept
        return [e for p in kept for e in ordered([p]) if isinstance(e, Shared)]

    def get_output_shape_for(self, input_shape: Any) -> Any:
        """The shape of the output for one of the input; the same unless a layer says otherwise."""
        return input_shape

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The output for an input."""
        raise NotImplementedError

    def add_param(self, spec: Any, shape: Sequence[int], name: str | None = None, **tags: Any) -> Any:
        """A parameter of a shape; its values come from the file."""
        sizes = tuple(int(n) for n in shape)
        if any(n <= 0 for n in sizes) or math.prod(sizes) > MOST:
            raise ValueError(f"a parameter of the shape {sizes}")
        if isinstance(spec, np.ndarray | Number | np.generic):
            spec = Shared(np.broadcast_to(np.asarray(spec), sizes), sizes)
        if not isinstance(spec, Expression):
            if not isinstance(spec, Initializer) and not callable(spec):
                raise TypeError(f"{name} cannot be set to a {type(spec).__name__}")
            spec = Shared(None, sizes)
        spec.name = spec.name or name
        defaults = {"trainable": True, "regularizable": True}
        self.params[spec] = {tag for tag, value in {**defaults, **tags}.items() if value}
        return spec


class MergeLayer(Layer):
    """A layer with several inputs."""

    def __init__(self, incomings: Sequence[Any], name: str | None = None) -> None:
        self.input_shapes = [i if isinstance(i, tuple) else i.output_shape for i in incomings]
        self.input_layers = [None if isinstance(i, tuple) else i for i in incomings]
        self._begin(name)

    @property
    def output_shape(self) -> Sizes:
        """The shape of the output, None for the batch."""
        return tuple(self.get_output_shape_for(self.input_shapes))


class InputLayer(Layer):
    """What the network is given."""

    def __init__(self, shape: Sequence[int | None], input_var: Any = None, name: str | None = None, **_: Any) -> None:
        self.shape: Sizes = tuple(shape)
        self.input_shape = self.shape
        self.input_var = Expression("input", shape=self.shape) if input_var is None else input_var
        self._begin(name)

    @property
    def output_shape(self) -> Sizes:
        """The shape that the user gave."""
        return self.shape


# -- with weights ---------------------------------------------------------------------------------------------------


class DenseLayer(Layer):
    """Fully connected: all axes behind the leading ones as one."""

    def __init__(
        self, incoming: Any, num_units: int, W: Any = Initializer(), b: Any = Initializer(),  # noqa: B008
        nonlinearity: Any = rectify, num_leading_axes: int = 1, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        self.nonlinearity = identity if nonlinearity is None else nonlinearity
        self.num_units, self.num_leading_axes = num_units, num_leading_axes
        rest = self.input_shape[num_leading_axes:]
        if not rest or None in rest:
            raise ValueError(f"its input has the shape {self.input_shape}")
        self.W = self.add_param(W, (math.prod(n for n in rest if n), num_units), name="W")
        self.b = None if b is None else self.add_param(b, (num_units,), name="b", regularizable=False)

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """The leading axes and the units."""
        return (*input_shape[: self.num_leading_axes], self.num_units)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The nonlinearity of ``x W + b``."""
        leading = self.num_leading_axes % len(self.input_shape)
        product = Expression("dense", input, self.W, leading=leading)
        if self.b is not None:
            product = Expression("shift", product, self.b, axes=(leading,))
        return self.nonlinearity(product)


class NINLayer(Layer):
    """Fully connected over the channels of each place."""

    def __init__(
        self, incoming: Any, num_units: int, untie_biases: bool = False, W: Any = Initializer(),  # noqa: B008
        b: Any = Initializer(), nonlinearity: Any = rectify, **kwargs: Any,  # noqa: B008
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        self.nonlinearity = identity if nonlinearity is None else nonlinearity
        self.num_units, self.untie_biases = num_units, untie_biases
        self.W = self.add_param(W, (int(self.input_shape[1] or 0), num_units), name="W")
        self.b = None if b is None else self.add_param(b, _biases(self, num_units), name="b", regularizable=False)

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """The units in place of the channels."""
        return (input_shape[0], self.num_units, *input_shape[2:])

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The nonlinearity of the mixed channels."""
        return _biased(self, Expression("mix", input, self.W))


def _biases(layer: Any, count: int) -> tuple[int, ...]:
    """The shape of the biases: one for each filter, or for each place too."""
    return (count, *(int(n or 0) for n in layer.output_shape[2:])) if layer.untie_biases else (count,)


def _biased(layer: Any, value: Any) -> Any:
    """The nonlinearity behind the bias."""
    if layer.b is not None:
        axes = tuple(range(1, len(layer.output_shape))) if layer.untie_biases else (1,)
        value = Expression("shift", value, layer.b, axes=axes)
    return layer.nonlinearity(value)


class BaseConvLayer(Layer):
    """A convolution over any number of axes; filters are flipped as a convolution is, unless told otherwise."""

    axes_of_space: int | None = None
    flipped = True

    def __init__(
        self, incoming: Any, num_filters: int, filter_size: Any, stride: Any = 1, pad: Any = 0,
        untie_biases: bool = False, W: Any = Initializer(), b: Any = Initializer(),  # noqa: B008
        nonlinearity: Any = rectify, flip_filters: bool | None = None, num_groups: int = 1, n: int | None = None,
        convolution: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        self.nonlinearity = identity if nonlinearity is None else nonlinearity
        self.n = n or self.axes_of_space or len(self.input_shape) - 2
        if self.n != len(self.input_shape) - 2:
            raise ValueError(f"a convolution over {self.n} axes of an input of shape {self.input_shape}")
        self.num_filters, self.num_groups, self.untie_biases = num_filters, num_groups, untie_biases
        self.filter_size, self.stride = as_tuple(filter_size, self.n), as_tuple(stride, self.n)
        self.flip_filters = self.flipped if flip_filters is None else flip_filters
        if pad == "same" and any(s % 2 == 0 for s in self.filter_size):
            raise ValueError("'same' padding is for odd filters")
        self.pad = pad if pad in ("same", "full") else as_tuple(0 if pad == "valid" else pad, self.n)
        self.dilation = as_tuple(getattr(self, "dilation", 1), self.n)
        if num_groups < 1 or num_filters % num_groups or (self.input_shape[1] or 0) % num_groups:
            raise ValueError(f"{num_groups} groups do not divide the channels")
        self.W = self.add_param(W, self.get_W_shape(), name="W")
        self.b = None if b is None else self.add_param(b, _biases(self, num_filters), name="b", regularizable=False)

    def get_W_shape(self) -> tuple[int, ...]:  # noqa: N802
        """(filters, channels of a group, *size)."""
        return (self.num_filters, (self.input_shape[1] or 0) // self.num_groups, *self.filter_size)

    @property
    def pads(self) -> tuple[int, ...]:
        """The padding before and behind each axis."""
        if self.pad == "full":
            return tuple(s - 1 for s in self.filter_size)
        return tuple(s // 2 for s in self.filter_size) if self.pad == "same" else tuple(self.pad)

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """The filters, and as many places as fit."""
        axes = zip(input_shape[2:], self.filter_size, self.stride, self.pads, self.dilation, strict=True)
        space = [None if n is None else (n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in axes]
        return (input_shape[0], self.num_filters, *space)

    def convolve(self, input: Any, **kwargs: Any) -> Any:
        """The convolution alone."""
        settings: dict[str, Any] = {
            "stride": self.stride,
            "pads": self.pads,
            "dilation": self.dilation,
            "groups": self.num_groups,
        }
        return Expression("conv", input, self.W, flip=self.flip_filters, **settings)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The nonlinearity of the convolution and its bias."""
        return _biased(self, self.convolve(input, **kwargs))


class Conv1DLayer(BaseConvLayer):
    """Over one axis."""

    axes_of_space = 1


class Conv2DLayer(BaseConvLayer):
    """Over two axes."""

    axes_of_space = 2


class Conv3DLayer(BaseConvLayer):
    """Over three axes."""

    axes_of_space = 3


class Conv2DDNNLayer(Conv2DLayer):
    """Of cuDNN, with filters as they are."""

    flipped = False


class Conv3DDNNLayer(Conv3DLayer):
    """Of cuDNN, with filters as they are."""

    flipped = False


class Conv2DMMLayer(Conv2DLayer):
    """As a product of matrices, with filters as they are."""

    flipped = False


class DilatedConv2DLayer(Conv2DLayer):
    """With gaps in its filters, which lie (channels, filters) in the file."""

    flipped = False

    def __init__(self, incoming: Any, num_filters: int, filter_size: Any, dilation: Any = 1, **kwargs: Any) -> None:
        self.dilation = dilation
        super().__init__(incoming, num_filters, filter_size, **kwargs)

    def get_W_shape(self) -> tuple[int, ...]:  # noqa: N802
        """(channels, filters, *size)."""
        return (self.input_shape[1] or 0, self.num_filters, *self.filter_size)

    def convolve(self, input: Any, **kwargs: Any) -> Any:
        """The convolution alone."""
        swapped = Expression("dimshuffle", self.W, 1, 0, 2, 3)
        ones: dict[str, Any] = {"stride": self.stride, "pads": self.pads, "dilation": self.dilation, "groups": 1}
        return Expression("conv", input, swapped, flip=False, **ones)


class BatchNormLayer(Layer):
    """With the moving statistics: a mean and the inverse of a deviation."""

    def __init__(
        self, incoming: Any, axes: Any = "auto", epsilon: float = 1e-4, alpha: float = 0.1, beta: Any = Initializer(),  # noqa: B008
        gamma: Any = Initializer(), mean: Any = Initializer(), inv_std: Any = Initializer(), **kwargs: Any,  # noqa: B008
    ) -> None:  # fmt: skip
        super().__init__(incoming, **kwargs)
        self.axes = (
            batch_and_space(self.input_shape)
            if axes == "auto"
            else as_tuple(axes, 1)
            if isinstance(axes, int)
            else axes
        )
        self.epsilon, self.alpha = epsilon, alpha
        shape = [int(n or 0) for axis, n in enumerate(self.input_shape) if axis not in self.axes]
        plain = {"regularizable": False}
        self.beta = None if beta is None else self.add_param(beta, shape, "beta", **plain)
        self.gamma = None if gamma is None else self.add_param(gamma, shape, "gamma")
        stored = {"trainable": False, "batch_norm_stat": True, **plain}
        self.mean = self.add_param(mean, shape, "mean", **stored)
        self.inv_std = self.add_param(inv_std, shape, "inv_std", **stored)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """``(x - mean) * gamma * inv_std + beta``."""
        axes = tuple(a for a in range(len(self.input_shape)) if a not in self.axes)
        value = Expression("shift", input, Expression("neg", self.mean), axes=axes)
        for gain in (self.inv_std, self.gamma):
            value = value if gain is None else Expression("stretch", value, gain, axes=axes)
        return value if self.beta is None else Expression("shift", value, self.beta, axes=axes)


class _AlongAxes(Layer):
    """Trained values for all axes but those that share them."""

    def _shared(self, shared_axes: Any) -> tuple[int, ...]:
        if shared_axes == "auto":
            return batch_and_space(self.input_shape)
        if shared_axes == "all":
            return tuple(range(len(self.input_shape)))
        return (shared_axes,) if isinstance(shared_axes, int) else tuple(shared_axes)

    def _kept(self) -> tuple[int, ...]:
        return tuple(a for a in range(len(self.input_shape)) if a not in self.shared_axes)

    def _sizes(self) -> list[int]:
        return [int(self.input_shape[a] or 0) for a in self._kept()]

    shared_axes: tuple[int, ...]


class BiasLayer(_AlongAxes):
    """Plus trained values."""

    def __init__(self, incoming: Any, b: Any = Initializer(), shared_axes: Any = "auto", **kwargs: Any) -> None:  # noqa: B008
        super().__init__(incoming, **kwargs)
        self.shared_axes = self._shared(shared_axes)
        self.b = None if b is None else self.add_param(b, self._sizes(), "b", regularizable=False)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """``x + b``."""
        return input if self.b is None else Expression("shift", input, self.b, axes=self._kept())


class ScaleLayer(_AlongAxes):
    """Times trained values."""

    def __init__(self, incoming: Any, scales: Any = Initializer(), shared_axes: Any = "auto", **kwargs: Any) -> None:  # noqa: B008
        super().__init__(incoming, **kwargs)
        self.shared_axes = self._shared(shared_axes)
        self.scales = self.add_param(scales, self._sizes(), "scales", regularizable=False)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """``x * scales``."""
        return Expression("stretch", input, self.scales, axes=self._kept())


class ParametricRectifierLayer(_AlongAxes):
    """A rectifier with trained slopes below zero."""

    def __init__(self, incoming: Any, alpha: Any = Initializer(), shared_axes: Any = "auto", **kwargs: Any) -> None:  # noqa: B008
        super().__init__(incoming, **kwargs)
        self.shared_axes = self._shared(shared_axes)
        self.alpha = self.add_param(alpha, self._sizes(), "alpha", regularizable=False)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """``max(x, 0) + alpha * min(x, 0)``."""
        return Expression("prelu", input, self.alpha, axes=self._kept())
