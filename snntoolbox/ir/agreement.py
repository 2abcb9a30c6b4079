"""How two sets of values, or of classes, agree: their correlation, and which classes are taken for which."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.node import Array


class Pearson:
    """The correlation of two variables over all values so far.

    Batches are merged by their means and centred sums (Chan, Golub & LeVeque 1983), which keeps its digits where
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
        if not first.size:
            return
        pairs = np.stack([np.asarray(first, np.float64).ravel(), np.asarray(second, np.float64).ravel()])
        mean = pairs.mean(axis=1)
        centred = pairs - mean[:, None]
        total = self.count + first.size
        shift = mean - self._mean
        self._products += centred @ centred.T + np.outer(shift, shift) * (self.count * first.size / total)
        self._mean += shift * (first.size / total)
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
