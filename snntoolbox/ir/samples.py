"""Samples as arrays: checked before anything long begins."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.encodings import Encoding
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.large_arrays import pieces
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Input

log = logging.getLogger(__name__)

Progress = Callable[[int], None]
"""Told how many samples more are done."""

_EXACT = 2**24  # whole numbers up to this are exact in float32
_HINTS = {
    "c": "give real numbers: their real and imaginary parts as channels of their own, for instance",
    "V": "give numbers that numpy has itself: x.astype(np.float32) of bfloat16, one field of a record",
    "O": "give one array of numbers, with samples of one shape: np.stack(samples)",
    "M": "give numbers: seconds since the first, for instance",
    "m": "give numbers: x / np.timedelta64(1, 's'), for instance",
}
"""What to do about data of a kind that is no number, by numpy's letter of it."""


def checked_arrays(
    shapes: Mapping[str, Shape], x: Array | Sequence[Array], encodings: Mapping[str, Encoding] | None = None
) -> tuple[Array, ...]:
    """One array per input, checked: number, shapes, equal numbers of samples, no NaN or infinity; DataError.

    A single sample, which has the shape of one, becomes a batch of one.
    """
    arrays = arrays_of(x)
    if len(arrays) == len(shapes) and is_single(shapes, arrays):
        arrays = tuple(array[None] for array in arrays)
    if len(arrays) != len(shapes):
        stacked = "stack the samples of one input: np.stack(samples)" if len(shapes) == 1 else None
        if len(shapes) == 1 and len(arrays) == 2 and arrays[1].ndim < 2:
            stacked = "give the samples alone, without their labels"
        raise DataError(f"{len(arrays)} arrays given, the model has {len(shapes)} inputs", hint=stacked)
    for (name, shape), array in zip(shapes.items(), arrays, strict=True):
        if encodings:
            shape = encodings[name].sample_shape(shape, array)
        if array.shape[1:] != shape:
            alone = array.ndim == len(shape)
            shown = f"one sample has shape {array.shape}" if alone else f"samples have shape {array.shape[1:]}"
            told = f"{shown}, the model takes {shape}"
            raise DataError(told, layer=name, hint=shape_hint(array.shape[1:], shape))
        if len(array) != len(arrays[0]):
            raise DataError(f"{len(array)} samples, {len(arrays[0])} for the first input", layer=name)
        if array.dtype.kind not in "biuf":
            raise DataError(f"the data are of type {array.dtype}, not numbers", layer=name, hint=kind_hint(array))
        if flaw := flaw_of(array):
            raise DataError(f"the data hold {flaw}", layer=name)
        tell_rounding(array, f"the data of {name}")
    return arrays


def check_truths(graph: Graph, arrays: Mapping[str, Array]) -> None:
    """DataError where an input that takes truth values alone gets others than 0 and 1."""
    for name, array in arrays.items():
        node = graph.nodes.get(name)
        if isinstance(node, Input) and node.truths and not all(np.all((p == 0) | (p == 1)) for p in pieces(array)):
            told = "the model chooses by what it is given here, truth values, and the data hold others than 0 and 1"
            raise DataError(told, layer=name, hint="give 0 for false and 1 for true")


def arrays_of(x: Any) -> tuple[Array, ...]:
    """The arrays that data are: of one input the array itself may be given. DataError for what is no array."""
    return tuple(_as_array(a) for a in _one_for_each(x))


def is_single(shapes: Mapping[str, Shape], x: Any) -> bool:
    """Whether the arrays of all inputs are one sample each, without an axis of samples."""
    arrays = [np.shape(a) for a in _one_for_each(x)]
    return bool(shapes) and arrays == list(shapes.values())


def check_not_silent(arrays: Sequence[Array]) -> None:
    """DataError where calibration data are nothing but zeros: no layer would show what its activations are."""
    if any(len(a) for a in arrays) and not any(bool(part.any()) for a in arrays for part in pieces(a)):
        raise DataError(
            "the calibration data are all zero: they say nothing about activations",
            hint="give samples such as the network was trained on, or none for thresholds from the weights alone",
        )


