"""The compiled loop of counts: what neurons send in a window, by the sums that they got; plain Python otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from snntoolbox.engine.fast.compiled_loops import sum_points
from snntoolbox.engine.fast.neurons_loops import BLOCK


def count(
    n: int, sums: Any, scale: float, start: Any, shared: bool, threshold: Any, plain: bool, total: int, out: Any,
    first: int, last: int,
) -> None:  # fmt: skip
    """out = clip(floor((scale * sums + start) / threshold), 0, total), each (samples, n).

    Where `shared`, `start` is (n), as `threshold` is; where `plain`, all thresholds are 1. A unit is a sample.
    """
    times = sums.dtype.type(scale)
    for sample in range(first, last):
        at = sample * n
        begin = 0 if shared else at
        count_block(n, sums, at, times, start, begin, threshold, 0, plain, total, out, at)


def count_block(
    n: int, sums: Any, at: int, times: Any, start: Any, at_start: int, threshold: Any, at_threshold: int, plain: bool,
    total: int, out: Any, to: int,
) -> None:  # fmt: skip
    """The same for some neighbours."""
    low, high = sums.dtype.type(0), sums.dtype.type(total)
    given, base, levels, found = sums[at:], start[at_start:], threshold[at_threshold:], out[to:]
    for j in range(n):  # what is clipped first has no fraction below 0: cutting it off rounds down
        value = times * given[j] + base[j] if plain else (times * given[j] + base[j]) / levels[j]
        value = value if value > low else low
        found[j] = np.int32(value if value < high else high)


def count_points(
    n: int, channels: int, current: Any, given: bool, points: Any, start: Any, shared: bool, threshold: Any,
    plain: bool, total: int, out: Any, first: int, last: int,
) -> None:  # fmt: skip
    """`count` of `current`, where `given`, plus bytes times gains: see `compiled_loops.sum_points`.

    A unit is some places of one sample.
    """
    places = n // channels
    few = max(1, BLOCK // channels)
    blocks = (places + few - 1) // few
    sums = np.empty(few * channels, start.dtype)
    for unit in range(first, last):
        sample = unit // blocks
        low = (unit - sample * blocks) * few
        number = min(few, places - low)
        sum_points(sample, low, number, channels, sums, 0, current, given, points)
        lo = low * channels
        at = sample * n + lo
        count_block(number * channels, sums, 0, sums.dtype.type(1), start, lo if shared else at, threshold, lo, plain,
                    total, out, at)  # fmt: skip


INNER = (count_block,)
"""What the loops call that is compiled with them."""
