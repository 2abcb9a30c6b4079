"""Labels as people save them (indices, one-hot rows, regression targets) to one form."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.head import Head
from snntoolbox.ir.labels import class_labels, is_distribution, is_one_hot
from snntoolbox.ir.node import Shape
from snntoolbox.ir.samples import flaw_of, kind_hint, tell_rounding


def check_samples(array: np.ndarray, source: str) -> np.ndarray:
    """Return `array` as float32 samples, itself if it is that already. DataError naming `source` if it cannot be."""
    if array.dtype.kind not in "buif":
        raise DataError(f"{source} holds {array.dtype} values", hint=kind_hint(array))
    if array.ndim < 2 and array.size:
        raise DataError(
            f"{source} has shape {array.shape}, which is not (samples, ...)",
            hint="save samples of one value as an array of shape (samples, 1)",
        )
    if not array.size:
        raise DataError(f"{source} is empty: its shape is {array.shape}", hint="save at least one sample")
    check_finite(array, source)
    tell_rounding(array, source)
    return array.astype(np.float32, copy=False)


def check_finite(array: np.ndarray, source: str) -> None:
    """DataError that names the first sample with a NaN, an infinite value, or one that float32 has no place for."""
    if flaw := flaw_of(array):
        raise DataError(f"{source} holds {flaw}", hint="remove or repair these samples")


def check_same_length(x: np.ndarray, source: str, y: np.ndarray, labels: str) -> None:
    """DataError if there is not one label per sample."""
    counts = [len(array) if array.ndim else 0 for array in (x, y)]
    if counts[0] != counts[1]:
        raise DataError(
            f"{source} holds {counts[0]} samples, but {labels} holds {counts[1]} labels",
            hint="save both from the same split, in the same order",
        )


log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Labels:
    """Class indices (int64, shape (samples,)), or float32 targets if `regression`.

    `span` is the lowest class that occurs and the highest that has a place: as many columns as one-hot rows have.
    `truths`: they were True and False, one for each sample.
    """

    values: np.ndarray
    regression: bool
    span: tuple[int, int] | None = None
    truths: bool = False


def interpret_labels(y: np.ndarray, source: str, head: Head | None = None, shape: Shape = ()) -> Labels:
    """Return the labels in `y`, for an output of this `head` and `shape` where they are known.

    What a head of plain values is held against are targets, integers too. Else one value per sample is a class index if
    all of them are integers, whatever their type, else a target. Rows with a single 1 among zeros are one-hot, rows of
    probabilities (smoothed or predicted labels) mean their most likely class; other rows are targets if they are
    floats. Where a head says several classes per sample, the same holds for each of its places. DataError
    naming `source` else.
    """
    if y.dtype.kind not in "buif":
        raise DataError(f"{source} holds {y.dtype} values", hint="save class indices, counted from 0")
    if not y.size:
        raise DataError(f"{source} is empty: its shape is {y.shape}", hint="save one label per sample")
    check_finite(y, source)
    if y.ndim > 1 and y[0].size == 1:
        y = y.reshape(len(y))
    if head is not None and not head.decides and y[0].size == math.prod(shape):
        return Labels(y.astype(np.float32, copy=False), regression=True)
    if head is not None and head.places(shape):
        return _of_places(y, source, head, shape)
    if y.ndim == 1:
        return _one_value_each(y, source)
    if y.ndim == 2 and is_one_hot(y):
        return _rows(y)
    if y.ndim == 2 and is_distribution(y):
        log.warning("%s holds rows of probabilities: the class of each sample is its most likely one", source)
        return _rows(y)
    if y.dtype.kind == "f":
        return Labels(y.astype(np.float32, copy=False), regression=True)
    if head is not None and not head.decides:
        known = f"{source} holds integers of shape {y.shape}, the model's output has shape {shape}, plain values"
        raise DataError(known, hint="[input] class_axis names the axis of the classes, if there are classes in it")
    raise DataError(
        f"{source} holds integers of shape {y.shape}, which are neither class indices nor one-hot rows",
        hint="save class indices of shape (samples,), one-hot rows, or regression targets as floats; several labels a "
        "sample need [input] head = logits",
    )


def _of_places(y: np.ndarray, source: str, head: Head, shape: Shape) -> Labels:
    """The labels for an output that says several classes per sample; targets where they are floats of its shape."""
    try:
        values = class_labels(y, head, shape, len(y), source)
    except DataError:
        if y.dtype.kind == "f" and y[0].size == math.prod(shape):
            return Labels(y.astype(np.float32, copy=False), regression=True)
        raise
    return Labels(values, regression=False, span=(int(values.min()), head.classes(shape) - 1))


def _one_value_each(y: np.ndarray, source: str) -> Labels:
    with np.errstate(invalid="ignore"):
        indices = y.astype(np.int64)
    if not np.array_equal(indices, y):
        return Labels(y.astype(np.float32), regression=True)
    if indices.min() < 0:
        raise DataError(
            f"{source} holds the label {indices.min()}, but classes are counted from 0",
            hint="number the classes 0, 1, 2, ...",
        )
    return Labels(
        indices, regression=False, span=(int(indices.min()), int(indices.max())), truths=y.dtype.kind == "b"
    )


def _rows(y: np.ndarray) -> Labels:
    indices = y.argmax(axis=1).astype(np.int64)
    return Labels(indices, regression=False, span=(int(indices.min()), y.shape[1] - 1))


