"""The compiled loop of histograms: positive values of each channel counted in bins; plain Python otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np

BLOCK = 1024
"""Values whose bins are found before they are counted."""


def count_bins(
    values: Any, channels: int, size: int, weights: Any, width: Any, bins: int, counts: Any, first: int, last: int
) -> None:
    """Add each value to its bin, ``ceil(value width)``, of `counts` (channels, bins + 1), those up to 0 to the first.

    `values` are samples of `size` values with the channels side by side, `weights` what each sample counts, or empty
    where it is 1; `width` (channels). A unit is a channel.
    """
    weighted, zero = len(weights) > 0, values.dtype.type(0)
    many = last - first
    together = max(1, BLOCK // channels) if many == channels else 1  # positions
    factor, begin = np.empty(together * many, width.dtype), np.empty(together * many, np.int32)
    for j in range(together * many):
        factor[j] = width[first + j % many]
        begin[j] = (first + j % many) * (bins + 1)
    places = np.empty(together * many, np.int32)  # with longer ones the compiler makes no vectors
    for sample in range(len(values) // size):
        each = counts.dtype.type(weights[sample] if weighted else 1)
        at, end = sample * size + first, (sample + 1) * size
        while at < end:
            number = min(together * many, end - at)
            given = values[at : at + number]
            for j in range(number):
                place = given[j] * factor[j]
                place = place if place > zero else zero
                places[j] = np.int32(np.ceil(place)) + begin[j]
            for j in range(number):
                counts[np.uint32(places[j])] += each
            at += together * channels
