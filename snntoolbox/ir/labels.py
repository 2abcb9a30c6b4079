"""Labels as people have them, indices or one-hot rows, as the classes that a head says."""

from __future__ import annotations

import logging

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.head import Head
from snntoolbox.ir.node import Array, Shape

log = logging.getLogger(__name__)

_ROUNDING = 2e-3
"""Rows of probabilities add up to one to the rounding of half precision."""

_ONE_CLASS = "give the index of each sample's class, or one-hot rows"
_SEVERAL = "several labels a sample: load the model with head='logits' to score each output, or give one class each"


def is_one_hot(y: Array, axis: int = 1) -> bool:
    """Whether there is a single 1 among zeros along an axis, everywhere."""
    return bool(((y == 0) | (y == 1)).all() and (np.count_nonzero(y, axis=axis) == 1).all())


def is_distribution(y: Array, axis: int = 1) -> bool:
    """Whether nothing is negative and every sum along an axis is one."""
    return bool(y.min() >= 0 and (np.abs(y.sum(axis=axis, dtype=np.float64) - 1) < _ROUNDING).all())


def class_labels(labels: Array, head: Head, shape: Shape, samples: int, source: str = "labels") -> Array:
    """The class of each place, (samples, *places) int64, for an output of this shape; DataError where there is none.

    Labels are indices, alone or with axes of length one, or one-hot along the axis of the classes. Rows of
    probabilities (smoothed or predicted labels) mean their most likely class.
    """
    head.require(shape)
    if np.ma.is_masked(labels):
        raise DataError(f"some of the {source} are masked", hint="give those samples alone that have a label")
    y = np.asarray(labels)
    if y.dtype.kind not in "buif":
        raise DataError(f"{source} hold {y.dtype} values", hint="give class indices, counted from 0")
    if y.ndim == 0:
        y = y[None]  # that of a single sample
    if len(y) != samples:
        raise DataError(f"{len(y)} {source} for {samples} samples")
    if not samples:
        raise DataError("there are no samples to compare")
    places, classes = head.places(shape), head.classes(shape)
    if _bare(y.shape[1:]) == _bare(places):
        return _indices(y.reshape(samples, *places), classes, source)
    if head.kind == "classes" and _bare(y.shape[1:]) == _bare(shape):
        return _rows(y, head, shape, source)
    expected = f"({samples},)" if places == () else f"{(samples, *places)}"
    hint = f"give class indices of shape {expected}" + (", or one-hot rows" if head.kind == "classes" else "")
    raise DataError(f"{source} have shape {y.shape}, the output has shape {shape} a sample", hint=hint)


def _bare(shape: Shape) -> Shape:
    return tuple(n for n in shape if n != 1)


def _indices(y: Array, classes: int, source: str) -> Array:
    if y.dtype.kind == "b" and classes > 2:
        raise DataError(
            f"the {source} are True and False, but there are {classes} classes", hint="give class indices"
        )
    with np.errstate(invalid="ignore"):
        whole = bool(np.isfinite(y).all()) and bool((y == np.floor(y)).all())
    if not whole or np.any((y < 0) | (y >= classes)):
        raise DataError(f"{source} must be whole numbers from 0 to {classes - 1}, the model's classes")
    return y.astype(np.int64)


def _rows(y: Array, head: Head, shape: Shape, source: str) -> Array:
    """The classes of rows along the axis of the classes."""
    y = y.reshape(len(y), *shape)
    rows = head.rows(y)
    if not np.isfinite(rows).all():
        raise DataError(f"{source} hold NaN or infinite values", hint=_ONE_CLASS)
    if not is_one_hot(rows, -1):
        if not is_distribution(rows, -1):
            zeros_and_ones = bool(((rows == 0) | (rows == 1)).all())
            some = "rows with none or several ones" if zeros_and_ones else "rows that are neither one-hot nor shares"
            raise DataError(f"{source} hold {some}", hint=_SEVERAL if zeros_and_ones else _ONE_CLASS)
        log.warning("%s hold rows of probabilities: the class of each sample is its most likely one", source)
    return np.asarray(rows.argmax(axis=-1), np.int64)


def share_right(decisions: Array, labels: Array, head: Head, shape: Shape) -> float:
    """The share of right classes among decisions (samples, *places)."""
    return float(np.mean(decisions == class_labels(labels, head, shape, len(decisions))))


def top_k_share(values: Array, labels: Array, head: Head, k: int) -> float:
    """The share of places whose label is among the k largest values; of equal ones the first class is larger."""
    return float(np.mean(in_top_k(values, labels, head, k)))


def in_top_k(values: Array, labels: Array, head: Head, k: int) -> Array:
    """Whether the label of each place is among the k largest values, (samples, *places) bool."""
    shape = values.shape[1:]
    expected, scores = class_labels(labels, head, shape, len(values)), head.scores(values)
    if not 1 <= k <= scores.shape[-1]:
        raise DataError(f"top {k} of {scores.shape[-1]} classes does not exist", hint="choose a smaller k")
    own = np.take_along_axis(scores, expected[..., None], axis=-1)
    before = np.arange(scores.shape[-1]) < expected[..., None]
    return np.asarray(np.sum((scores > own) | ((scores == own) & before), axis=-1) < k)
