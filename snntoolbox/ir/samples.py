"""Samples as arrays: checked before anything long begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.encodings import Encoding
from snntoolbox.ir.node import Array, Shape

Progress = Callable[[int], None]
"""Told how many samples more are done."""

_VALUES_AT_ONCE = 2**22


def checked_arrays(
    shapes: Mapping[str, Shape], x: Array | Sequence[Array], encodings: Mapping[str, Encoding] | None = None
) -> tuple[Array, ...]:
    """One array per input, checked: number, shapes, equal numbers of samples, no NaN or infinity; DataError."""
    arrays = tuple(_as_array(a) for a in ([x] if hasattr(x, "__array__") else x))
    if len(arrays) != len(shapes):
        raise DataError(f"{len(arrays)} arrays given, the model has {len(shapes)} inputs")
    for (name, shape), array in zip(shapes.items(), arrays, strict=True):
        if encodings:
            shape = encodings[name].sample_shape(shape, array)
        if array.shape[1:] != shape:
            raise DataError(f"samples have shape {array.shape[1:]}, the model takes {shape}", layer=name)
        if len(array) != len(arrays[0]):
            raise DataError(f"{len(array)} samples, {len(arrays[0])} for the first input", layer=name)
        if array.dtype.kind not in "biuf":
            raise DataError(f"the data are of type {array.dtype}, not numbers", layer=name)
        if not _finite(array):
            raise DataError("the data hold NaN or infinite values", layer=name)
    return arrays


def check_not_silent(arrays: Sequence[Array]) -> None:
    """DataError where calibration data are nothing but zeros: no layer would show what its activations are."""
    if any(len(a) for a in arrays) and not any(bool(part.any()) for a in arrays for part in _pieces(a)):
        raise DataError(
            "the calibration data are all zero: they say nothing about activations",
            hint="give samples such as the network was trained on, or none for thresholds from the weights alone",
        )


def _as_array(samples: Any) -> Array:
    """Anything that numpy makes an array of, such as a torch tensor; DataError where it would lose something."""
    if isinstance(samples, np.ma.MaskedArray) and np.ma.is_masked(samples):
        raise DataError("some of the data are masked", hint="fill them with numbers: x.filled(0), for instance")
    try:
        return np.asarray(samples)
    except (RuntimeError, TypeError, ValueError) as error:  # rows of several lengths; tensors on a GPU
        raise DataError(f"the data are no array: {error}", hint="give numpy arrays") from error


def _finite(array: Array) -> bool:
    """Whether there is no NaN and no infinity; in pieces, as the array may lie in a file larger than the memory."""
    return all(bool(np.isfinite(part).all()) for part in _pieces(array))


def _pieces(array: Array) -> Iterator[Array]:
    step = max(1, _VALUES_AT_ONCE // max(1, array[:1].size))
    return (array[i : i + step] for i in range(0, len(array), step))
