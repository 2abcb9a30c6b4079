"""Whether float32, in which simulators compute, can hold a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from snntoolbox.ir.node import Array  # which takes long to be loaded

_MOST = 2.0**128 - 2.0**103
"""Half way from the largest float32 to where the next would be: from here on they are infinite."""

_LEAST = 2.0**-150
"""Half way from 0 to the smallest float32: up to here they are 0."""

RANGE = "beyond float32, in which simulators compute (1e-45 to 3e38)"
"""What is said of others."""


def held(*values: ArrayLike) -> bool:
    """Whether no finite value becomes infinite, and none but 0 becomes 0."""
    for value in values:
        amounts = np.abs(np.asarray(value, np.float64))
        if amounts.ndim:
            large, small = amounts.max(initial=0.0), amounts.min(initial=1.0)
        else:
            large = small = float(amounts)
        if not (small > _LEAST and large < _MOST) and bool(np.any(_lost(amounts))):
            return False
    return True


def _lost(amounts: Array) -> Array:
    """Which of these float32 does not hold."""
    return np.asarray((amounts >= _MOST) & (amounts < np.inf) | (amounts <= _LEAST) & (amounts > 0))
