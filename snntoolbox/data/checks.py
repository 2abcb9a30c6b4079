"""Refusal of arrays that cannot be samples, or do not fit each other."""

from __future__ import annotations

import numpy as np

from snntoolbox.errors import DataError

_CHUNK = 1 << 22  # elements looked at together, so that a mapped file is never wholly copied


def check_samples(array: np.ndarray, source: str) -> np.ndarray:
    """Return `array` as float32 samples, itself if it is that already. DataError naming `source` if it cannot be."""
    if array.dtype.kind not in "buif":
        raise DataError(f"{source} holds {array.dtype} values", hint="save an array of numbers")
    if array.ndim < 2 and array.size:
        raise DataError(
            f"{source} has shape {array.shape}, which is not (samples, ...)",
            hint="save samples of one value as an array of shape (samples, 1)",
        )
    if not array.size:
        raise DataError(f"{source} is empty: its shape is {array.shape}", hint="save at least one sample")
    with np.errstate(over="ignore"):
        samples = array.astype(np.float32, copy=False)
    check_finite(samples, source)
    return samples


def check_finite(array: np.ndarray, source: str) -> None:
    """DataError that names the first sample with a NaN or an infinite value."""
    step = max(1, _CHUNK // max(1, array[0].size))
    for start in range(0, len(array), step):
        finite = np.isfinite(array[start : start + step])
        if not finite.all():
            bad = int(np.argmin(finite.reshape(len(finite), -1).all(axis=1))) + start
            raise DataError(
                f"{source} holds NaN or infinite values, first in sample {bad}",
                hint="remove or repair these samples",
            )


def check_same_length(x: np.ndarray, source: str, y: np.ndarray, labels: str) -> None:
    """DataError if there is not one label per sample."""
    counts = [len(array) if array.ndim else 0 for array in (x, y)]
    if counts[0] != counts[1]:
        raise DataError(
            f"{source} holds {counts[0]} samples, but {labels} holds {counts[1]} labels",
            hint="save both from the same split, in the same order",
        )
