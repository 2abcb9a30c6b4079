"""Whether float32, in which simulators compute, can hold a value."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

RANGE = "beyond float32, in which simulators compute (1e-45 to 3e38)"
"""What is said of others."""


def held(*values: ArrayLike) -> bool:
    """Whether no finite value becomes infinite, and none but 0 becomes 0."""
    for value in values:
        exact = np.asarray(value, np.float64)
        with np.errstate(over="ignore", under="ignore"):
            short = exact.astype(np.float32)
        if np.any(np.isinf(short) & np.isfinite(exact)) or np.any((short == 0) & (exact != 0)):
            return False
    return True
