"""What both frameworks' layers refuse before any work: levels that are no count, and samples that say nothing."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntoolbox.errors import ConversionError, DataError


def checked_levels(levels: Any) -> int:
    """The number of levels; ConversionError for anything but a whole number from 1 on (4.0, "4" and True neither)."""
    if isinstance(levels, Integral) and not isinstance(levels, bool) and int(levels) >= 1:
        return int(levels)
    raise ConversionError(f"QCFS needs levels that are an integer >= 1, not {levels!r}", hint="levels=4 is a start")


def checked_threshold(threshold: Any) -> float:
    """The threshold to start from; ConversionError where it is not above 0 and finite."""
    try:
        start = float(threshold)
    except (TypeError, ValueError):
        start = np.nan
    if 0 < start < np.inf:
        return start
    raise ConversionError(f"QCFS needs a threshold above 0 and finite, not {threshold!r}")


def checked_samples(samples: Any, number: int) -> NDArray[Any]:
    """The samples of the input of this number, from 1, as an array; DataError where thresholds cannot follow from them.

    That is where there are none, where they are no numbers, and where some are NaN, infinite or masked.
    """
    array, name = np.asarray(samples), f"replace_relu, samples of input {number}"
    hidden = samples.mask if isinstance(samples, np.ma.MaskedArray) else False
    if array.dtype.kind not in "biuf":
        raise DataError(f"no numbers but {array.dtype}", layer=name)
    if not array.size or not array.ndim:
        raise DataError(f"there are none: their shape is {array.shape}", layer=name)
    if unusable := int(np.count_nonzero(~np.isfinite(array) | hidden)):
        hint = "leave those samples out, or fill them in"
        raise DataError(f"{unusable} of {array.size} values are NaN, infinite or masked", layer=name, hint=hint)
    return array