def kind_hint(array: Array) -> str:
    """What to do about an array that holds no numbers."""
    return _HINTS.get(array.dtype.kind, "give an array of numbers")


def flaw_of(array: Array) -> str:
    """What no number of float32 stands for in an array of numbers, and the first sample with it; empty if nothing."""
    if array.dtype.kind != "f":
        return ""
    start = 0
    for part in pieces(array):
        with np.errstate(over="ignore"):
            finite = np.isfinite(part.astype(np.float32, copy=False))
        if not finite.all():
            bad = int(np.argmin(finite.reshape(len(finite), -1).all(axis=1)))
            beyond = bool(np.isfinite(part[bad]).all())
            what = "values beyond the range of float32" if beyond else "NaN or infinite values"
            return f"{what}, first in sample {start + bad}"
        start += len(part)
    return ""


def tell_rounding(array: Array, source: str) -> None:
    """Warn where whole numbers are too long for float32; that fractions are rounded to it goes without saying."""
    if array.dtype.kind in "iu" and array.dtype.itemsize > 2 and any(_rounds(part) for part in pieces(array)):
        log.warning("%s hold whole numbers beyond 2^24, which are rounded to the 24 bits of float32", source)


def shape_hint(shape: Shape, expected: tuple[int | None, ...]) -> str:
    """What to do about samples of another shape than the model takes; None in that stands for any size."""
    if len(shape) > 1 and matches((shape[-1], *shape[:-1]), expected):
        return "only the channel order differs: give np.moveaxis(x, -1, 1), channels first"
    if len(shape) > 1 and matches((*shape[1:], shape[0]), expected):
        return "only the channel order differs: give np.moveaxis(x, 1, -1), channels last"
    if None not in expected and math.prod(shape) == math.prod(size or 0 for size in expected):
        return f"the number of values is right: give x.reshape(len(x), {', '.join(map(str, expected))})"
    return "prepare the samples as they were when the model was trained"


def matches(shape: Sequence[int], expected: Sequence[int | None]) -> bool:
    """Whether a shape is as expected; None in that stands for any size."""
    return len(shape) == len(expected) and all(w is None or f == w for f, w in zip(shape, expected, strict=True))


def _one_for_each(x: Any) -> Sequence[Any]:
    """The arrays of the inputs: of one input the array itself may be given. DataError for what is no array."""
    if hasattr(x, "__array__"):
        return [x]
    if isinstance(x, Sequence) and not isinstance(x, str | bytes):
        return x
    raise _no_arrays(x)


def _no_arrays(x: Any) -> DataError:
    """What is no array, and how to make one of it."""
    if isinstance(x, Mapping):
        names = [f"data[{name!r}]" for name in x]
        several = f"[{', '.join(names)}], one array for each input"
        hint = f"give {names[0] if len(names) == 1 else several}"
    elif isinstance(x, str | bytes) or hasattr(x, "__fspath__"):
        hint = "read the file first: np.load(file)"
    elif hasattr(x, "__iter__") or hasattr(x, "__getitem__"):
        hint = "collect its samples in one array: np.concatenate([np.asarray(x) for x, _ in loader]), for instance"
    else:
        hint = "give numpy arrays"
    return DataError(f"the data are a {type(x).__module__}.{type(x).__qualname__}, not arrays", hint=hint)


def _as_array(samples: Any) -> Array:
    """Anything that numpy makes an array of, such as a torch tensor; DataError where it would lose something."""
    if isinstance(samples, np.ma.MaskedArray) and np.ma.is_masked(samples):
        raise DataError("some of the data are masked", hint="fill them with numbers: x.filled(0), for instance")
    try:
        array = np.asarray(samples)
    except (RuntimeError, TypeError, ValueError) as error:  # rows of several lengths; tensors on a GPU, of bfloat16
        raise DataError(f"the data are no array: {error}", hint="give numpy arrays") from error
    if array.dtype == object and not array.ndim:  # numpy takes whatever it does not know for one value
        raise _no_arrays(samples)
    return array


def _rounds(part: Array) -> bool:
    if max(-int(part.min()), int(part.max())) <= _EXACT:
        return False
    return bool(np.any(part.astype(np.float32).astype(np.longdouble) != part.astype(np.longdouble)))
