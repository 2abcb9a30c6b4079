"""The compiled loop of counts: what neurons send in a window, by the sums that they got; plain Python otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np


def count(
    n: int, sums: Any, scale: float, start: Any, shared: bool, threshold: Any, plain: bool, total: int, out: Any,
    first: int, last: int,
) -> None:  # fmt: skip
    """out = clip(floor((scale * sums + start) / threshold), 0, total), each (samples, n).

    Where `shared`, `start` is (n), as `threshold` is; where `plain`, all thresholds are 1. A unit is a sample.
    """
    low, high, times = sums.dtype.type(0), sums.dtype.type(total), sums.dtype.type(scale)
    for sample in range(first, last):
        at = sample * n
        begin = 0 if shared else at
        given, base, to = sums[at : at + n], start[begin : begin + n], out[at : at + n]
        for j in range(n):  # what is clipped first has no fraction below 0: cutting it off rounds down
            value = times * given[j] + base[j] if plain else (times * given[j] + base[j]) / threshold[j]
            value = value if value > low else low
            to[j] = np.int32(value if value < high else high)
