"""Class labels as people give them, as one index per sample."""

from __future__ import annotations

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.node import Array


def class_indices(labels: Array, samples: int, classes: int) -> Array:
    """The class of each sample, (samples,); labels are indices, alone or in a column, or one-hot rows. DataError."""
    labels = np.asarray(labels)
    if labels.ndim == 0 or len(labels) != samples:
        raise DataError(f"{labels.size} labels for {samples} samples")
    if labels.ndim > 2:
        raise DataError(f"labels have shape {labels.shape}", hint="give class indices, or one row per sample")
    if labels.dtype.kind == "b" and labels.size == samples and classes > 2:
        raise DataError(f"the labels are True and False, but there are {classes} classes", hint="give class indices")
    wanted = labels.argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(samples)
    if np.any(wanted != np.floor(wanted)) or np.any((wanted < 0) | (wanted >= classes)):
        raise DataError(f"labels must be whole numbers from 0 to {classes - 1}, the model's classes")
    return np.asarray(wanted)
