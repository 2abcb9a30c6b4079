"""How two sets of values, or of classes, agree: their correlation, and which classes are taken for which."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.node import Array

AT_ONCE = 2**14
"""Pairs that are taken in at once: as float64 they stay in a processor's cache."""


class Pearson:
    """The correlation of two variables over all values so far.

    Parts are merged by their means and centred sums (Chan, Golub & LeVeque 1983), which keeps its digits where
    plain sums of squares would cancel.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = np.zeros(2)
        self._products = np.zeros((2, 2))

    def add(self, first: Array, second: Array) -> None:
        """Take in paired values of one shape."""
        if first.shape != second.shape:
            raise ValueError(f"values of shape {first.shape} cannot be paired with {second.shape}")
        first, second = np.ravel(first), np.ravel(second)
        room = np.empty((2, min(first.size, AT_ONCE)))
        for start in range(0, first.size, AT_ONCE):
            part = slice(start, start + AT_ONCE)
            pairs = room[:, : len(first[part])]
            pairs[0], pairs[1] = first[part], second[part]
            self._add(pairs)

    def _add(self, pairs: Array) -> None:
        """Take in a few, (2, pairs) float64, which are written over."""
        size, mean = pairs.shape[1], pairs.mean(axis=1)
        pairs -= mean[:, None]
        (x, y), total, shift = pairs, self.count + size, mean - self._mean
        products = np.array([[x @ x, x @ y], [x @ y, y @ y]])
        self._products += products + np.outer(shift, shift) * (self.count * size / total)
        self._mean += shift * (size / total)
        self.count = total

    @property
    def value(self) -> float:
        """Between -1 and 1; nan where there are no values or one side does not vary."""
        (xx, xy), (_, yy) = self._products
        return float(np.clip(xy / math.sqrt(xx) / math.sqrt(yy), -1, 1)) if xx > 0 and yy > 0 else math.nan


def correlation(first: Array, second: Array) -> float:
    """Pearson's correlation of paired values; nan where one side does not vary."""
    pearson = Pearson()
    pearson.add(first, second)
    return pearson.value


def confusion_matrix(predictions: Array, labels: Array, classes: int) -> Array:
    """How many samples (or places) of each class (rows) were put into each class (columns), (classes, classes) int64.

    Those without a prediction (-1) are in no column.
    """
    same_samples(predictions, labels)
    decided = np.asarray(predictions) >= 0
    pairs = np.asarray(labels, np.int64)[decided] * classes + np.asarray(predictions, np.int64)[decided]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def same_samples(first: Array, second: Array) -> None:
    """DataError unless there are as many of both, and some."""
    if len(first) != len(second):
        raise DataError(f"{len(first)} outputs for {len(second)} labels or targets")
    if not len(first):
        raise DataError("there are no samples to compare")
