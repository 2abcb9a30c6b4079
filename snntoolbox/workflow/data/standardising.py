"""Standardises images as Keras' ImageDataGenerator does: each by itself, and by what calibration images are like."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.node import Array

log = logging.getLogger(__name__)

SMALL = np.float32(1e-6)
"""What Keras adds to a deviation before it divides by it."""

MOST_FITTED = 2000
"""So many calibration images tell what images are like: more hardly change a mean, and whitening takes long."""

MOST_VALUES = 8192
"""Values of an image up to which it can be whitened: the matrix has as many rows and columns."""


@dataclass(frozen=True, kw_only=True)
class Standards:
    """Which steps are asked for.

    An image loses its mean where it is `centered`, and is divided by its deviation where it is `unit`. Then it loses
    the mean of each channel of calibration images where it is `feature_centered`, is divided by their deviation where
    it is `feature_unit`, and is `whitened` by them, with `zca_epsilon` added to what it divides by.
    """

    centered: bool = False
    unit: bool = False
    feature_centered: bool = False
    feature_unit: bool = False
    whitened: bool = False
    zca_epsilon: float = 1e-6

    def with_implied(self) -> Standards:
        """With what Keras takes some to mean: a deviation is one around the mean, and whitening has its own."""
        unit = self.feature_unit and not self.whitened
        feature_centered = self.feature_centered or unit or self.whitened
        centered = self.centered or self.unit
        return replace(self, centered=centered, feature_centered=feature_centered, feature_unit=unit)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What images are like: mean and deviation of each channel, (1, 1, channels), and a matrix that whitens; or None.

    Images are (height, width, channels).
    """

    mean: Array | None = None
    deviation: Array | None = None
    matrix: Array | None = None

    def __call__(self, image: Array) -> Array:
        """The image less the mean, over the deviation, whitened, as far as these are there."""
        if self.mean is not None:
            image = image - self.mean
        if self.deviation is not None:
            image = image / (self.deviation + SMALL)
        if self.matrix is not None:
            image = (image.reshape(-1) @ self.matrix).reshape(image.shape)
        return np.asarray(image, np.float32)


NOTHING = Fitted()


def by_itself(image: Array, form: Standards) -> Array:
    """An image without its mean, and of deviation 1, where these are asked for."""
    if form.centered:
        image = image - image.mean(keepdims=True)
    return np.asarray(image / (image.std(keepdims=True) + SMALL) if form.unit else image)


def fitted(form: Standards, images: Callable[[int], Array]) -> Fitted:
    """What the first so many calibration `images` (images, height, width, channels) tell, as far as it is asked for.

    They are rescaled, and not standardised by themselves. DataError where they are too large to whiten.
    """
    if not (form.feature_centered or form.feature_unit or form.whitened):
        return NOTHING
    x = np.array(images(MOST_FITTED), np.float32)
    mean = deviation = matrix = None
    if form.feature_centered:
        mean = x.mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32).reshape(1, 1, -1)
        x -= mean
    if form.feature_unit:
        deviation = x.std(axis=(0, 1, 2), dtype=np.float64).astype(np.float32).reshape(1, 1, -1)
        x /= deviation + SMALL
    if form.whitened:
        matrix = _whitening(x.reshape(len(x), -1), form.zca_epsilon)
    return Fitted(mean, deviation, matrix)


def _whitening(x: Array, epsilon: float) -> Array:
    """The matrix that takes correlations between values away and changes them least: zero-phase components."""
    if x.shape[1] > MOST_VALUES:
        told = f"zca_whitening needs a matrix of {x.shape[1]:,} x {x.shape[1]:,} numbers for such images"
        raise DataError(told, hint=f"images of at most {MOST_VALUES:,} values, or zca_whitening = False")
    if len(x) < x.shape[1]:
        told = "zca_whitening: %d calibration images do not tell how %d values go together"
        log.warning(told, len(x), x.shape[1])
    directions, sizes, _ = np.linalg.svd(x.T.astype(np.float64), full_matrices=False)
    return np.asarray((directions * (np.sqrt(len(x)) / (sizes + epsilon))) @ directions.T, np.float32)
