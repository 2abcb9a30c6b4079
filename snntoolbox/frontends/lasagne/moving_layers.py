"""Stand-ins for layers of Lasagne without weights: shapes, joining and functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from snntoolbox.frontends.lasagne.expressions import Expression
from snntoolbox.frontends.lasagne.layers import (
    BatchNormLayer,
    Layer,
    MergeLayer,
    ParametricRectifierLayer,
    Sizes,
    as_tuple,
)
from snntoolbox.frontends.lasagne.nonlinearities import identity, rectify

# -- shapes ---------------------------------------------------------------------------------------------------------


class FlattenLayer(Layer):
    """The last axes as one."""

    def __init__(self, incoming: Any, outdim: int = 2, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.outdim = outdim

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """So many axes."""
        rest = input_shape[self.outdim - 1 :]
        return (*input_shape[: self.outdim - 1], None if None in rest else math.prod(n for n in rest if n))

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The flat input."""
        return Expression("flatten", input, self.outdim)


class ReshapeLayer(Layer):
    """Another shape; ``[i]`` copies a size, -1 is what remains."""

    def __init__(self, incoming: Any, shape: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.shape = tuple(shape)

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """The new shape, as far as it is known."""
        sizes = [input_shape[s[0]] if isinstance(s, list) else s for s in self.shape]
        batch = bool(self.shape) and (self.shape[0] in (-1, [0], input_shape[0]))
        known = [n for n in input_shape[1:] if n is not None]
        if -1 in sizes[1:] and batch and len(known) == len(input_shape) - 1:
            others = math.prod(n for n in sizes[1:] if n not in (-1, None))
            sizes = [math.prod(known) // max(others, 1) if n == -1 else n for n in sizes]
        return (input_shape[0] if batch else sizes[0], *sizes[1:])

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The input in its new shape."""
        batch = self.shape[0] in (-1, [0], self.input_shape[0])
        return Expression("reshape", input, (-1 if batch else self.shape[0], *self.output_shape[1:]))


class DimshuffleLayer(Layer):
    """The axes in another order, and new ones of length one."""

    def __init__(self, incoming: Any, pattern: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.pattern = tuple(pattern)

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """The sizes in that order."""
        return tuple(1 if p == "x" else input_shape[p] for p in self.pattern)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The input in that order."""
        return Expression("dimshuffle", input, *self.pattern)


class PadLayer(Layer):
    """A constant around the axes behind the first."""

    def __init__(self, incoming: Any, width: Any, val: float = 0, batch_ndim: int = 2, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.val, self.batch_ndim = val, batch_ndim
        widths = as_tuple(width, len(self.input_shape) - batch_ndim)
        self.width = tuple((w, w) if isinstance(w, int) else tuple(w) for w in widths)

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """Wider by both sides."""
        wide = zip(input_shape[self.batch_ndim :], self.width, strict=True)
        return (*input_shape[: self.batch_ndim], *(None if n is None else n + a + b for n, (a, b) in wide))

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The padded input."""
        return Expression("pad", input, widths=((0, 0),) * self.batch_ndim + self.width, value=self.val)


class SliceLayer(Layer):
    """A part of an axis, or one place of it."""

    def __init__(self, incoming: Any, indices: Any, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.slice, self.axis = indices, axis

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """A shorter axis, or none."""
        axis, shape = self.axis % len(input_shape), list(input_shape)
        if isinstance(self.slice, int):
            return tuple(shape[:axis] + shape[axis + 1 :])
        shape[axis] = len(range(*self.slice.indices(shape[axis] or 0)))
        return tuple(shape)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The part."""
        axis = self.axis % len(self.input_shape)
        return Expression("getitem", input, key=(slice(None),) * axis + (self.slice,))


# -- joining --------------------------------------------------------------------------------------------------------


class _CroppingLayer(MergeLayer):
    """A layer whose inputs may be cut to the smallest of them, at the axes where that is asked for."""

    def _crop(self, cropping: Any, besides: int | None = None) -> None:
        """Note the part of each input that is taken; `besides` is an axis along which none is cut."""
        rank = len(self.input_shapes[0])
        self.cropping = [*(cropping or ()), *(None,) * rank][:rank]
        if besides is not None:
            self.cropping[besides] = None
        least = [min(int(s[a] or 0) for s in self.input_shapes) if c else None for a, c in enumerate(self.cropping)]
        self._parts = [tuple(map(_part, shape, least, self.cropping)) for shape in self.input_shapes]
        self.input_shapes = [
            tuple(n if m is None else m for n, m in zip(shape, least, strict=True)) for shape in self.input_shapes
        ]

    def _cropped(self, inputs: Sequence[Any]) -> list[Any]:
        """The parts of the inputs."""
        parts = zip(inputs, self._parts, strict=True)
        return [x if all(p == slice(None) for p in part) else Expression("getitem", x, key=part) for x, part in parts]


def _part(size: int | None, least: int | None, crop: str | None) -> slice:
    """What is left of an axis."""
    if least is None or size is None:
        return slice(None)
    if crop not in ("lower", "upper", "center"):
        raise ValueError(f"crops by '{crop}'")
    start = {"lower": 0, "upper": size - least, "center": (size - least) // 2}[crop]
    return slice(start, start + least)


class ConcatLayer(_CroppingLayer):
    """All inputs behind one another."""

    def __init__(self, incomings: Sequence[Any], axis: int = 1, cropping: Any = None, **kwargs: Any) -> None:
        super().__init__(incomings, **kwargs)
        self.axis = axis
        self._crop(cropping, besides=axis)

    def get_output_shape_for(self, input_shapes: list[Sizes]) -> Sizes:
        """The sum along the axis."""
        axis, shape = self.axis % len(input_shapes[0]), list(input_shapes[0])
        shape[axis] = sum(int(s[axis] or 0) for s in input_shapes)
        return tuple(shape)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The inputs joined."""
        return Expression("concatenate", self._cropped(input), axis=self.axis)


class ElemwiseMergeLayer(_CroppingLayer):
    """A function of two values, over all inputs."""

    def __init__(self, incomings: Sequence[Any], merge_function: Any, cropping: Any = None, **kwargs: Any) -> None:
        super().__init__(incomings, **kwargs)
        self.merge_function = merge_function
        self._crop(cropping)

    def get_output_shape_for(self, input_shapes: list[Sizes]) -> Sizes:
        """That of all inputs."""
        if len({s[1:] for s in input_shapes}) > 1:
            raise ValueError(f"its inputs have the shapes {input_shapes}")
        return input_shapes[0]

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The function of the first two, of that and the third, and so on."""
        value, *others = self._cropped(input)
        for other in others:
            value = self.merge_function(value, other)
        return value


class ElemwiseSumLayer(ElemwiseMergeLayer):
    """The sum of all inputs, each times its coefficient."""

    def __init__(self, incomings: Sequence[Any], coeffs: Any = 1, cropping: Any = None, **kwargs: Any) -> None:
        super().__init__(incomings, lambda a, b: Expression("add", a, b), cropping, **kwargs)
        self.coeffs = as_tuple(coeffs, len(incomings))

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The sum."""
        weighted = [x if c == 1 else Expression("mul", x, c) for x, c in zip(input, self.coeffs, strict=True)]
        return super().get_output_for(weighted, **kwargs)


# -- functions ------------------------------------------------------------------------------------------------------


class NonlinearityLayer(Layer):
    """A function value by value."""

    def __init__(self, incoming: Any, nonlinearity: Any = rectify, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.nonlinearity = identity if nonlinearity is None else nonlinearity

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The function's value."""
        return self.nonlinearity(input)


class ExpressionLayer(Layer):
    """A function of the user's own."""

    def __init__(self, incoming: Any, function: Any, output_shape: Any = None, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.function, self._output_shape = function, output_shape
        if output_shape == "auto":
            raise ValueError("the output's shape must be told, not 'auto'")

    def get_output_shape_for(self, input_shape: Sizes) -> Sizes:
        """What the user says, or that of the input."""
        told = self._output_shape
        return input_shape if told is None else tuple(told(input_shape) if callable(told) else told)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The function's value."""
        return self.function(input)


class DropoutLayer(Layer):
    """The input itself, outside training; also for layers of noise."""

    def __init__(self, incoming: Any, *_: Any, name: str | None = None, **__: Any) -> None:
        super().__init__(incoming, name)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """The input."""
        return input


class UnknownLayer(Layer):
    """A layer of Lasagne that is not known here: it is refused when the network is read."""

    def __init__(self, incoming: Any, *_: Any, name: str | None = None, **__: Any) -> None:
        several = isinstance(incoming, list | tuple) and any(isinstance(i, Layer) for i in incoming)
        super().__init__(incoming[0] if several else incoming, name)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """A note of the layer."""
        return Expression(f"lasagne.layers.{type(self).__name__}", input)


def _without_function(layer: Any) -> Any:
    """Take the function of a layer off, and its bias where asked; the function."""
    function = getattr(layer, "nonlinearity", None)
    if function is not None:
        layer.nonlinearity = identity
    return function


def batch_norm(layer: Any, **kwargs: Any) -> Any:
    """Batch normalisation between a layer and its function; its bias is taken away."""
    function = _without_function(layer)
    if getattr(layer, "b", None) is not None:
        del layer.params[layer.b]
        layer.b = None
    normalised = BatchNormLayer(layer, **kwargs)
    return normalised if function is None else NonlinearityLayer(normalised, function)


def prelu(layer: Any, **kwargs: Any) -> Any:
    """A rectifier with trained slopes in place of a layer's function."""
    _without_function(layer)
    return ParametricRectifierLayer(layer, **kwargs)
